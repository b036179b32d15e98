/**
 * The conductor's side of an agent's segment. The agent's journal is the truth about it: the gateway writes what the agent
 * reports into the run (`notes.agent`, `notes.agentSegment`, `notes.results`), and this decides what follows. An agent that
 * comes back gets the segment again under the run's present fence; attempts that it knows are not repeated.
 */
import type { Config, JsonObject, Node, Run, Segment, StoredEvent } from '@bessemer/core';
import { isTransientError } from './drivers/errors.ts';
import type { AgentJournal, SegmentMessage, SegmentStep } from '@bessemer/agent-protocol';
import type { Db } from '@bessemer/db';
import type { Clock, Log, Random } from '@bessemer/ports';
import type { AgentArguments } from './agent-arguments.ts';
import type { AgentLink, AgentLinks } from './agent-links.ts';
import type { DriverRegistry } from './drivers/registry.ts';
import { readyImageOf } from './image-orders.ts';
import type { Session } from './session.ts';
import type { Awaited } from './steps/step.ts';
import type { TaskWriter } from './task-writer.ts';

export type AgentVerdict =
  | { readonly kind: 'segmentDone' }
  | { readonly kind: 'failed'; readonly error: string }
  /** The cursor is at the boot of the ramdisk again. */
  | { readonly kind: 'wentBack' }
  | { readonly kind: 'wait'; readonly for: Awaited; readonly checkAfterMs?: number };

export interface AgentPhase {
  drive(run: Run, node: Node): Promise<AgentVerdict>;
}

/** `notes.agentSegment`: what was sent and what came of it. */
export interface AgentSegmentNote {
  /** Index of the segment in the run. */
  readonly index: number;
  readonly id: string;
  /** Attempt ids by step name, stored before they are sent. */
  readonly attempts: Readonly<Record<string, string>>;
  readonly outcome?: 'done' | 'cancelled';
  readonly error?: { readonly step: string; readonly code: string; readonly message: string };
}

/** `notes.agent`: the agent of this boot. */
export interface AgentNote {
  readonly bootId: string;
  readonly address: string;
  /** The highest number of a kept message that is stored. */
  readonly lastSeq: number;
  /** SHA-256 of the boot token of the first hello, until its session key was used. */
  readonly tokenSha256: string | null;
  readonly bootMode: 'bios' | 'uefi';
}

export const agentNoteOf = (notes: JsonObject): AgentNote | undefined =>
  notes['agent'] as unknown as AgentNote | undefined;
export const agentSegmentOf = (notes: JsonObject): AgentSegmentNote | undefined =>
  notes['agentSegment'] as unknown as AgentSegmentNote | undefined;

/** After this long without a connection the node's power is looked at. */
const LOST_GRACE_MS = 15_000;
/** How often a run whose machine lost its power is begun again. */
const MAX_RESTARTS = 1;
/** Enough to find a machine's boot behind the renewals of its ramdisk. */
const BOOT_SIGNS_READ = 20;

export interface AgentPhaseOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly config: Config;
  readonly session: Session;
  readonly writer: TaskWriter;
  readonly drivers: DriverRegistry;
  readonly links: AgentLinks;
  readonly stepArguments: AgentArguments;
}

