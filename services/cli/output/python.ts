/** JSON values as Python prints them: `str()`, `repr()` and `json.dumps`, which the output of `baremetal` is measured by. */

/** A JSON number written with a point or an exponent: Python keeps `1.0` and `1` apart, JavaScript does not. */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Float
  | readonly Value[]
  | { readonly [key: string]: Value };

/**
 * Parses JSON and keeps what JavaScript's numbers lose: floats that look like integers, and integers above 2^53.
 * @throws SyntaxError as JSON.parse does.
 */
export function parseJson(text: string): Value {
  const revive = (_key: string, value: unknown, context?: { source?: string }): unknown => {
    if (typeof value !== 'number' || context?.source === undefined) return value;
    if (/[.eE]/.test(context.source)) return new Float(value);
    return Number.isSafeInteger(value) ? value : BigInt(context.source);
  };
  return JSON.parse(text, revive) as Value;
}

/** `repr()` of a float. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e16 || size < 1e-4)) return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escapeCode(character: string): string {
  const short = SHORT_ESCAPES[character];
  if (short) return short;
  const code = character.codePointAt(0)!;
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** `repr()` of a string. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll('\\', '\\\\').replaceAll(mark, `\\${mark}`).replace(UNPRINTABLE, escapeCode);
  return `${mark}${escaped}${mark}`;
}

/** `repr(value)`. */
export function repr(value: Value): string {
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  if (typeof value === 'object' && value !== null && !(value instanceof Float))
    return `{${Object.entries(value)
      .map(([k, v]) => `${quote(k)}: ${repr(v)}`)
      .join(', ')}}`;
  return str(value);
}

/** `str(value)`. */
export function str(value: Value): string {
  if (typeof value === 'string') return value;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value instanceof Float) return floatText(value.value);
  return repr(value);
}

const asciiString = (text: string): string =>
  JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** `json.dumps(value, indent=...)`: ASCII only; `indent` undefined gives one line with ", " and ": ". */
export function dumps(value: Value, indent: number | undefined, depth = 0): string {
  if (typeof value === 'string') return asciiString(value);
  if (value instanceof Float) {
    const text = floatText(value.value);
    return { nan: 'NaN', inf: 'Infinity', '-inf': '-Infinity' }[text] ?? text;
  }
  if (value === null || typeof value !== 'object') return String(value);
  const isList = Array.isArray(value);
  const parts = isList
    ? (value as readonly Value[]).map((v) => dumps(v, indent, depth + 1))
    : Object.entries(value).map(([k, v]) => `${asciiString(k)}: ${dumps(v, indent, depth + 1)}`);
  const [open, close] = isList ? ['[', ']'] : ['{', '}'];
  if (parts.length === 0) return `${open}${close}`;
  if (indent === undefined) return `${open}${parts.join(', ')}${close}`;
  const pad = '\n' + ' '.repeat(indent * (depth + 1));
  return `${open}${pad}${parts.join(`,${pad}`)}\n${' '.repeat(indent * depth)}${close}`;
}
