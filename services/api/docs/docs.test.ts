/** The pages as they are served: well formed, complete, with every link leading somewhere and nothing from elsewhere. */
import { OPERATIONS, readDocument } from '@bessemer/api-spec';
import { readExamples } from '@bessemer/api-spec/testing';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServiceError } from '@bessemer/core';
import { startApi, type TestApi } from '../testing.ts';
import { html, jsonHtml } from './html.ts';
import { type ExampleDoc, type Model, object, readModel } from './model.ts';
import { curlOf } from './operation.ts';
import { type Element, elementsOf } from './testing/markup.ts';

/** Nobody gets in. */
const closed = {
  strategy: 'http_basic',
  challenge: 'Basic realm="x"',
  check: async () => {
    throw new ServiceError('NOT_AUTHENTICATED', 'no');
  },
} as const;

let api: TestApi;
let model: Model;
let pages: ReadonlyMap<string, readonly Element[]>;
beforeAll(async () => {
  api = await startApi({ authenticator: closed });
  model = readModel(await readDocument());
  const paths = ['/docs', '/docs/', ...model.sections.map((section) => `/docs/${section.slug}`)];
  const entries = paths.map(async (path) => [path, elementsOf(await (await fetch(api.url + path)).text())] as const);
  pages = new Map(await Promise.all(entries));
});
afterAll(() => api.stop());

const all = (elements: readonly Element[], attribute: string) =>
  elements.flatMap((element) => element.attributes.get(attribute) ?? []);

