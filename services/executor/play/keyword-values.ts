/** Values of keywords that plays and tasks share. */
import { isAccountName } from '@bessemer/executor-protocol';
import { invalid } from './invalid.ts';
import { type Located, toJson } from './located.ts';

type MapNode = Extract<Located, { kind: 'map' }>;

export function readBoolean(node: Located | undefined, file: string, keyword: string, otherwise: boolean): boolean {
  if (!node) return otherwise;
  if (node.kind === 'scalar') {
    if (typeof node.value === 'boolean') return node.value;
    if (/^(yes|true|on|1)$/i.test(String(node.value))) return true;
    if (/^(no|false|off|0)$/i.test(String(node.value))) return false;
  }
  throw invalid(file, node.line, `'${keyword}' must be true or false`);
}

export function readName(node: Located, file: string, keyword: string): string {
  if (node.kind === 'scalar' && typeof node.value === 'string' && node.value !== '' && !node.value.includes('{{'))
    return node.value;
  throw invalid(file, node.line, `'${keyword}' must be text without templates`);
}

/** `become_user`, else `otherwise`; refuses methods other than sudo. */
export function readBecomeUser(item: MapNode, file: string, otherwise: string): string {
  const method = item.entries.get('become_method');
  if (method && readName(method, file, 'become_method') !== 'sudo')
    throw invalid(file, method.line, "become_method must be 'sudo', the only one supported");
  const user = item.entries.get('become_user');
  if (!user) return otherwise;
  const name = readName(user, file, 'become_user');
  if (!isAccountName(name)) throw invalid(file, user.line, `'${name}' is no account name`);
  return name;
}

/** Tags select nothing here, so every task runs; `never` means the opposite. */
export function refuseNeverTag(item: MapNode, file: string): void {
  const tags = item.entries.get('tags');
  if (!tags) return;
  const names = [toJson(tags)].flat().flatMap((tag) => String(tag).split(','));
  if (names.some((tag) => tag.trim() === 'never'))
    throw invalid(file, tags.line, "the tag 'never' is not supported: all tasks of a play run");
}
