/** Shards. */
import type { Run } from '../command.ts';
import { listOf, record, type Record_ } from './values.ts';

export const listShards: Run = async ({ api }) => {
  const shards = record(await api.get('/v1/shards'))['shards'];
  return listOf(Array.isArray(shards) ? (shards as Record_[]) : [], ['name', 'count']);
};
