/** The command lines beside the examples of the API: each asks the service for what its example shows. */
import { OPERATIONS } from '@bessemer/api-spec';
import { type Example, readExamples } from '@bessemer/api-spec/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RecordingServer, recordingServer, runOn } from './testing.ts';

const EXAMPLES = readExamples().flatMap((file) => file.filled);
const WITH_COMMAND = EXAMPLES.filter((example) => example.cli !== undefined);

const methodOf = ({ operation }: Example) => OPERATIONS.find((o) => o.operationId === operation)!.method;
const pathOf = (path: string) => decodeURIComponent(path.replace(/\?.*/, ''));

/** Words as a shell splits them; of its quotes only the single ones. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ''));

let server: RecordingServer;
let asked: Example;
/** A command may look at something before it does what it is for: it sees what some example shows of the like. */
function seenAt(method: string, path: string): Example | undefined {
  const isOf = (template: string) => new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(pathOf(path));
  const operation = OPERATIONS.find((o) => o.method === method && isOf(o.path));
  return EXAMPLES.find((example) => example.operation === operation?.operationId && example.status < 300);
}
beforeAll(async () => {
  server = await recordingServer((method, path) => {
    const isAsked = methodOf(asked) === method && pathOf(asked.path) === pathOf(path);
    const found = isAsked ? asked : seenAt(method, path);
    return { status: found?.status ?? 404, body: found?.body };
  });
});
afterAll(() => server.close());

describe('the command lines of the examples', () => {
  it.each(WITH_COMMAND.map((example) => [example.cli!, example] as const))('%s', async (line, example) => {
    asked = example;
    server.seen.length = 0;
    const [program, ...words] = wordsOf(line);
    expect(program).toBe('baremetal');
    const { code, err } = await runOn(server, words);
    expect(code, err).toBe(0);
    const own = server.seen.filter(
      ([method, path]) => method === methodOf(example) && pathOf(path) === pathOf(example.path),
    );
    expect(own, JSON.stringify(server.seen)).toHaveLength(1);
    if (example.request !== undefined) expect(own[0]![2]).toEqual(example.request);
    for (const [name, value] of new URL(example.path, 'http://x').searchParams)
      expect(new URL(own[0]![1], 'http://x').searchParams.get(name), name).toBe(value);
  });
});
