/** Whatever is asked, the answer is one of the specification's, and a refusal says what was wrong. */
import { OPERATIONS, type OperationSpec } from '@bessemer/api-spec';
import { seededRandom } from '@bessemer/ports/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DrawnRequest, requestOf } from './request-arbitrary.ts';
import { startApi, type TestApi, type TestReply } from './testing.ts';
import { answerEverything, makeThings } from './things-testing.ts';

const RUNS = 40;
/** The same requests each time: one that fails is found again. */
const SEED = 20260101;

let api: TestApi;
const random = seededRandom(51);
beforeAll(async () => {
  api = await startApi();
  answerEverything(api);
});
afterAll(() => api.stop());

/** What a text for people never holds. */
const UNREADABLE =
  /\[object |undefined|NaN\b|\bat .*\.ts:\d|SQLITE|syntax error|constraint failed|Error:|^Request not acceptable\.$/;

function check(operation: OperationSpec, drawn: DrawnRequest, reply: TestReply): void {
  const what = `${operation.operationId} ${JSON.stringify(drawn).slice(0, 600)} -> ${reply.status} ${reply.text.slice(0, 400)}`;
  // 503 is a conductor or a database that cannot answer now: the specification has it.
  if (reply.status >= 500) expect(reply.status, what).toBe(503);
  if (reply.status < 400) return;
  const fault = reply.fault ?? String(reply.json['faultstring'] ?? '');
  expect(fault.length, what).toBeGreaterThan(15);
  expect(fault.length, what).toBeLessThan(1_600);
  const sent = `${drawn.path}${drawn.body ?? ''}${drawn.query.flat().join()}`;
  if (!UNREADABLE.test(sent)) expect(fault, what).not.toMatch(UNREADABLE);
}

async function ask(operation: OperationSpec, drawn: DrawnRequest): Promise<TestReply> {
  const query = new URLSearchParams(drawn.query.map(([name, value]): [string, string] => [name, value]));
  // A stream that is followed has no end.
  if (operation.operationId === 'streamEvents') query.set('follow', 'false');
  return api.request(operation.method, `${drawn.path}${query.size > 0 ? `?${query}` : ''}`, {
    headers: drawn.headers,
    ...(drawn.body === undefined ? {} : { body: drawn.body }),
  });
}

describe('requests drawn from the specification', () => {
  it.each(OPERATIONS.map((operation) => ({ operation, name: operation.operationId })))(
    '$name',
    async ({ operation }) => {
      const things = await makeThings(api, random);
      const property = fc.asyncProperty(requestOf(operation, things), async (drawn) =>
        check(operation, drawn, await ask(operation, drawn)),
      );
      await fc.assert(property, { seed: SEED, numRuns: RUNS });
    },
  );
});
