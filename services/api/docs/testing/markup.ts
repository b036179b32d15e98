/** Reads the HTML of the pages, strictly: what browsers would forgive is an error here. */

export interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
}

const VOID = new Set(['meta', 'link', 'input', 'br', 'hr', 'img', 'wbr']);
const TAG = /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"<>]*")?)*)\s*>/y;
const ATTRIBUTE = /([a-z-]+)(?:="([^"]*)")?/g;
const TEXT = /(?:[^<>&]|&(?:amp|lt|gt|quot|#39);)+/y;
/** Inside these, an element of the same kind may not stand, or only these may. */
const NOT_IN: Readonly<Record<string, readonly string[]>> = {
  a: ['a'],
  p: ['p', 'h1', 'h2', 'h3', 'table', 'ul', 'dl', 'div', 'figure', 'section', 'article', 'details'],
};

const unescaped = (text: string) =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');

/** All elements of a page in order. @throws Error with the place of whatever is not well formed. */
export function elementsOf(page: string): Element[] {
  const doctype = '<!doctype html>';
  if (!page.startsWith(doctype)) throw new Error('there is no doctype');
  const elements: Element[] = [];
  const open: string[] = [];
  let at = doctype.length;
  while (at < page.length) {
    TEXT.lastIndex = at;
    const text = TEXT.exec(page);
    if (text) {
      at = TEXT.lastIndex;
      continue;
    }
    TAG.lastIndex = at;
    const tag = TAG.exec(page);
    if (!tag) throw new Error(`neither text nor a tag: ${page.slice(at, at + 80)}`);
    at = TAG.lastIndex;
    const [, slash, name, inside] = tag as unknown as [string, string, string, string];
    if (slash === '/') {
      const last = open.pop();
      if (last !== name) throw new Error(`</${name}> closes <${last}>: ${page.slice(at - 120, at)}`);
      continue;
    }
    for (const [outer, refused] of Object.entries(NOT_IN))
      if (refused.includes(name) && open.includes(outer))
        throw new Error(`<${name}> in <${outer}>: ${page.slice(at - 80, at + 40)}`);
    const attributes = new Map<string, string>();
    for (const [, key, value] of inside.matchAll(ATTRIBUTE)) {
      if (attributes.has(key!)) throw new Error(`<${name}> has ${key} twice`);
      attributes.set(key!, unescaped(value ?? ''));
    }
    elements.push({ name, attributes });
    if (!VOID.has(name)) open.push(name);
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join(' ')}`);
  return elements;
}
