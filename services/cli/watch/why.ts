/** The answer of /v1/nodes/X/why, read defensively. */
import type { Value } from '../output/python.ts';
import { Float } from '../output/python.ts';
import { isRecord } from '../commands/values.ts';

export interface Waiting {
  readonly what: string;
  readonly from: string;
  readonly since: string;
  readonly until: string;
  readonly position: number | undefined;
}
export interface Progress {
  readonly phase: string;
  readonly bytes: number | undefined;
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number | undefined;
  readonly etaSeconds: number | undefined;
}
export interface Why {
  readonly provisionState: string;
  readonly summary: string;
  readonly verb: string | undefined;
  readonly step: string | undefined;
  readonly waiting: Waiting | undefined;
  readonly progress: Progress | undefined;
  readonly lastError: string | undefined;
  readonly whatToDo: string | undefined;
}

const text = (value: Value | undefined): string | undefined => (typeof value === 'string' ? value : undefined);
const number = (value: Value | undefined): number | undefined =>
  value instanceof Float
    ? value.value
    : typeof value === 'number' || typeof value === 'bigint'
      ? Number(value)
      : undefined;

/** What the answer says; what it lacks is undefined. */
export function readWhy(answer: Value): Why {
  const a = isRecord(answer) ? answer : {};
  const run = isRecord(a['run']) ? a['run'] : {};
  const w = a['waiting_for'];
  const p = a['progress'];
  return {
    provisionState: text(a['provision_state']) ?? '',
    summary: text(a['summary']) ?? '',
    verb: text(run['verb']),
    step: text(run['step']),
    waiting: isRecord(w)
      ? {
          what: text(w['what']) ?? '',
          from: text(w['from']) ?? '',
          since: text(w['since']) ?? '',
          until: text(w['until']) ?? '',
          position: number(w['position']),
        }
      : undefined,
    progress: isRecord(p)
      ? {
          phase: text(p['phase']) ?? '',
          bytes: number(p['bytes']),
          totalBytes: number(p['total_bytes']),
          bytesPerSecond: number(p['bytes_per_second']),
          etaSeconds: number(p['eta_seconds']),
        }
      : undefined,
    lastError: text(a['last_error']),
    whatToDo: text(a['what_to_do']),
  };
}
