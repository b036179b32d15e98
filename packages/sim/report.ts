/** What a simulation tells people. */
import type { StoredEvent } from '@bessemer/core';
import type { SimulateOptions, SimulationReport } from './simulate.ts';

export interface Outcome {
  readonly options: SimulateOptions;
  readonly events: readonly StoredEvent[];
  readonly violations: readonly string[];
  readonly faults: Readonly<Record<string, number>>;
  readonly virtualMs: number;
  readonly traceSha256: string;
}

export function reportOf(outcome: Outcome): SimulationReport {
  const { options, events, violations, faults, virtualMs, traceSha256 } = outcome;
  const runs: Record<string, number> = {};
  let takenOver = 0;
  for (const event of events) {
    if (event.type === 'run.taken_over') takenOver++;
    if (event.type !== 'run.finished') continue;
    const key = `${String(event.data['verb'])} ${String(event.data['outcome'])}`;
    runs[key] = (runs[key] ?? 0) + 1;
  }
  const isWell = violations.length === 0;
  const minutes = (virtualMs / 60_000).toFixed(1);
  const lines = [
    `${options.nodes} nodes, seed ${options.seed}: ${isWell ? 'well' : `NOT WELL, ${violations.length} violations`}`,
    `${minutes} minutes of virtual time, ${events.length} events, ${takenOver} runs taken over`,
    '',
    ...table('run', runs),
    '',
    ...(Object.keys(faults).length > 0 ? [...table('fault', faults), ''] : []),
    ...(isWell ? [] : ['violated:', ...violations.map((text) => `  ${text}`), '', `again: ${againOf(options)}`, '']),
    `trace ${traceSha256}`,
  ];
  return { isWell, text: lines.join('\n'), traceSha256, virtualMs, runs, faults, violations };
}

/** What shows the same again: the command, or the call when the command has no word for it. */
function againOf({ nodes, seed, faults = true, fenceCheck = true, without = [], conductors }: SimulateOptions): string {
  if (fenceCheck && without.length === 0 && conductors === undefined)
    return `bessemer sim --nodes ${nodes} --seed ${seed}${faults ? '' : ' --no-faults'}`;
  return `simulate(${JSON.stringify({ nodes, seed, faults, fenceCheck, without, conductors })})`;
}

function table(head: string, counts: Readonly<Record<string, number>>): string[] {
  const rows = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(head.length, ...rows.map(([name]) => name.length));
  return [
    `${head.padEnd(width)}  count`,
    ...rows.map(([name, count]) => `${name.padEnd(width)}  ${String(count).padStart(5)}`),
  ];
}
