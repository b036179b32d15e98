import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { threadedSha256 } from './sha256.ts';

it('gives the digest of the bytes as they were, also of a part of a buffer', async () => {
  const whole = new Uint8Array(3_000_000).map((_, i) => i);
  const part = whole.subarray(4096, 2_000_000);
  const expected = createHash('sha256').update(part).digest('hex');
  const digest = threadedSha256(part);
  part.fill(0);
  expect(await digest).toBe(expected);
});
