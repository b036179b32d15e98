/** Shards: parts of the nodes, each for a client of its own. */
import type { CommandSpec } from '../command.ts';
import { from } from './options.ts';

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'shard list',
    summary: 'List shards, with the number of nodes in each',
    shows: 'list',
    load: from(() => import('../commands/shard.ts'), 'listShards'),
  },
];
