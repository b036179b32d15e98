import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '@bessemer/ports/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cached, describeFile, keyOf } from './cache.ts';
import type { BuildDeps } from './cache.ts';

let cacheDir: string;
let deps: BuildDeps;
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'bmr-cache-'));
  deps = { cacheDir, clock: new ManualClock() };
});
afterEach(() => rm(cacheDir, { recursive: true }));

const key = keyOf(['a']);
const build =
  (text: string) =>
  async (folder: string): Promise<{ text: string }> => {
    await writeFile(join(folder, 'file'), text);
    return { text };
  };

test('builds once per key', async () => {
  const first = await cached(deps, 'thing', key, build('one'));
  expect(first).toMatchObject({ isCached: false, meta: { text: 'one' } });
  const second = await cached(deps, 'thing', key, build('never'));
  expect(second).toMatchObject({ isCached: true, folder: first.folder, meta: { text: 'one' } });
  expect(await readFile(join(second.folder, 'file'), 'utf8')).toBe('one');
});

test('two at once build once', async () => {
  const phases: string[] = [];
  const told = { ...deps, progress: ({ phase }: { phase: string }) => void phases.push(phase) };
  const entered = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const first = cached(told, 'thing', key, async (folder) => {
    entered.resolve();
    await go.promise;
    return build('first')(folder);
  });
  await entered.promise;
  const waiting = Promise.withResolvers<void>();
  const second = cached(
    { ...deps, progress: ({ phase }) => phase.startsWith('waiting') && waiting.resolve() },
    'thing',
    key,
    build('second'),
  );
  await waiting.promise;
  go.resolve();
  expect((await first).meta.text).toBe('first');
  expect(await second).toMatchObject({ isCached: true, meta: { text: 'first' } });
});

test('a failed build leaves nothing, a killed one is cleared away by the next, and older results go', async () => {
  await expect(
    cached(deps, 'thing', key, async () => {
      throw new Error('no such package');
    }),
  ).rejects.toThrow('no such package');
  expect((await readdir(cacheDir)).filter((name) => name !== '.lock')).toEqual([]);
  await mkdir(join(cacheDir, 'building-thing-killed/deep'), { recursive: true });
  await cached(deps, 'thing', key, build('one'));
  await cached(deps, 'thing-of-another-name', key, build('other'));
  const newer = keyOf(['b']);
  await cached(deps, 'thing', newer, build('two'));
  expect((await readdir(cacheDir)).toSorted()).toEqual(['.lock', `thing-${newer}`, `thing-of-another-name-${key}`]);
});

test('keys differ where the parts differ', () => {
  expect(keyOf(['ab', 'c'])).not.toBe(keyOf(['a', 'bc']));
  expect(keyOf(['a'])).toMatch(/^[0-9a-f]{16}$/);
});

test('describes a file by the SHA-256 of its content (FIPS 180-2, appendix B.1)', async () => {
  const path = join(cacheDir, 'abc');
  await writeFile(path, 'abc');
  expect(await describeFile(path)).toEqual({
    path,
    digest: 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    sizeBytes: 3,
  });
});
