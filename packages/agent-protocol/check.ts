/** Small validators for JSON that came from outside. A check throws CheckError; `checked` is the one place that catches it. */

/** What a parser returns: it never throws on bad input. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** Turns an unknown value into a T or throws CheckError. `path` says where in the message the value is. */
export type Check<T> = (value: unknown, path: string) => T;

export class CheckError extends Error {}

/** Runs a check and returns its verdict as a value. */
export function checked<T>(check: Check<T>, value: unknown, path: string): Result<T> {
  try {
    return { ok: true, value: check(value, path) };
  } catch (error) {
    if (error instanceof CheckError) return { ok: false, error: error.message };
    throw error;
  }
}

function fail(path: string, expected: string, value: unknown): never {
  const got =
    value === undefined
      ? 'it is missing'
      : `got ${value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value}`;
  throw new CheckError(`${path}: expected ${expected}, ${got}`);
}

export const text =
  (maxLength: number, minLength = 0): Check<string> =>
  (value, path) => {
    if (typeof value !== 'string') fail(path, 'a string', value);
    if (value.length < minLength) throw new CheckError(`${path}: must have at least ${minLength} characters`);
    if (value.length > maxLength)
      throw new CheckError(`${path}: ${value.length} characters, at most ${maxLength} are allowed`);
    return value;
  };

/** A name that may go into a log line or a file name: letters, digits, `.`, `_`, `:`, `-`. */
export const identifier: Check<string> = (value, path) => {
  const name = text(128, 1)(value, path);
  if (!/^[A-Za-z0-9._:-]+$/.test(name)) throw new CheckError(`${path}: only letters, digits and . _ : - are allowed`);
  return name;
};

export const integer =
  (min: number, max = Number.MAX_SAFE_INTEGER): Check<number> =>
  (value, path) => {
    if (!Number.isSafeInteger(value)) fail(path, 'an integer', value);
    const n = value as number;
    if (n < min || n > max) throw new CheckError(`${path}: ${n} is not between ${min} and ${max}`);
    return n;
  };

export const number: Check<number> = (value, path) =>
  typeof value === 'number' && Number.isFinite(value) ? value : fail(path, 'a finite number', value);

export const boolean: Check<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : fail(path, 'true or false', value);

export const oneOf =
  <const T extends string>(...names: readonly T[]): Check<T> =>
  (value, path) =>
    names.includes(value as T) ? (value as T) : fail(path, `one of ${names.join(', ')}`, value);

export const nullable =
  <T>(check: Check<T>): Check<T | null> =>
  (value, path) =>
    value === null ? null : check(value, path);

export const list =
  <T>(check: Check<T>, maxItems: number): Check<T[]> =>
  (value, path) => {
    if (!Array.isArray(value)) fail(path, 'an array', value);
    if (value.length > maxItems)
      throw new CheckError(`${path}: ${value.length} items, at most ${maxItems} are allowed`);
    return value.map((item, i) => check(item, `${path}[${i}]`));
  };

/** Any JSON object, kept as it is. */
export const jsonObject: Check<JsonObject> = (value, path) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : fail(path, 'an object', value);

const OPTIONAL = Symbol('optional');
type Optional<T> = Check<T | undefined> & { readonly [OPTIONAL]: true };

/** Marks a field that may be left out; only to be used inside `object`. */
export function optional<T>(check: Check<T>): Optional<T> {
  const inner: Check<T | undefined> = (value, path) => (value === undefined ? undefined : check(value, path));
  return Object.assign(inner, { [OPTIONAL]: true as const });
}

type OptionalKeys<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];
type Fields<T> = {
  [K in keyof Required<T>]: K extends OptionalKeys<T> ? Optional<Exclude<T[K], undefined>> : Check<T[K]>;
};

/** An object with these fields. Other fields are dropped, so that a newer peer may send more. */
export const object =
  <T extends object>(fields: Fields<T>): Check<T> =>
  (value, path) => {
    const source = jsonObject(value, path);
    const result: Record<string, unknown> = {};
    for (const [name, check] of Object.entries(fields) as Array<[string, Check<unknown>]>) {
      const field = check(Object.hasOwn(source, name) ? source[name] : undefined, `${path}.${name}`);
      if (field !== undefined) result[name] = field;
    }
    return result as T;
  };

/** An object with at least these fields, whose other fields are kept unchecked. */
export const objectWithRest =
  <T extends object>(fields: Fields<T>): Check<T> =>
  (value, path) => ({ ...jsonObject(value, path), ...object<T>(fields)(value, path) });

/** Limits of one message. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;
export const MAX_DEPTH = 24;

/**
 * Parses JSON from a peer. Refuses more than MAX_MESSAGE_BYTES of UTF-8, nesting deeper than MAX_DEPTH (looked for before
 * the text is parsed), and the key `__proto__` (it would change the prototype of whatever it is copied into).
 */
export function parseJson(source: string): Result<Json> {
  if (source.length > MAX_MESSAGE_BYTES || Buffer.byteLength(source) > MAX_MESSAGE_BYTES)
    return { ok: false, error: `message is larger than ${MAX_MESSAGE_BYTES} bytes` };
  if (nestingOf(source) > MAX_DEPTH) return { ok: false, error: `message is nested deeper than ${MAX_DEPTH} levels` };
  let hostileKey = false;
  try {
    const value = JSON.parse(source, (key, inner: Json) => {
      if (key === '__proto__') hostileKey = true;
      return inner;
    }) as Json;
    return hostileKey ? { ok: false, error: 'message has a key named __proto__' } : { ok: true, value };
  } catch {
    return { ok: false, error: 'message is not JSON' };
  }
}

function nestingOf(source: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < source.length; i++) {
    const c = source.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x5b || c === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (c === 0x5d || c === 0x7d) depth--;
  }
  return deepest;
}
