/**
 * The documentation that the service shows of itself, made from the published document when somebody first asks for it: `/docs`, a page per
 * resource, the document. Open to all, as `GET /` is: nothing in it is of this installation. It asks no other place for anything.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readDocument } from '@bessemer/api-spec';
import type { Reply } from '../request.ts';
import { parseEntityTags } from '../http/entity-tags.ts';
import { createFieldWriter, isApart } from './fields.ts';
import { guideHtml } from './guide.ts';
import { html, type Html } from './html.ts';
import { type Model, readModel, type Section } from './model.ts';
import { operationHtml } from './operation.ts';
import { page, type Place } from './page.ts';

const HTML = 'text/html; charset=utf-8';
/** What is not named is not done: no frame, no form, no connection, nothing from elsewhere and nothing inline. */
const POLICY =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface Page {
  readonly type: string;
  readonly text: string;
  readonly tag: string;
}

const pageOf = (type: string, text: string): Page => ({
  type,
  text,
  tag: `"${hash('sha256', text, 'base64url').slice(0, 27)}"`,
});
const readBeside = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

function sectionHtml(model: Model, section: Section, place: Place): Html {
  const fields = createFieldWriter(model);
  const operations = section.operations.map((operation) => operationHtml(operation, fields, place.start));
  // A description may link to more objects: until there is nothing new.
  const objects = new Map<string, Html>();
  for (let more = true; more; ) {
    more = false;
    for (const [name, use] of [...fields.linked])
      if (!objects.has(name) && isApart(model.schemas[name] ?? {})) {
        objects.set(name, fields.table({ $ref: `#/components/schemas/${name}` }, use) ?? html``);
        more = true;
      }
  }
  return html`<h1 class="section">${section.name}</h1>
<p class="lead">${section.description}</p>
${operations}
${[...objects].map(([name, table]) => html`<section class="object" id="object-${name}"><h2><a href="#object-${name}">${name}</a></h2>${table}</section>`)}`;
}

/** All pages by path, each made when it is first asked for. */
function pagesOf(document: string): ReadonlyMap<string, () => Page> {
  const model = readModel(document);
  const css = pageOf('text/css; charset=utf-8', readBeside('docs.css'));
  const js = pageOf('text/javascript; charset=utf-8', readBeside('docs.js'));
  const stamp = `${css.tag}${js.tag}`.replaceAll('"', '').slice(0, 64);
  const start = (folder: string, home: string): Page => {
    const place = { folder, start: home, stamp };
    return pageOf(
      HTML,
      page(model, place, { title: 'Bessemer API', current: undefined, main: guideHtml(model, place) }),
    );
  };
  const place: Place = { folder: '', start: '../docs', stamp };
  const pages: ReadonlyArray<readonly [path: string, make: () => Page]> = [
    ['/docs', () => start('docs/', 'docs')],
    ['/docs/', () => start('', '../docs')],
    ['/docs/openapi.json', () => pageOf('application/json', document)],
    ['/docs/docs.css', () => css],
    ['/docs/docs.js', () => js],
    ...model.sections.map((section) => {
      const title = `${section.name} · Bessemer API`;
      const make = () => page(model, place, { title, current: section, main: sectionHtml(model, section, place) });
      return [`/docs/${section.slug}`, () => pageOf(HTML, make())] as const;
    }),
  ];
  return new Map(pages.map(([path, make]) => [path, once(make)]));
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

export interface Docs {
  /** Whether a path is one of the documentation, there or not. */
  has(path: string): boolean;
  /** The page at a path, 304 when `ifNoneMatch` knows it; undefined when there is none. */
  read(path: string, ifNoneMatch: string | undefined): Promise<Reply | undefined>;
}

/** Reads the document on the first request. */
export function createDocs(): Docs {
  let pages: Promise<ReadonlyMap<string, () => Page>> | undefined;
  async function load() {
    try {
      return pagesOf(await readDocument());
    } catch (error) {
      // A failure is not for ever.
      pages = undefined;
      throw error;
    }
  }
  return {
    has: (path) => path === '/docs' || path.startsWith('/docs/'),
    async read(path, ifNoneMatch) {
      const found = (await (pages ??= load())).get(path)?.();
      if (!found) return undefined;
      const headers = {
        'Content-Type': found.type,
        ETag: found.tag,
        'Cache-Control': 'public, max-age=300',
        'Content-Security-Policy': POLICY,
        'X-Content-Type-Options': 'nosniff',
        'Referrer-Policy': 'no-referrer',
      };
      const known = ifNoneMatch === undefined ? undefined : parseEntityTags(ifNoneMatch);
      if (known === '*' || known?.some((tag) => tag.text === found.tag)) return { status: 304, headers };
      return { status: 200, body: found.text, headers };
    },
  };
}
