/**
 * What a parser of this package answers: a value, or what is wrong and where. Parsers never throw on hostile input.
 */
export interface FormatError {
  /** MALFORMED: the bytes are wrong. UNSUPPORTED: well formed, not handled. LIMIT: larger than allowed. NO_ROOM: it does not fit. */
  readonly code: 'MALFORMED' | 'UNSUPPORTED' | 'LIMIT' | 'NO_ROOM';
  /** One sentence for an operator: what was wrong, where, what to do. */
  readonly message: string;
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: FormatError };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });

export const fail = (code: FormatError['code'], message: string): { ok: false; error: FormatError } => ({
  ok: false,
  error: { code, message },
});

/** A write of whole sectors: `data.length` and `offset` are multiples of the sector size. */
export interface SectorWrite {
  /** Byte offset on the disk. */
  readonly offset: number;
  readonly data: Uint8Array;
}
