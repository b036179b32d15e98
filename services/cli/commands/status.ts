/** What the service knows beyond Ironic: where a node is, how it came there, and who asks to boot. */
import { type Run, textOption } from '../command.ts';
import { CliError } from '../errors.ts';
import type { Value } from '../output/python.ts';
import { nodePath } from './node.ts';
import { isRecord, listOf, record, type Record_ } from './values.ts';

const time = (value: Value | undefined): string => (typeof value === 'string' ? value : '');

export const why: Run = async ({ args, api }) => {
  const answer = record(await api.get(nodePath(args, '/why')));
  const waiting = answer['waiting_for'];
  const progress = answer['progress'];
  const run = answer['run'];
  const pairs: Array<readonly [string, Value]> = [
    ['provision_state', answer['provision_state'] ?? null],
    ['summary', answer['summary'] ?? null],
  ];
  if (isRecord(run))
    pairs.push(
      ['run', `${time(run['verb'])} ${time(run['id'])}`],
      ['step', run['step'] ?? null],
      ['deadline', run['deadline'] ?? null],
    );
  if (isRecord(waiting)) {
    pairs.push(['waits_for', waiting['what'] ?? null], ['from', waiting['from'] ?? null]);
    pairs.push(['since', waiting['since'] ?? null], ['until', waiting['until'] ?? null]);
    if (waiting['position'] !== null) pairs.push(['position', waiting['position'] ?? null]);
  }
  if (isRecord(progress))
    for (const field of ['phase', 'bytes', 'total_bytes', 'bytes_per_second', 'eta_seconds'])
      if (progress[field] !== null && progress[field] !== undefined) pairs.push([field, progress[field]!]);
  pairs.push(['last_error', answer['last_error'] ?? null], ['what_to_do', answer['what_to_do'] ?? null]);
  return { kind: 'one', pairs };
};

export const timeline: Run = async ({ args, options, api, io }) => {
  const run = textOption(options, 'run');
  const answer = record(await api.get(nodePath(args, '/timeline'), run ? { run } : {}));
  const found = answer['run'];
  if (!isRecord(found))
    throw new CliError(`Nothing was done with node ${args[0]} yet.`, {
      hint: `Next: baremetal node manage ${args[0]}`,
    });
  const phases = (Array.isArray(answer['phases']) ? answer['phases'] : []) as readonly Record_[];
  if (typeof found['error'] === 'string') io.err(`The run failed: ${found['error']}\n`);
  return listOf(phases, ['phase', 'started_at', 'seconds', 'detail'], ['Phase', 'Started At', 'Seconds', 'Detail']);
};

export const unknownMachines: Run = async ({ api }) => {
  const machines = record(await api.get('/v1/unknown_machines'))['machines'];
  return listOf(
    Array.isArray(machines) ? (machines as Record_[]) : [],
    ['mac', 'uuid', 'serial', 'arch', 'platform', 'address', 'first_seen_at', 'last_seen_at', 'requests'],
    ['MAC', 'UUID', 'Serial', 'Arch', 'Platform', 'Address', 'First Seen At', 'Last Seen At', 'Requests'],
  );
};
