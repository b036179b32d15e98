/** Waits until many nodes are where they were sent: one event stream for all, and a look at a node when something decisive happened to it. */
import { type Clock, duration } from '../clock.ts';
import type { Departure, Io } from '../command.ts';
import { record } from '../commands/values.ts';
import type { Api } from '../connection/http.ts';
import { CliError, ConnectionError, HttpError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import { describeEvent } from './describe.ts';
import { datedLine } from './progress.ts';
import { openStream, type StreamEvent } from './stream.ts';
import { DECISIVE, judge, LOOK_MS, STATE_FIELDS, targetText } from './wait.ts';

/** With an event stream, nodes are looked at this often only as a net below it. */
const NET_MS = 30_000;
/** Names that a line lists. */
const LISTED = 10;

export interface WaitManyOptions {
  readonly api: Api;
  readonly io: Io;
  readonly clock: Clock;
  readonly departures: readonly Departure[];
  /** For all together; 0: without end. */
  readonly timeoutS: number;
}

interface Traveller extends Departure {
  /** The end of its run, for goals that only a run tells. */
  finished: StreamEvent | undefined;
  mustLook: boolean;
}

const listed = (names: readonly string[]): string =>
  names.length <= LISTED ? names.join(', ') : `${names.slice(0, LISTED).join(', ')} and ${names.length - LISTED} more`;

/**
 * Starts each node, waits for all, and says of each how it ended. A node that fails does not stop the others.
 * @returns the exit code: 0 when all reached their goals.
 * @throws CliError when the operator interrupts.
 */
export async function startAndWaitAll({ api, io, clock, departures, timeoutS }: WaitManyOptions): Promise<number> {
  const startedAtMs = clock.now();
  const stop = new AbortController();
  let wake = new AbortController();
  const ring = () => wake.abort();
  io.signal.addEventListener('abort', ring, { once: true });
  const pending = new Map<string, Traveller>();
  const byUuid = new Map<string, Traveller>();
  let hasStream = false;
  let streamError: Error | undefined;
  let failed = 0;
  const path = (node: string) => `/v1/nodes/${encodeURIComponent(node)}`;
  const fail = (node: string, reason: string): void => {
    failed += 1;
    io.err(`${node}: ${reason}\n`);
  };
  const lookAtAll = (): void => {
    for (const traveller of pending.values()) traveller.mustLook = true;
    ring();
  };
  const onEvent = (event: StreamEvent): void => {
    const traveller = byUuid.get(event.nodeUuid ?? '');
    if (!traveller || !pending.has(traveller.node)) return;
    const { goal, node } = traveller;
    if (event.type === 'run.finished' && goal.kind === 'run' && event.data['verb'] === goal.verb)
      traveller.finished = event;
    if (event.type === 'node.provision_state' || event.type === 'step.failed')
      io.out(datedLine(`${node}: ${describeEvent(event)}`, event.at, clock));
    if (!DECISIVE.has(event.type)) return;
    traveller.mustLook = true;
    ring();
  };
  /** Says how it ended when it has. */
  async function look(traveller: Traveller): Promise<void> {
    const { node, goal } = traveller;
    traveller.mustLook = false;
    let answer: unknown;
    try {
      answer = await api.once('GET', path(node), { query: { fields: STATE_FIELDS } });
    } catch (error) {
      // A service that is away comes back; the nodes go on by themselves.
      if (error instanceof ConnectionError || (error instanceof HttpError && error.status >= 500)) return;
      if (!(error instanceof CliError)) throw error;
      pending.delete(node);
      fail(node, error.message);
      return;
    }
    const verdict = judge(goal, record(answer as never), traveller.finished);
    if (!verdict || !pending.delete(node)) return;
    if (verdict.is === 'failed') fail(node, `did not reach ${targetText(goal)}: ${verdict.reason}`);
    else io.out(`${node}: ${verdict.state} after ${duration(clock.now() - startedAtMs)}\n`);
  }

  try {
    try {
      const stream = await openStream({
        api,
        clock,
        query: { after: 'now' },
        signal: stop.signal,
        onEvent,
        onLost: () => io.err('The service does not answer; the nodes go on by themselves, waiting for the service.\n'),
        onBack(awayMs) {
          io.err(`The service is back after ${duration(awayMs)}.\n`);
          lookAtAll();
        },
      });
      hasStream = true;
      stream.done.catch((error: Error) => {
        streamError = error;
        ring();
      });
    } catch (error) {
      // Another bare metal API has no such stream: the nodes are looked at instead.
      if (!(error instanceof HttpError) || error.status !== 404) throw error;
    }
    await inParallel(departures, async (departure) => {
      const { node } = departure;
      try {
        const uuid = record(await api.get(path(node), { fields: 'uuid' }))['uuid'];
        const traveller: Traveller = { ...departure, finished: undefined, mustLook: true };
        pending.set(node, traveller);
        if (typeof uuid === 'string') byUuid.set(uuid, traveller);
        await departure.start();
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        pending.delete(node);
        fail(node, error.message);
      }
    });
    const goal = departures[0]!.goal;
    if (goal.kind === 'provision' && pending.size > 0)
      io.out(`Waiting for provision state ${goal.state} on node(s) ${listed([...pending.keys()])}\n`);
    let lookedAtMs = clock.now();
    const intervalMs = hasStream ? NET_MS : LOOK_MS;
    for (;;) {
      if (streamError) throw streamError;
      if (io.signal.aborted)
        throw new CliError(`No longer waiting for ${pending.size} nodes; they go on by themselves.`);
      wake = new AbortController();
      if (clock.now() - lookedAtMs >= intervalMs) {
        lookedAtMs = clock.now();
        for (const traveller of pending.values()) traveller.mustLook = true;
      }
      await inParallel(
        [...pending.values()].filter((t) => t.mustLook),
        look,
      );
      if (pending.size === 0) break;
      const leftMs = timeoutS > 0 ? timeoutS * 1000 - (clock.now() - startedAtMs) : Number.POSITIVE_INFINITY;
      if (leftMs <= 0) {
        for (const node of pending.keys()) fail(node, `did not reach ${targetText(goal)} in ${timeoutS} seconds`);
        break;
      }
      const restMs = Math.max(0, Math.min(lookedAtMs + intervalMs - clock.now(), leftMs));
      if (![...pending.values()].some((t) => t.mustLook)) await clock.sleep(restMs, wake.signal);
    }
    if (failed > 0)
      throw new CliError(`${failed} of ${departures.length} nodes did not come where they were sent.`, {
        hint: 'See each: baremetal node why NODE',
      });
    return 0;
  } finally {
    stop.abort();
    io.signal.removeEventListener('abort', ring);
  }
}
