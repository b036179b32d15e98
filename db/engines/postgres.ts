import type { Db } from '../repositories.ts';
import type { OpenOptions } from './options.ts';
export async function openPostgres(_: OpenOptions & { readonly url: string }): Promise<Db> {
  throw new Error('not here yet');
}
