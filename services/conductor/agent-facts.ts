/** What the messages of an agent mean for the rows: pure, so that it can be read and tested as a table. */
import type { EventMessage, KeptMessage } from '@bessemer/agent-protocol';
import type { Json, JsonObject, NewEvent, Run } from '@bessemer/core';
import { isJsonObject } from '@bessemer/core';
import type { NodePatch } from '@bessemer/db';
import { agentSegmentOf } from './agent-phase.ts';

export interface AgentFacts {
  readonly notes: JsonObject;
  readonly events: readonly Omit<NewEvent, 'nodeUuid' | 'runId'>[];
  /** Where the cursor's step is now. */
  readonly cursorStep?: number;
  readonly nodePatch: (internal: JsonObject) => NodePatch;
  /** What inspection found. */
  readonly inventory?: JsonObject;
}

const NOTHING: AgentFacts = { notes: {}, events: [], nodePatch: () => ({}) };

/** Facts that follow from a step's result. */
function resultFacts(step: string, result: JsonObject): Partial<AgentFacts> {
  if (step === 'write_image') {
    const disk = isJsonObject(result['disk']) ? result['disk'] : {};
    const { writtenBytes = null, fetchedBytes = null, durationMs, peakRssBytes = null } = result;
    const seconds = typeof durationMs === 'number' ? durationMs / 1000 : null;
    const data = { bytes: writtenBytes, fetchedBytes, seconds, device: disk['name'] ?? null, peakRssBytes };
    return { events: [{ type: 'image.written', data }] };
  }
  if (step === 'configdrive' && typeof result['sshHostKey'] === 'string') {
    const sshHostKey = result['sshHostKey'];
    return {
      notes: { sshHostKey },
      nodePatch: (internal) => ({ driverInternalInfo: { ...internal, agent_ssh_host_key: sshHostKey } }),
    };
  }
  if (step === 'inspect' && isJsonObject(result['inventory'])) return { inventory: result['inventory'] };
  return {};
}

/** What a kept message changes in its run; nothing when it is about another segment than the one that the run is in. */
export function factsOf(run: Run, message: KeptMessage): AgentFacts {
  const note = agentSegmentOf(run.notes);
  if (!note || message.run !== run.id || message.segment !== note.id || note.index !== run.cursor.segment)
    return NOTHING;
  if (message.type === 'segmentDone')
    return { ...NOTHING, notes: { agentSegment: { ...note, outcome: message.outcome } as unknown as Json } };
  const steps = run.segments[note.index]!.steps;
  const index = steps.findIndex((step) => step.step === message.step);
  // An attempt that was given up (the step was retried) has nothing to say any more.
  if (index < 0 || note.attempts[message.step] !== message.attempt) return NOTHING;
  return stepFacts(run, message, index, steps[index]!.interface);
}

function stepFacts(
  run: Run,
  message: Exclude<EventMessage, { kind: 'progress' | 'log' }>,
  index: number,
  kind: string,
): AgentFacts {
  const note = agentSegmentOf(run.notes)!;
  const about = { interface: kind, step: message.step, attempt: 1 };
  switch (message.kind) {
    case 'started':
      // The second word of an attempt that was told of already.
      if (message.data.disk) return { ...NOTHING, notes: { rootDisk: message.data.disk as unknown as Json } };
      return { ...NOTHING, cursorStep: index, events: [{ type: 'step.started', data: about }] };
    case 'failed':
      return {
        ...NOTHING,
        notes: {
          agentSegment: { ...note, error: { step: message.step, ...message.data } } as unknown as Json,
          ...(message.data.disk ? { rootDisk: message.data.disk as unknown as Json } : {}),
        },
        events: [
          {
            type: 'step.failed',
            severity: 'error',
            data: { ...about, error: message.data.message, code: message.data.code },
          },
        ],
      };
    case 'done': {
      const result = message.data as JsonObject;
      const facts = resultFacts(message.step, result);
      // An inventory is kept in its own table.
      const kept = facts.inventory ? {} : result;
      const results = { ...(run.notes['results'] as JsonObject | undefined), [message.step]: kept };
      return {
        ...NOTHING,
        ...facts,
        notes: { ...facts.notes, results },
        events: [{ type: 'step.done', data: { ...about, result: kept } }, ...(facts.events ?? [])],
        cursorStep: Math.min(index + 1, run.segments[note.index]!.steps.length - 1),
      };
    }
  }
}
