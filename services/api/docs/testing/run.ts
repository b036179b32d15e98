/** Plays a file of examples against a live service. */
import { OPERATIONS } from '@bessemer/api-spec';
import { type Answer, type Example, type ExampleFile, fill, keepFrom } from '@bessemer/api-spec/testing';
import type { RpcMethods } from '@bessemer/rpc';
import { matchOperation } from '../../http/operations.ts';
import { MAX_MINOR } from '../../http/versions.ts';
import { startExampleWorld } from './world.ts';

/** Headers of an answer that say something about it. */
const TOLD = ['ETag', 'Location', 'Preference-Applied', 'Idempotency-Replayed', 'Allow', 'Content-Type'];
/** So much time passes between two examples. */
const STEP_MS = 7_000;

const methodOf = (example: Example): string => {
  const operation = OPERATIONS.find((o) => o.operationId === example.operation);
  if (!operation) throw new Error(`${example.operation} is no operation of the specification`);
  return operation.method;
};

function headersOf(headers: Headers): Record<string, string> | undefined {
  const told = TOLD.flatMap((name) => {
    const value = headers.get(name);
    return value === null || value === 'application/json' ? [] : [[name, value] as const];
  });
  return told.length > 0 ? Object.fromEntries(told) : undefined;
}

function bodyOf(text: string, type: string | null): unknown {
  if (text === '') return undefined;
  return type?.startsWith('application/json') ? JSON.parse(text) : text;
}

/** What the service answers to each example, in order. @throws Error for one that is not a request of its operation. */
export async function answersOf(file: ExampleFile): Promise<Answer[]> {
  const { api, clock } = await startExampleWorld();
  try {
    const kept = new Map<string, string>();
    const answers: Answer[] = [];
    for (const example of file.examples) {
      await clock.advance(STEP_MS);
      const method = methodOf(example);
      const path = fill(example.path, kept);
      const match = matchOperation(method, path.replace(/\?.*/, ''));
      if (match.kind !== 'found' || match.operation.operationId !== example.operation)
        throw new Error(`${file.name}: ${method} ${path} is not ${example.operation}`);
      for (const [name, result] of Object.entries(example.conductor ?? {}))
        api.answer(name as keyof RpcMethods, result);
      const reply = await api.request(method, path, {
        version: example.version ?? MAX_MINOR,
        ...(example.request === undefined ? {} : { body: example.request }),
        headers: { ...example.send },
      });
      const body = bodyOf(reply.text, reply.headers.get('content-type'));
      keepFrom(example, body, kept);
      const headers = headersOf(reply.headers);
      answers.push({
        status: reply.status,
        ...(headers ? { headers } : {}),
        ...(body === undefined ? {} : { body }),
      });
    }
    return answers;
  } finally {
    await api.stop();
  }
}

const UUID = /\b[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}\b/g;
const TAG = /"\d{1,3}p?-[\w-]{27}"/g;
const SECRET = /\bbsm_[\w-]{43}/g;

/**
 * Answers with what is drawn by lot (UUIDs, tokens) and what is computed from it (entity tags) replaced by its order of appearance, so
 * that two runs can be compared.
 */
export function withoutChance(answers: readonly Answer[]): Answer[] {
  const seen = new Map<string, string>();
  const ordinal = (kind: string) => (value: string) => {
    const known = seen.get(value);
    if (known !== undefined) return known;
    const name = `<${kind} ${seen.size + 1}>`;
    seen.set(value, name);
    return name;
  };
  // A tag stands in JSON text with its quotes escaped.
  const replaced = (text: string) =>
    text.replaceAll(UUID, ordinal('uuid')).replaceAll(SECRET, ordinal('secret')).replaceAll(TAG, ordinal('tag'));
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return replaced(value);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [replaced(key), walk(item)]));
  };
  return answers.map(({ status, headers, body }) => walk({ status, headers, body }) as Answer);
}
