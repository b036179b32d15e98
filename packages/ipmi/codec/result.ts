/** The outcome of reading bytes from outside: a value, or a sentence saying what is wrong with them. Never an exception. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function malformed(error: string): { readonly ok: false; readonly error: string } {
  return { ok: false, error };
}
