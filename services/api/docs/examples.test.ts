/** Every example of api-spec/examples, played against a live service: what the documentation shows is what the service answers. */
import { OPERATIONS } from '@bessemer/api-spec';
import { readExamples } from '@bessemer/api-spec/testing';
import { describe, expect, it } from 'vitest';
import { answersOf, withoutChance } from './testing/run.ts';

const FILES = readExamples();

describe('the examples', () => {
  it('show every operation', () => {
    const shown = new Set(FILES.flatMap((file) => file.examples.map((example) => example.operation)));
    const missing = OPERATIONS.map((o) => o.operationId).filter((id) => !shown.has(id));
    expect(missing, 'write an example into api-spec/examples, then: node tools/gen-api.ts --examples').toEqual([]);
  });

  it.each(FILES.map((file) => [file.name, file] as const))('of %s are true', async (_name, file) => {
    const live = withoutChance(await answersOf(file));
    const written = withoutChance(file.examples);
    for (const [i, { operation, path }] of file.examples.entries())
      expect(written[i], `${operation} ${path}: if the service is right: node tools/gen-api.ts --examples`).toEqual(
        live[i],
      );
  });

  it('take what chance draws for equal, and nothing else', () => {
    const uuids = ['0f6a2d35-0000-4000-8000-000000000001', '0f6a2d35-0000-4000-8000-000000000002'] as const;
    const answer = (first: string, second: string) => [{ status: 200, body: { a: first, b: [second, first] } }];
    expect(withoutChance(answer(uuids[0], uuids[1]))).toEqual(withoutChance(answer(uuids[1], uuids[0])));
    expect(withoutChance(answer(uuids[0], uuids[0]))).not.toEqual(withoutChance(answer(uuids[1], uuids[0])));
    expect(withoutChance(answer('a', 'b'))).not.toEqual(withoutChance(answer('b', 'a')));
  });
});
