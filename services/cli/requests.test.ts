/**
 * Every command line of the fixture, run against a small server that keeps the requests and answers as the recorded service did.
 * `testdata/requests.json` was recorded from python-ironicclient 5.0.1 and its successor that knows versions up to 1.115: requests,
 * and, as far as both write the same table, the output. `differs` says where this program does it otherwise, and why.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RecordingServer, recordingServer, runOn } from './testing.ts';

type Recorded = [method: string, path: string, body: unknown, status: number, answer: string];
interface Case {
  readonly argv: readonly string[];
  readonly requests: readonly Recorded[];
  readonly files?: Readonly<Record<string, string>>;
  readonly out?: string;
  readonly differs?: string;
}
const fixture = JSON.parse(readFileSync(new URL('testdata/requests.json', import.meta.url), 'utf8')) as {
  readonly answers: Readonly<Record<string, unknown>>;
  readonly cases: readonly Case[];
};

/** Path and query without what may be written in two ways: the order of the query and escapes. */
function canonical(path: string): string {
  const url = new URL(path, 'http://x');
  const query = [...url.searchParams].map(([key, value]) => `${key}=${value}`).toSorted();
  return `${decodeURIComponent(url.pathname)}${query.length > 0 ? `?${query.join('&')}` : ''}`;
}
/** The entries of a change touch different fields, so their order means nothing. */
const sorted = (body: unknown): unknown =>
  Array.isArray(body) && body.every((e: { path?: unknown }) => typeof e?.path === 'string')
    ? (body as Array<{ path: string }>).toSorted((a, b) => (a.path < b.path ? -1 : 1))
    : body;
const shape = ([method, path, body]: readonly [string, string, unknown, ...unknown[]]) => [
  method,
  canonical(path),
  sorted(body ?? null),
];

let server: RecordingServer;
let answers: readonly Recorded[] = [];
beforeAll(async () => {
  server = await recordingServer((_method, _path, index) => {
    const [, , , status, key] = answers[index] ?? ['', '', null, 404, 'empty'];
    return { status, body: fixture.answers[key] };
  });
});
afterAll(() => server.close());

async function run({ argv, requests, files }: Case) {
  server.seen.length = 0;
  answers = requests;
  return runOn(server, argv, files);
}

describe("requests and output, beside those of Ironic's client", () => {
  it.each(fixture.cases.map((c) => [c.argv.join(' '), c] as const))('%s', async (_line, recorded) => {
    const ran = await run(recorded);
    expect(ran.code, ran.err).toBe(0);
    expect(server.seen.map(shape)).toEqual(recorded.requests.map(shape));
    if (recorded.out !== undefined) expect(ran.out).toBe(recorded.out);
  });
});
