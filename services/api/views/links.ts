import type { JsonObject } from '@bessemer/core';

/** `self` and `bookmark` of a resource; `base` has no trailing slash. */
export function linksTo(base: string, path: string): JsonObject[] {
  return [
    { href: `${base}/v1/${path}`, rel: 'self' },
    { href: `${base}/${path}`, rel: 'bookmark' },
  ];
}

/** A page of a list: `next` stands when the page is full. */
export function collection(
  name: string,
  items: readonly JsonObject[],
  options: { base: string; path: string; limit: number; query: URLSearchParams; marker: string | undefined },
): JsonObject {
  const body: JsonObject = { [name]: [...items] };
  if (items.length < options.limit || options.marker === undefined) return body;
  const query = new URLSearchParams(options.query);
  query.set('limit', String(options.limit));
  query.set('marker', options.marker);
  body['next'] = `${options.base}/v1/${options.path}?${query}`;
  return body;
}
