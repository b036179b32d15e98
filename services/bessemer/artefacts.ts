/** Kernel and ramdisk that machines boot into: the operator's, or the ones built from this source tree, with the agent in it. */
import { existsSync } from 'node:fs';
import { copyFile, link, mkdir, realpath, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Log } from '@bessemer/ports';

export interface Artefacts {
  /** Names below `folder`. */
  readonly folder: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** The boot service gives out regular files of its own folder only: a link to another place would be refused. */
async function place(folder: string, name: string, source: string): Promise<void> {
  if (!existsSync(source))
    throw new Error(
      `${source} does not exist: boot.kernel and boot.ramdisk must name files that this service can read`,
    );
  const part = join(folder, `${name}.part`);
  await rm(part, { force: true });
  await link(await realpath(source), part).catch(() => copyFile(source, part));
  await rename(part, join(folder, name));
}

/**
 * Puts kernel and ramdisk into `<dataDir>/boot`. What the configuration does not name is built (once; kept by content in
 * `cacheDir`).
 * @throws Error naming what is missing.
 */
export async function prepareArtefacts(options: {
  dataDir: string;
  cacheDir: string;
  kernel: string;
  ramdisk: string;
  variant: 'lab' | 'product';
  clock: Clock;
  log: Log;
}): Promise<Artefacts> {
  const folder = join(options.dataDir, 'boot');
  await mkdir(folder, { recursive: true });
  let { kernel, ramdisk } = options;
  if (kernel === '' || ramdisk === '') {
    const { appendAgent, buildRamdisk } = await import('../../images/build.ts');
    const { bundleAgent } = await import('@bessemer/ramdisk-agent/bundle');
    const built = await buildRamdisk({
      cacheDir: options.cacheDir,
      clock: options.clock,
      variant: options.variant,
      level: 3,
      progress: (p) =>
        options.log.info('building the ramdisk', { build: p.build, phase: p.phase, seconds: p.elapsedMs / 1000 }),
    });
    const bundle = await bundleAgent({ outFile: join(folder, 'agent.mjs') });
    const out = join(folder, 'ramdisk-with-agent');
    await appendAgent({ ramdisk: built, agentBundlePath: bundle.path, out });
    if (kernel === '') kernel = built.kernel.path;
    if (ramdisk === '') ramdisk = out;
  }
  await place(folder, 'kernel', kernel);
  await place(folder, 'ramdisk', ramdisk);
  return { folder, kernel: 'kernel', initrd: 'ramdisk' };
}