describe('the pages', () => {
  it('show every operation, with an example', () => {
    const shown = [...pages].flatMap(([, elements]) =>
      all(
        elements.filter((e) => e.name === 'article'),
        'id',
      ),
    );
    expect(shown.toSorted()).toEqual(OPERATIONS.map((o) => o.operationId).toSorted());
    for (const { operations } of model.sections)
      for (const { id, examples } of operations) expect(examples.length, id).toBeGreaterThan(0);
  });

  it('have each id once', () => {
    for (const [path, elements] of pages) {
      const ids = all(elements, 'id');
      expect(ids.length, path).toBe(new Set(ids).size);
    }
  });

  it('link to what is there', async () => {
    const other = new Set<string>();
    const idsOf = new Map([...pages].map(([path, elements]) => [path, new Set(all(elements, 'id'))]));
    for (const [path, elements] of pages)
      for (const href of [...all(elements, 'href'), ...all(elements, 'src')]) {
        if (href.startsWith('data:')) continue;
        const { origin, pathname, hash } = new URL(href, api.url + path);
        if (origin !== api.url) expect.fail(`${path}: ${href} is elsewhere`);
        const target = idsOf.get(pathname);
        if (!target) other.add(pathname);
        else if (hash !== '' && !target.has(hash.slice(1))) expect.fail(`${path}: ${href} leads nowhere`);
      }
    expect([...other].toSorted()).toEqual(['/docs/docs.css', '/docs/docs.js', '/docs/openapi.json']);
    for (const path of other) expect((await fetch(api.url + path)).status, path).toBe(200);
  });

  it('hold no script and no style of their own, and ask no other place', async () => {
    for (const [path, elements] of pages) {
      expect(
        elements.filter(
          (e) => e.name === 'style' || [...e.attributes.keys()].some((a) => a === 'style' || a.startsWith('on')),
        ),
        path,
      ).toEqual([]);
      for (const script of elements.filter((e) => e.name === 'script')) expect(script.attributes.has('src')).toBe(true);
    }
    for (const path of ['/docs/docs.css', '/docs/docs.js'])
      expect(await (await fetch(api.url + path)).text()).not.toMatch(/https?:|@import|url\(/);
  });

  it('have a name for every field of input, and a language', () => {
    for (const [, elements] of pages) {
      expect(all(elements, 'lang')).toEqual(['en']);
      const at = elements.findIndex((e) => e.name === 'input');
      expect(elements.slice(0, at).findLast((e) => e.name === 'label')).toBeDefined();
    }
  });
});

describe('serving', () => {
  it('needs no login, and lets nothing in from elsewhere', async () => {
    const reply = await fetch(`${api.url}/docs`);
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = reply.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect((await fetch(`${api.url}/v1/nodes`)).status).toBe(401);
  });

  it('answers 304 to who has it, and HEAD as GET without a body', async () => {
    for (const path of ['/docs', '/docs/nodes', '/docs/openapi.json', '/docs/docs.js']) {
      const get = await fetch(api.url + path);
      const text = await get.text();
      const tag = get.headers.get('etag')!;
      const again = await fetch(api.url + path, { headers: { 'If-None-Match': `"x", ${tag}` } });
      expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', tag]);
      const head = await fetch(api.url + path, { method: 'HEAD' });
      expect([head.status, await head.text(), head.headers.get('etag')]).toEqual([200, '', tag]);
      expect(Number(head.headers.get('content-length'))).toBe(Buffer.byteLength(text));
      expect(head.headers.get('cache-control')).toContain('max-age');
    }
  });

  it('knows no other page, and no other method', async () => {
    for (const path of ['/docs/nope', '/docs/nodes/', '/docs/docs.test.ts'])
      expect((await api.request('GET', path)).status, path).not.toBe(200);
    const post = await fetch(`${api.url}/docs`, { method: 'POST' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('takes the document at any version of the API', async () => {
    for (const version of [1, 90, 91, 115]) {
      const reply = await api.request('GET', '/docs/openapi.json', { version });
      expect(reply.status).toBe(200);
      expect(reply.json['openapi']).toBe('3.1.0');
    }
  });
});

describe('the document', () => {
  it('has every example in its place, and each fits its schema', async () => {
    const document = JSON.parse(await readDocument());
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(document, 'document');
    const compiled = new Map<string, ReturnType<typeof ajv.compile>>();
    const validatorOf = (schema: unknown) => {
      const text = JSON.stringify(schema).replaceAll('"#/', '"document#/');
      const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text));
      compiled.set(text, validate);
      return validate;
    };
    let bodies = 0;
    const check = (holder: unknown, where: string) => {
      for (const media of Object.values(object(object(holder)['content'])).map(object))
        for (const [name, example] of Object.entries(object(media['examples']))) {
          const validate = validatorOf(media['schema']);
          expect(validate(object(example)['value']), `${where} ${name}: ${ajv.errorsText(validate.errors)}`).toBe(true);
          bodies++;
        }
    };
    for (const item of Object.values(object(document['paths'])))
      for (const operation of Object.values(object(item)).map(object)) {
        check(operation['requestBody'], String(operation['operationId']));
        for (const response of Object.values(object(operation['responses'])))
          check(response, String(operation['operationId']));
      }
    expect(bodies).toBeGreaterThan(150);
  });

  it('shows what the files of examples hold', () => {
    const shown = new Map(model.sections.flatMap((s) => s.operations).map((o) => [o.id, o.examples]));
    for (const example of readExamples().flatMap((file) => file.filled)) {
      const found = shown
        .get(example.operation)!
        .find((e) => e.path === example.path && e.summary === (example.say ?? e.summary));
      expect(found, example.path).toBeDefined();
      expect(found!.status).toBe(example.status);
      expect(found!.request).toEqual(example.request);
      expect(found!.answer).toEqual(example.body);
    }
  });
});

describe('text on a page', () => {
  it('is never markup', () => {
    const evil = `<img src=x onerror="a('b')">&`;
    expect(html`<p title="${evil}">${[evil]}</p>`.text).toBe(
      '<p title="&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;">&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;</p>',
    );
    const page = `<!doctype html>${jsonHtml({ [evil]: [evil, 1, -2.5e3, true, null] }).text}`;
    expect(new Set(elementsOf(page).map((e) => e.name))).toEqual(new Set(['span']));
  });

  it('is a request that a shell takes as one', () => {
    const example: ExampleDoc = {
      summary: '',
      path: "/v1/nodes?a=1&b=it's",
      send: { 'If-Match': '"x"' },
      version: 50,
      cli: undefined,
      request: { reason: "it's" },
      status: 200,
      headers: {},
      answer: undefined,
    };
    expect(curlOf({ method: 'PUT' }, example)).toBe(
      [
        `curl -X PUT 'http://127.0.0.1:6385/v1/nodes?a=1&b=it'\\''s'`,
        `  -H 'X-OpenStack-Ironic-API-Version: 1.50'`,
        `  -H 'Content-Type: application/json'`,
        `  -H 'If-Match: "x"'`,
        `  -d '{"reason":"it'\\''s"}'`,
      ].join(' \\\n'),
    );
  });
});
