/** Reads query parameters and list controls the way Ironic does (ironic/api: args, collection). */
import type { Page } from '@bessemer/db';
import { type Json, ServiceError } from '@bessemer/core';
import { inPython } from './python.ts';
import { needsVersion } from './versions.ts';

const TRUE = new Set(['t', 'true', 'on', 'y', 'yes', '1']);
const FALSE = new Set(['f', 'false', 'off', 'n', 'no', '0']);

const shownValue = (value: unknown): string => (typeof value === 'object' ? inPython(value as Json) : String(value));

/** A boolean, or one as text. @throws ServiceError INVALID_PARAMETER. */
export function strictBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  const text = typeof value === 'object' ? '' : String(value).trim().toLowerCase();
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new ServiceError(
    'INVALID_PARAMETER',
    `Invalid ${name}: Unrecognized value '${shownValue(value).slice(0, 60)}', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'`,
  );
}

export function booleanParameter(query: URLSearchParams, name: string): boolean | undefined {
  const value = query.get(name);
  return value === null ? undefined : strictBoolean(name, value);
}

export const textParameter = (query: URLSearchParams, name: string): string | undefined => query.get(name) ?? undefined;

/** limit, marker, sort_key, sort_dir. `sortKeys` are the wire names that may be sorted by, `others` those that may not. */
export function pageOf(
  query: URLSearchParams,
  maxLimit: number,
  sortKeys: readonly string[],
  others: readonly string[] = [],
): Page {
  const limitText = query.get('limit');
  let limit = maxLimit;
  if (limitText !== null) {
    if (!/^\s*[+-]?\d+\s*$/.test(limitText))
      throw new ServiceError('INVALID_PARAMETER', `Expected an integer for limit: ${limitText.slice(0, 40)}`);
    if (Number(limitText) <= 0) throw new ServiceError('INVALID_PARAMETER', 'Limit must be positive');
    limit = Math.min(maxLimit, Number(limitText));
  }
  const sortDir = query.get('sort_dir') ?? 'asc';
  if (sortDir !== 'asc' && sortDir !== 'desc')
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Invalid sort direction: ${sortDir.slice(0, 40)}. Acceptable values are 'asc' or 'desc'`,
    );
  const sortKey = query.get('sort_key') || 'id';
  if (sortKey !== 'id' && !sortKeys.includes(sortKey))
    throw new ServiceError(
      'INVALID_PARAMETER',
      // Ironic quotes what it never heard of, and only that.
      `The sort_key value ${others.includes(sortKey) ? sortKey : `"${sortKey.slice(0, 60)}"`} is an invalid field for sorting`,
    );
  const marker = query.get('marker') ?? undefined;
  return { limit, sortDir, ...(sortKey === 'id' ? {} : { sortKey }), ...(marker === undefined ? {} : { marker }) };
}

/**
 * The columns asked for by `fields=`, else by `detail`, else the summary.
 * @throws ServiceError INVALID_PARAMETER for unknown fields and for fields together with detail; NOT_ACCEPTABLE for a field of a later version.
 */
export function fieldsOf(
  query: URLSearchParams,
  isDetail: boolean,
  table: {
    summary: readonly string[];
    all: readonly string[];
    since: (field: string) => number;
    /** What is said of fields that there are not. */
    unknown?: (fields: readonly string[]) => string;
    /** What is said of fields together with detail. */
    refusal?: string;
  },
  minor: number,
): { fields: readonly string[]; isExplicit: boolean } {
  const asked = query.get('fields');
  const detail = booleanParameter(query, 'detail') ?? false;
  if (asked !== null && (detail || isDetail))
    throw new ServiceError(
      'INVALID_PARAMETER',
      table.refusal ?? 'Can not specify ?detail=True and fields in the same request.',
    );
  const allowed = table.all.filter((f) => table.since(f) <= minor);
  if (asked === null) {
    const wanted = detail || isDetail ? allowed : table.summary.filter((f) => table.since(f) <= minor);
    return { fields: wanted, isExplicit: false };
  }
  const fields = [
    ...new Set(
      asked
        .split(',')
        .map((f) => f.trim().toLowerCase())
        .filter((f) => f !== ''),
    ),
  ];
  const unknown = fields.filter((f) => !table.all.includes(f) && f !== 'links');
  if (unknown.length > 0)
    throw new ServiceError(
      'INVALID_PARAMETER',
      table.unknown?.(unknown) ?? `Field(s) "${unknown.map((f) => f.slice(0, 60)).join(', ')}" are not valid`,
    );
  for (const field of fields) if (field !== 'links') needsVersion(`The field ${field}`, table.since(field), minor);
  return { fields: fields.filter((f) => f !== 'links'), isExplicit: true };
}
