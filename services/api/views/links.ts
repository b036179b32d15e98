import type { JsonObject } from '@bessemer/core';

/** `self` and `bookmark` of a resource; `base` has no trailing slash. */
export function linksTo(base: string, path: string): JsonObject[] {
  return [
    { href: `${base}/v1/${path}`, rel: 'self' },
    { href: `${base}/${path}`, rel: 'bookmark' },
  ];
}

export interface PageOptions {
  readonly base: string;
  readonly path: string;
  readonly limit: number;
  readonly query: URLSearchParams;
  /** uuid of the last item; undefined when there is to be no `next`. */
  readonly marker: string | undefined;
}

function nextOf(count: number, options: PageOptions): string | undefined {
  if (count < options.limit || options.marker === undefined) return undefined;
  const query = new URLSearchParams(options.query);
  query.set('limit', String(options.limit));
  query.set('marker', options.marker);
  return `${options.base}/v1/${options.path}?${query}`;
}

/** A page of a list: `next` stands when the page is full. */
export function collection(name: string, items: readonly JsonObject[], options: PageOptions): JsonObject {
  const next = nextOf(items.length, options);
  return { [name]: [...items], ...(next === undefined ? {} : { next }) };
}

/** `,"next":"..."`, or nothing when there is no next page: for lists that are written as text. */
export function nextText(count: number, options: PageOptions): string {
  const next = nextOf(count, options);
  return next === undefined ? '' : `,"next":${JSON.stringify(next)}`;
}
