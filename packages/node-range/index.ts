/** Names of many nodes in one word: `rack1-[01-40],-rack1-07`. A pure parser; it knows no node. */
export { expand, MAX_NAMES } from './expand.ts';
export type { Expanded, NodeRangeError } from './expand.ts';
