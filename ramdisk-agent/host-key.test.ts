import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@bessemer/ports/testing';
import { afterAll, expect, test } from 'vitest';
import { createHostKey } from './host-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'host-key-'));
afterAll(() => rmSync(folder, { recursive: true }));

// ssh-keygen is the judge: it reads the private file and derives the public half by itself.
test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('OpenSSH reads the key (comment of %i characters, all paddings)', (length) => {
  const comment = 'c'.repeat(length);
  const key = createHostKey(seededRandom(length), comment);
  const file = join(folder, `key-${length}`);
  writeFileSync(file, key.privatePem, { mode: 0o600 });
  const [type, base64, said = ''] = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' })
    .trim()
    .split(' ');
  expect(`${type} ${base64}`).toBe(key.public);
  expect(said).toBe(comment);
});

test('two keys differ, the same chance gives the same key', () => {
  expect(createHostKey(seededRandom(1)).public).not.toBe(createHostKey(seededRandom(2)).public);
  expect(createHostKey(seededRandom(1))).toEqual(createHostKey(seededRandom(1)));
});
