/** Results of builds, kept by content: a folder per key, made in a temporary place and renamed when complete. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@bessemer/ports';

/** A file that was built. */
export interface BuiltFile {
  readonly path: string;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  readonly sizeBytes: number;
}

/** A sentence about what is being done, and how long it has taken so far. */
export interface BuildProgress {
  readonly build: string;
  readonly phase: string;
  readonly elapsedMs: number;
}
export type OnProgress = (progress: BuildProgress) => void;

/** What every build takes. */
export interface BuildDeps {
  readonly cacheDir: string;
  readonly clock: Clock;
  /** Told at the start of each phase; optional. */
  readonly progress?: OnProgress;
}

export async function describeFile(path: string): Promise<BuiltFile> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return { path, digest: `sha256:${hash.digest('hex')}`, sizeBytes: (await stat(path)).size };
}

/** A short key of whatever decides the content of a build. */
export function keyOf(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

/** The text of every file of a recipe's folder but its tests: a change of any is another result. */
export async function recipeTexts(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => entry.name);
  return Promise.all(names.toSorted().map(async (name) => `${name}\n${await readFile(join(dir, name), 'utf8')}`));
}

/**
 * Waits until no other process works in this folder, and keeps it until `release` or the end of this process. The lock is
 * the kernel's (flock of a child that ends when this process does), so that a killed build blocks nobody.
 */
async function lockFolder(folder: string, onWait: () => void): Promise<{ release(): void }> {
  const file = join(folder, '.lock');
  const take = (flags: string[]): Promise<{ release(): void } | undefined> =>
    new Promise((resolve, reject) => {
      const child = spawn('flock', [...flags, file, 'sh', '-c', 'echo locked; exec cat'], {
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      child.stdin.on('error', () => {});
      child.stdout.once('data', () => resolve({ release: () => child.stdin.end() }));
      child.on('error', reject);
      child.on('exit', () => resolve(undefined));
    });
  const lock = await take(['--nonblock']);
  if (lock) return lock;
  onWait();
  const waited = await take([]);
  if (!waited) throw new Error(`cannot lock ${file}`);
  return waited;
}

const TEMPORARY = 'building-';

export interface Cached<M> {
  readonly folder: string;
  readonly meta: M;
  /** True: it was there already. */
  readonly isCached: boolean;
}

/**
 * Gives the folder `NAME-KEY` below `cacheDir`, building it when it is not there. `build` fills an empty folder and returns
 * what is to be remembered beside the files (JSON). A build that is killed leaves only a temporary folder, which the next
 * one removes; older results of the same name are removed when a new one is complete.
 */
export async function cached<M>(
  deps: BuildDeps,
  name: string,
  key: string,
  build: (folder: string, phase: (name: string) => void) => Promise<M>,
): Promise<Cached<M>> {
  const { cacheDir, clock } = deps;
  const folder = join(cacheDir, `${name}-${key}`);
  const manifest = join(folder, 'manifest.json');
  const read = async (isCached: boolean): Promise<Cached<M>> => ({
    folder,
    meta: JSON.parse(await readFile(manifest, 'utf8')) as M,
    isCached,
  });
  if (existsSync(manifest)) return read(true);
  const startMs = clock.monotonicMs();
  const phase = (what: string): void =>
    deps.progress?.({ build: name, phase: what, elapsedMs: clock.monotonicMs() - startMs });

  await mkdir(cacheDir, { recursive: true });
  const lock = await lockFolder(cacheDir, () => phase('waiting for another build in this cache'));
  try {
    if (existsSync(manifest)) return await read(true);
    for (const entry of await readdir(cacheDir))
      if (entry.startsWith(TEMPORARY)) await rm(join(cacheDir, entry), { recursive: true, force: true });
    const temporary = await mkdtemp(join(cacheDir, `${TEMPORARY}${name}-`));
    try {
      const meta = await build(temporary, phase);
      await writeFile(join(temporary, 'manifest.json'), `${JSON.stringify(meta, null, 2)}\n`);
      await rename(temporary, folder);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    for (const entry of await readdir(cacheDir))
      if (entry !== `${name}-${key}` && new RegExp(`^${name}-[0-9a-f]{16}$`).test(entry))
        await rm(join(cacheDir, entry), { recursive: true, force: true });
    phase('done');
    return await read(false);
  } finally {
    lock.release();
  }
}
