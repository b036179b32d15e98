/** Whole-value variables: a text that is exactly `{{ name.key[0] }}` stands for the value; templates elsewhere are refused. */
import type { Json } from '@bessemer/executor-protocol';
import { invalid } from './invalid.ts';
import type { Located } from './located.ts';

/** Marks a reference in a compiled value; the runtime replaces it. */
export const REFERENCE = '$bessemer:var';

export type Path = readonly (string | number)[];

const PATH = /^[A-Za-z_]\w*(?:\.\w+|\[\d+\]|\[(?:'[^'\]]*'|"[^"\]]*")\])*$/;
const PART = /\.(\w+)|\[(\d+)\]|\[(?:'([^'\]]*)'|"([^"\]]*)")\]/g;

/** `reg.results[0]['rc']` as a path, or undefined when it is none. */
export function parsePath(text: string): Path | undefined {
  if (!PATH.test(text)) return undefined;
  const head = /^\w+/.exec(text)![0];
  const parts = [...text.slice(head.length).matchAll(PART)].map((match) =>
    match[2] === undefined ? (match[1] ?? match[3] ?? match[4] ?? '') : Number(match[2]),
  );
  return [head, ...parts];
}

/** The path of a text that is one whole variable; undefined for plain text. Throws PLAY_INVALID for any other template. */
export function wholeVariable(text: string, file: string, line: number): Path | undefined {
  if (!/\{\{|\{%|\{#/.test(text)) return undefined;
  const inner = /^\s*\{\{((?:(?!\}\}).)*)\}\}\s*$/s.exec(text)?.[1]?.trim();
  const path = inner === undefined ? undefined : parsePath(inner);
  if (path) return path;
  throw invalid(
    file,
    line,
    `the template '${text.length > 60 ? `${text.slice(0, 57)}...` : text}' is not supported: a value may be exactly one variable ("{{ name }}", "{{ name.key }}", "{{ item }}", "{{ registered.stdout }}"), without filters and without text around it`,
  );
}

/** A value with its references marked. Throws PLAY_INVALID for templates that are more than a whole variable. */
export function compileValue(located: Located, file: string): Json {
  if (located.kind === 'scalar') {
    if (typeof located.value !== 'string') return located.value;
    const path = wholeVariable(located.value, file, located.line);
    return path ? { [REFERENCE]: path } : located.value;
  }
  if (located.kind === 'list') return located.items.map((item) => compileValue(item, file));
  const entries: [string, Json][] = [];
  for (const [key, value] of located.entries) {
    if (/\{\{|\{%/.test(key) || key === REFERENCE)
      throw invalid(file, value.line, `the key '${key}' holds a template, and keys are taken as they stand`);
    entries.push([key, compileValue(value, file)]);
  }
  return Object.fromEntries(entries);
}
