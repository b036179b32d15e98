/** Traits of nodes and of runbooks. */
import { isOn, type Run } from '../command.ts';
import { CliError, usageError } from '../errors.ts';
import type { Value } from '../output/python.ts';
import { listOf, record, type Record_ } from './values.ts';

type Collection = 'nodes' | 'runbooks';
const pathOf = (collection: Collection, owner: string): string =>
  `/v1/${collection}/${encodeURIComponent(owner)}/traits`;

const list =
  (collection: Collection): Run =>
  async ({ args, api }) => {
    const traits = record(await api.get(pathOf(collection, args[0]!)))['traits'];
    const items = Array.isArray(traits) ? traits.map((trait: Value): Record_ => ({ traits: trait })) : [];
    return listOf(items, ['traits']);
  };

/** A request for each trait; goes on after a failure. */
const each =
  (collection: Collection, method: 'PUT' | 'DELETE', words: { readonly done: string; readonly verb: string }): Run =>
  async ({ args, api, io }) => {
    const [owner, ...traits] = args;
    let failed = 0;
    for (const trait of traits) {
      try {
        await api.request(method, `${pathOf(collection, owner!)}/${encodeURIComponent(trait)}`);
        io.out(`${words.done} trait ${trait}\n`);
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        failed += 1;
        io.err(`Failed to ${words.verb} trait ${trait}: ${error.message}\n`);
      }
    }
    return failed === 0 ? 0 : 1;
  };

const removeFrom = (collection: Collection): Run => {
  const removeEach = each(collection, 'DELETE', { done: 'Removed', verb: 'remove' });
  return async (invocation) => {
    const { spec, args, options, api, io } = invocation;
    const isAll = isOn(options, 'all');
    if (isAll === args.length > 1)
      throw usageError(`baremetal ${spec.name}: name the traits to remove, or give --all, and not both.`);
    if (!isAll) return removeEach(invocation);
    await api.request('DELETE', pathOf(collection, args[0]!));
    if (collection === 'runbooks') io.out(`Removed all traits from runbook ${args[0]}\n`);
    return undefined;
  };
};

const ADD = { done: 'Added', verb: 'add' };
export const listNodeTraits = list('nodes');
export const addNodeTraits = each('nodes', 'PUT', ADD);
export const removeNodeTraits = removeFrom('nodes');
export const listRunbookTraits = list('runbooks');
export const addRunbookTraits = each('runbooks', 'PUT', ADD);
export const removeRunbookTraits = removeFrom('runbooks');