export function createAgentPhase(options: AgentPhaseOptions): AgentPhase {
  const { clock, writer, links } = options;
  /** What each connection was sent: fence and attempts. */
  const sent = new WeakMap<AgentLink, string>();

  async function noteOf(run: Run, segment: Segment): Promise<AgentSegmentNote> {
    const known = agentSegmentOf(run.notes);
    if (known?.index === run.cursor.segment) return known;
    const note: AgentSegmentNote = {
      index: run.cursor.segment,
      id: options.random.uuid(),
      attempts: Object.fromEntries(segment.steps.map((step) => [step.step, options.random.uuid()])),
    };
    await writer.record(run, { notes: { agentSegment: note as unknown as JsonObject } });
    return note;
  }

  /** The steps to send. An agent that has the segment gets all of it; one that lost its journal gets what is not done. */
  async function messageFor(
    run: Run,
    node: Node,
    segment: Segment,
    note: AgentSegmentNote,
    journal: AgentJournal,
  ): Promise<SegmentMessage> {
    const from = journal.segment === note.id ? 0 : run.cursor.step;
    const steps: SegmentStep[] = [];
    for (const step of segment.steps.slice(from))
      steps.push({
        id: step.step,
        name: step.step,
        interface: step.interface,
        args: await options.stepArguments(step.step, run, node),
        attempt: note.attempts[step.step]!,
        onRepeat: step.onRepeat,
      });
    return { type: 'segment', run: run.id, fence: run.fence, segment: note.id, steps };
  }

  /** The agent is not there: is its machine? */
  async function withoutAgent(run: Run, node: Node, segment: Segment): Promise<AgentVerdict> {
    const step = segment.steps[run.cursor.step]?.step ?? 'its work';
    const wait: AgentVerdict = {
      kind: 'wait',
      for: {
        what: 'agent',
        from: 'the agent of this boot',
        until: untilOf(run),
        hint: `The agent is not connected. It goes on with ${step} and comes back by itself; look at the console if it does not.`,
      },
      checkAfterMs: LOST_GRACE_MS,
    };
    const sinceMs = links.lostAt(run.id) ?? run.waitingFor?.since ?? clock.nowMs();
    if (clock.nowMs() - sinceMs < LOST_GRACE_MS) return wait;
    if (!(await hasRestarted(node, sinceMs))) return wait;
    const restarts = Number(run.notes['restarts'] ?? 0);
    if (restarts >= MAX_RESTARTS)
      return {
        kind: 'failed',
        error: `The node lost its power or was reset during ${step}, for the second time. Check its power supply, then deploy it again.`,
      };
    const back = run.segments.flatMap((s, i) =>
      s.steps.flatMap((candidate, j) => (candidate.step === 'boot_ramdisk' ? [{ segment: i, step: j }] : [])),
    );
    const cursor = back.findLast((c) => c.segment < run.cursor.segment);
    if (!cursor) return { kind: 'failed', error: `The node lost its power or was reset during ${step}.` };
    await writer.goBack(
      run,
      { ...cursor, attempt: null },
      { restarts: restarts + 1, agent: null, agentSegment: null },
      {
        type: 'step.failed',
        severity: 'warning',
        data: {
          interface: 'deploy',
          step,
          attempt: restarts + 1,
          error: `The node lost its power or was reset during ${step}: the ramdisk is booted again (${restarts + 1} of ${MAX_RESTARTS}).`,
        },
      },
    );
    return { kind: 'wentBack' };
  }
  async function hasRestarted(node: Node, sinceMs: number): Promise<boolean> {
    const seen = await options.db.read.events.listLast(
      { nodeUuid: node.uuid, types: ['boot.dhcp', 'boot.script'] },
      BOOT_SIGNS_READ,
    );
    // The ramdisk renews its address too: only firmware and iPXE, which say so, are a machine that begins again.
    const isBoot = (event: StoredEvent) =>
      event.type === 'boot.script' || event.data['stage'] !== undefined || event.data['message'] === 'proxy';
    if (seen.some((event) => event.at >= sinceMs && isBoot(event))) return true;
    try {
      const task = { node, ports: [], log: options.log, checkMayOrder: async () => options.session.checkMayOrder() };
      return (await options.drivers.get(node, 'power').getPowerState(task)) === 'power off';
    } catch (error) {
      // A BMC that cannot be asked says nothing about the machine; the deadline of the wait stands.
      if (!isTransientError(error)) options.log.warn('the power state could not be read', { node: node.uuid });
      return false;
    }
  }
  /** The deadline that the last sign of the agent has set. */
  const untilOf = (run: Run): number =>
    run.waitingFor?.what === 'agent' && run.waitingFor.until < run.deadline
      ? run.waitingFor.until
      : Math.min(run.deadline, clock.nowMs() + options.config.conductor.step_timeout_ms);

  return {
    async drive(run, node) {
      const segment = run.segments[run.cursor.segment]!;
      const known = agentSegmentOf(run.notes);
      if (known?.index === run.cursor.segment) {
        if (known.error) return { kind: 'failed', error: known.error.message };
        if (known.outcome === 'cancelled') return { kind: 'failed', error: 'The agent was told to stop.' };
        if (known.outcome === 'done') return { kind: 'segmentDone' };
      }
      const needsImage = segment.steps.some((step) => step.step === 'write_image');
      if (needsImage && !readyImageOf(run.notes))
        return {
          kind: 'wait',
          for: {
            what: 'image',
            from: 'the depot',
            until: run.deadline,
            hint: 'The depot fetches, checks and converts the image; the ramdisk is up and waits with us.',
          },
        };
      const link = links.link(run.id);
      if (!link) return withoutAgent(run, node, segment);
      const missing = segment.steps.filter((step) => !link.steps.includes(step.step)).map((step) => step.step);
      if (missing.length > 0)
        return {
          kind: 'failed',
          error: `The agent in the ramdisk cannot do ${missing.join(', ')}: build a newer ramdisk.`,
        };
      const note = await noteOf(run, segment);
      const key = `${run.fence}|${note.id}|${Object.values(note.attempts).join()}`;
      if (sent.get(link) !== key) {
        const message = await messageFor(run, node, segment, note, link.journal);
        if (links.order(run.id, message)) sent.set(link, key);
      }
      const step = segment.steps[run.cursor.step]?.step ?? 'its steps';
      return {
        kind: 'wait',
        for: {
          what: 'agent',
          from: `the agent at ${link.address}`,
          until: untilOf(run),
          hint: `The agent works on ${step}; \`node why\` has its progress.`,
        },
      };
    },
  };
}
