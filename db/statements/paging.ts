/** Keyset paging: a page starts after the row of the marker, whatever has come or gone in between. */
import { isUuid, ServiceError } from '@bessemer/core';
import type { Knex } from 'knex';
import type { Page } from '../repositories.ts';
import { first, param, statementFamily } from './statement.ts';
import type { Builder, Params, Row, Sql } from './statement.ts';

export interface Paging {
  /** Everything that the statement's text depends on. */
  readonly shape: string;
  readonly params: Params;
  apply(query: Knex.QueryBuilder, b: Builder): void;
}

const markers = statementFamily();

/** What is said of a marker that is none, in Ironic's words. @param noun what is listed, as "node". */
export const unknownMarker = (noun: string, marker: string): ServiceError =>
  isUuid(marker)
    ? new ServiceError('NOT_FOUND', `${noun.charAt(0).toUpperCase()}${noun.slice(1)} ${marker} could not be found.`)
    : new ServiceError('INVALID_PARAMETER', `Expected UUID for marker: ${marker.slice(0, 60)}`);

/**
 * Order and start of a page. Nulls come first in ascending order on both engines; the row's id breaks ties.
 * `from` builds the query that finds the marker's row, `columns` maps sort keys to columns.
 * @throws INVALID_PARAMETER for a limit, a sort key or a marker that is none, NOT_FOUND for a marker of nothing.
 */
export async function planPage(
  sql: Sql,
  page: Page,
  table: {
    readonly name: string;
    readonly id: string;
    readonly uuid: string;
    readonly noun: string;
    readonly columns: Readonly<Record<string, string>>;
    from(b: Builder): Knex.QueryBuilder;
  },
): Promise<Paging> {
  if (!Number.isInteger(page.limit) || page.limit < 1)
    throw new ServiceError('INVALID_PARAMETER', `The limit must be a positive integer, not ${page.limit}.`);
  const key = page.sortKey ?? 'id';
  const column = key === 'id' ? table.id : Object.hasOwn(table.columns, key) ? table.columns[key] : undefined;
  if (column === undefined)
    throw new ServiceError('INVALID_PARAMETER', `The sort_key value "${key}" is an invalid field for sorting.`);
  const direction = page.sortDir ?? 'asc';
  if (direction !== 'asc' && direction !== 'desc')
    throw new ServiceError('INVALID_PARAMETER', `The sort_dir must be asc or desc, not "${String(direction)}".`);
  const after = direction === 'asc' ? '>' : '<';

  let marker: Row | undefined;
  if (page.marker !== undefined) {
    const find = markers(`${table.name}|${column}`, (b) =>
      table
        .from(b)
        .where(table.uuid, param('marker'))
        .select(b.knex.ref(table.id).as('id'), b.knex.ref(column).as('value')),
    );
    marker = await first(sql, find, { marker: page.marker.toLowerCase() });
    if (!marker) throw unknownMarker(table.noun, page.marker);
  }
  const byId = column === table.id;
  const value = marker?.['value'] ?? null;
  const start = marker === undefined ? 'start' : value === null ? 'null' : 'value';

  return {
    shape: `${column} ${direction} ${start}`,
    params: {
      limit: page.limit,
      ...(marker ? { markerId: marker['id'] ?? null } : {}),
      ...(start === 'value' && !byId ? { markerValue: value } : {}),
    },
    apply(query, b) {
      if (marker && byId) query.where(table.id, after, param('markerId'));
      else if (start === 'null') {
        query.where((q) => {
          q.where((same) => same.whereNull(column).where(table.id, after, param('markerId')));
          if (direction === 'asc') q.orWhereNotNull(column);
        });
      } else if (start === 'value') {
        query.where((q) => {
          q.where(column, after, param('markerValue')).orWhere((same) =>
            same.where(column, param('markerValue')).where(table.id, after, param('markerId')),
          );
          if (direction === 'desc') q.orWhereNull(column);
        });
      }
      if (!byId) {
        // PostgreSQL would put nulls last; SQLite has them first.
        const nulls = direction === 'asc' ? 'first' : 'last';
        query.orderByRaw(b.engine === 'postgresql' ? `?? ${direction} nulls ${nulls}` : `?? ${direction}`, [column]);
      }
      query.orderBy(table.id, direction);
    },
  };
}

/** `%` and `_` of a search text stand for themselves; used with `like ? escape '\'`. */
export const likePattern = (text: string): string => `%${text.toLowerCase().replaceAll(/[\\%_]/g, (c) => `\\${c}`)}%`;
