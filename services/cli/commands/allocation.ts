/** Allocations: a node is asked for, and waited for. */
import { type Invocation, type Run, textOption } from '../command.ts';
import { CliError } from '../errors.ts';
import { bodyOf, createdOf, pathOf, resourceOf } from './resource.ts';
import { record, type Record_ } from './values.ts';

const LOOK_MS = 1_000;

/** Looks until the allocation has its node. @throws CliError when it gets none, or none in time. */
async function waitFor(invocation: Invocation, first: Record_, timeoutS: number): Promise<Record_> {
  const { api, clock, io, spec } = invocation;
  const startedAtMs = clock.now();
  const path = pathOf(resourceOf(spec), String(first['uuid']));
  let item = first;
  for (;;) {
    if (item['state'] === 'active') return item;
    if (item['state'] === 'error')
      throw new CliError(`Allocation ${String(item['uuid'])} failed: ${String(item['last_error'])}`);
    if (io.signal.aborted || (timeoutS > 0 && clock.now() - startedAtMs >= timeoutS * 1000))
      throw new CliError(`Allocation ${String(item['uuid'])} has no node yet.`, {
        hint: `It goes on by itself; see: baremetal allocation show ${String(item['uuid'])}`,
      });
    await clock.sleep(LOOK_MS, io.signal);
    item = record(await api.get(path));
  }
}

export const createAllocation: Run = async (invocation) => {
  const { spec, options, api } = invocation;
  if (textOption(options, 'node') === undefined && textOption(options, 'resourceClass') === undefined)
    throw new CliError('--resource-class is required except when --node is used');
  const resource = resourceOf(spec);
  const created = record(await api.request('POST', resource.path, { body: await bodyOf(invocation) }));
  const timeoutS = options['wait'] as number | undefined;
  return createdOf(resource, timeoutS === undefined ? created : await waitFor(invocation, created, timeoutS));
};
