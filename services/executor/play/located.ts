/** YAML as plain values that still know their lines. Bounded in size and depth; YAML 1.1, as Ansible reads it. */
import type { Json } from '@bessemer/executor-protocol';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type Document } from 'yaml';
import { invalid } from './invalid.ts';

export type Located =
  | { readonly kind: 'scalar'; readonly line: number; readonly value: null | boolean | number | string }
  | { readonly kind: 'list'; readonly line: number; readonly items: readonly Located[] }
  | { readonly kind: 'map'; readonly line: number; readonly entries: ReadonlyMap<string, Located> };

const MAX_NODES = 100_000;
const MAX_DEPTH = 60;

/** Parses one document. Throws PLAY_INVALID with file and line. */
export function parseLocated(text: string, file: string): Located {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.1', lineCounter: lines, merge: true, prettyErrors: false });
  const lineAt = (offset: number | undefined) => (offset === undefined ? 1 : lines.linePos(offset).line);
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) throw invalid(file, lineAt(problem.pos[0]), `this is no valid YAML: ${problem.message}`);
  if (document.contents === null) throw invalid(file, 1, 'the playbook is empty');
  let nodes = 0;

  function convert(node: Node | null, depth: number, doc: Document): Located {
    const line = lineAt(node?.range?.[0]);
    if (++nodes > MAX_NODES)
      throw invalid(file, line, `the playbook has more than ${MAX_NODES} values (aliases counted)`);
    if (depth > MAX_DEPTH) throw invalid(file, line, `the playbook is nested deeper than ${MAX_DEPTH} levels`);
    if (isAlias(node)) return convert(node.resolve(doc) ?? null, depth + 1, doc);
    if (isScalar(node) || node === null) return { kind: 'scalar', line, value: scalarValue(node) };
    if (isSeq(node))
      return { kind: 'list', line, items: node.items.map((item) => convert(item as Node | null, depth + 1, doc)) };
    if (!isMap(node)) throw invalid(file, line, 'a value of this kind is not supported');
    const entries = new Map<string, Located>();
    const merged = new Map<string, Located>();
    for (const pair of node.items) {
      const key = pair.key as Node;
      const value = convert(pair.value as Node | null, depth + 1, doc);
      const name = isScalar(key) ? String(key.source ?? key.value) : undefined;
      if (name === undefined) throw invalid(file, lineAt(key.range?.[0]), 'a key must be plain text');
      if (name !== '<<') entries.set(name, value);
      else
        for (const source of value.kind === 'list' ? value.items : [value])
          if (source.kind === 'map') for (const [k, v] of source.entries) if (!merged.has(k)) merged.set(k, v);
    }
    for (const [k, v] of merged) if (!entries.has(k)) entries.set(k, v);
    const first = node.items[0]?.key as Node | undefined;
    return { kind: 'map', line: lineAt((first ?? node).range?.[0]), entries };
  }
  return convert(document.contents, 0, document);
}

function scalarValue(node: { value?: unknown; source?: string } | null): null | boolean | number | string {
  const value = node?.value;
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  // Dates, big integers and infinities are kept as they are written.
  return node?.source ?? String(value);
}

/** The plain value. */
export function toJson(located: Located): Json {
  if (located.kind === 'scalar') return located.value;
  if (located.kind === 'list') return located.items.map(toJson);
  return Object.fromEntries([...located.entries].map(([key, value]) => [key, toJson(value)]));
}
