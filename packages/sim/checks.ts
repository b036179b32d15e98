/** What must hold: looked at again and again while the simulation runs, and over the whole record at its end. */
import { isTransient, TRANSITIONS, type Run, type RunId, type StoredEvent } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Clock } from '@bessemer/ports';

/** A conductor may be dead for its whole session before the next one notices a deadline, and gives what it took over a minute. */
const GRACE_MS = 150_000;

const isTableRow = new Set(TRANSITIONS.map(([from, event, to]) => `${from}|${event}|${to}`));

/** One look at all nodes: nothing in work without a run, no run without a deadline or behind it. Gives what is wrong. */
export async function lookForStuck(db: Db, clock: Clock): Promise<string[]> {
  const found: string[] = [];
  const runs = new Map((await db.read.runs.listUnfinished()).map((run) => [run.nodeUuid as string, run]));
  const nowMs = clock.nowMs();
  for (const row of await db.read.nodes.listRows(['uuid', 'name', 'provision_state'], {}, { limit: 100_000 })) {
    const state = String(row['provision_state']);
    const run = runs.get(String(row['uuid']));
    if (isTransient(state as never) && !run)
      found.push(`node ${String(row['name'])} is stuck in "${state}": there is no run`);
  }
  for (const run of runs.values()) {
    if (run.waitingFor === null && run.cursor.attempt === null && run.state === 'running')
      found.push(`run ${run.id} (${run.verb}) of node ${run.nodeUuid} waits for nothing and has no step under way`);
    const late = lateness(run, nowMs);
    if (late) found.push(`run ${run.id} (${run.verb}) of node ${run.nodeUuid} is still there ${late}`);
  }
  return found;
}

function lateness(run: Run, nowMs: number): string | undefined {
  if (!Number.isFinite(run.deadline) || nowMs > run.deadline + GRACE_MS) return `after its deadline`;
  if (run.waitingFor && nowMs > run.waitingFor.until + GRACE_MS)
    return `${Math.round((nowMs - run.waitingFor.until) / 1000)} s after it should have given up waiting for ${run.waitingFor.what}`;
  return undefined;
}

/** All events, in order. */
export async function allEvents(db: Db): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (let after: string | undefined; ; ) {
    const page = await db.read.events.listAfter(after, {}, 5_000);
    if (page.length === 0) return events;
    events.push(...page);
    after = page.at(-1)!.cursor;
  }
}

/** The record as a whole: every transition once, in order and along the table; every run begun ends once, in its time. */
export async function checkRecord(db: Db, events: readonly StoredEvent[]): Promise<string[]> {
  const found: string[] = [];
  const states = new Map<string, string>();
  const open = new Map<string, number>();
  let lastAt = 0;
  for (const event of events) {
    if (event.at < lastAt) found.push(`event ${event.cursor} (${event.type}) is older than the one before it`);
    lastAt = event.at;
    const runId = event.runId ?? '';
    if (event.type === 'node.provision_state') {
      const { from, to, event: cause } = event.data as { from: string; to: string; event: string };
      const node = event.nodeUuid ?? '';
      const before = states.get(node) ?? 'enroll';
      if (before !== from) found.push(`node ${node} went from "${from}" to "${to}", but it was in "${before}"`);
      if (!isTableRow.has(`${from}|${cause}|${to}`))
        found.push(`node ${node}: no row of the table has ${from}, ${cause}, ${to}`);
      states.set(node, to);
    } else if (event.type === 'run.started') {
      if (open.get(runId) === 1) found.push(`run ${runId} was begun twice`);
      open.set(runId, 1);
    } else if (event.type === 'run.finished') {
      if (open.get(runId) !== 1) found.push(`run ${runId} ended twice`);
      open.set(runId, 0);
    } else if (runId !== '' && open.get(runId) === 0 && /^(step|power\.ordered|boot\.ordered|run)\b/.test(event.type))
      found.push(`run ${runId} has ended and still says ${event.type}`);
  }
  for (const [runId, isOpen] of open) {
    const run = await db.read.runs.get(runId as RunId);
    if (isOpen === 1 || run?.finishedAt == null) found.push(`run ${runId} (${run?.verb ?? 'unknown'}) never ended`);
    else if (run.finishedAt > run.deadline + GRACE_MS)
      found.push(`run ${runId} (${run.verb}) ended after its deadline`);
  }
  for (const row of await db.read.nodes.listRows(
    ['uuid', 'provision_state', 'reservation', 'target_power_state'],
    {},
    { limit: 100_000 },
  )) {
    const node = String(row['uuid']);
    const told = states.get(node) ?? 'enroll';
    if (told !== row['provision_state'])
      found.push(`node ${node} is in "${String(row['provision_state'])}", its events end in "${told}"`);
    if (row['target_power_state'] !== null)
      found.push(`node ${node} is on its way to "${String(row['target_power_state'])}" and nothing goes on`);
    if (row['reservation'] !== null)
      found.push(`node ${node} is reserved by ${String(row['reservation'])} and nothing goes on`);
  }
  return found;
}
