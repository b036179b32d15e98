/** Values as YAML 1.1, the version that Python writes and reads. */
import { Float, str, type Value } from './python.ts';

/** Texts that YAML 1.1 reads as something else: a boolean, null, a number, a date, a merge key. */
const READ_OTHERWISE: readonly RegExp[] = [
  /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF|~|null|Null|NULL|<<|=|)$/,
  /^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*(?::[0-5]?[0-9])*|0x[0-9a-fA-F_]+)$/,
  /^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|\.(?:inf|Inf|INF))$/,
  /^\.(?:nan|NaN|NAN)$/,
  /^\d{4}-\d\d-\d\d$/,
  /^\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?$/,
];
/** Texts whose characters mean something where they stand. */
const HAS_INDICATOR = /^[#,[\]{}&*!|>'"%@`]|^[-?:](?:\s|$)|^(?:---|\.\.\.)|:(?:\s|$)|\s#|^\s|\s$/;

/** Characters that Python escapes unless it is told that its reader knows Unicode. */
const ESCAPED = /[^\x20-\x7e]/;
const SHORT: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\x1b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\x85': '\\N',
  '\xa0': '\\_',
  '\u2028': '\\L',
  '\u2029': '\\P',
};
function doubleQuoted(text: string): string {
  const escaped = text.replace(/["\\]|[^\x20-\x7e]/gu, (character) => {
    const short = SHORT[character];
    if (short) return short;
    const code = character.codePointAt(0)!;
    const hex = code.toString(16).toUpperCase();
    if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
  });
  return `"${escaped}"`;
}

function scalar(value: Value): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value !== 'string') return str(value);
  if (ESCAPED.test(value)) return doubleQuoted(value);
  if (HAS_INDICATOR.test(value) || READ_OTHERWISE.some((form) => form.test(value)))
    return `'${value.replaceAll("'", "''")}'`;
  return value;
}

/** The lines of a block; objects with their keys in alphabetical order. */
export function yamlLines(value: Value): string[] {
  if (Array.isArray(value))
    return value.length === 0
      ? ['[]']
      : value.flatMap((v) => {
          const [first, ...rest] = yamlLines(v);
          return [`- ${first}`, ...rest.map((l) => `  ${l}`)];
        });
  if (value === null || typeof value !== 'object' || value instanceof Float) return [scalar(value)];
  const entries = Object.entries(value as Record<string, Value>).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return ['{}'];
  return entries.flatMap(([k, v]) => {
    const lines = yamlLines(v);
    const isNested = typeof v === 'object' && v !== null && !(v instanceof Float) && Object.keys(v).length > 0;
    if (!isNested) return [`${scalar(k)}: ${lines[0]}`];
    return [`${scalar(k)}:`, ...lines.map((l) => (Array.isArray(v) ? l : `  ${l}`))];
  });
}
