/** Builds the test operating system's disk image. */
import { readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openApt, SUITE } from '../apt.ts';
import { cached, describeFile, keyOf, recipeTexts } from '../cache.ts';
import type { BuildDeps, BuiltFile } from '../cache.ts';
import { command } from '../command.ts';
import { makeDiskImage } from './disk-image.ts';
import { PACKAGES } from './recipe.ts';
import type { TestImageVariant } from './recipe.ts';
import { customize, kernelVersionOf, makeInitramfs, slim } from './system.ts';

const RECIPE_DIR = fileURLToPath(new URL('.', import.meta.url));
const FILES = join(RECIPE_DIR, 'files');
const FREE_MIB = 160;

/** A built image: the raw file is sparse, `qcow2` is the same compressed. */
export interface TestImage extends BuiltFile {
  readonly variant: TestImageVariant;
  readonly qcow2: BuiltFile;
  readonly kernelVersion: string;
  /** Bytes of the raw file that are not holes. */
  readonly usedBytes: number;
  readonly isCached: boolean;
}

/** Host packages whose programs go into the image. */
const BOOT_LOADER_PACKAGES = ['grub-pc-bin', 'grub-efi-amd64-bin'];

/**
 * Builds the image, or gives what was built before from the same packages and recipe. About 90 s from nothing, of which the
 * installation of Debian's packages (kept for the next change of the recipe) takes 60. Needs root.
 */
export async function buildTestImage(options: BuildDeps & { variant: TestImageVariant }): Promise<TestImage> {
  const { variant } = options;
  const packages = PACKAGES[variant];
  const apt = await openApt({ cacheDir: options.cacheDir, clock: options.clock });
  const versions = await apt.resolve(['?essential', 'apt', ...packages]);
  const tools = await apt.resolve(['busybox-static']);

  const tree = await cached(options, `testos-tree-${variant}`, keyOf([variant, ...versions]), async (folder, phase) => {
    if (process.getuid?.() !== 0) throw new Error('building the test image needs root: it installs Debian packages');
    phase(`installing ${versions.length} Debian packages`);
    const exclude = ['doc', 'man', 'locale', 'i18n'].map((dir) => `--dpkgopt=path-exclude=/usr/share/${dir}/*`);
    await command([
      // The image gets an initramfs of its own: Debian's would be made for nothing.
      ...['env', 'INITRD=No', 'mmdebstrap', '--quiet', '--mode=root', '--variant=minbase'],
      ...[`--include=${packages.join(',')}`, '--aptopt=APT::Install-Recommends "false"'],
      ...['--aptopt=Acquire::Languages "none"', ...exclude, SUITE, join(folder, 'root.tar'), apt.sourcesPath],
    ]);
    phase('compressing the installed system');
    await command(['zstd', '-q', '-1', '--rm', join(folder, 'root.tar')]);
    return { packages: versions };
  });

  const loaders = await command(['dpkg-query', '-W', '-f', '${Package}=${Version}\n', ...BOOT_LOADER_PACKAGES]);
  const recipe = [
    ...(await recipeTexts(RECIPE_DIR)),
    ...(await recipeTexts(FILES)),
    await readFile(join(RECIPE_DIR, '../cpio.ts'), 'utf8'),
  ];
  const key = keyOf([variant, ...versions, ...tools, loaders, ...recipe]);
  type Meta = Pick<TestImage, 'kernelVersion' | 'usedBytes' | 'digest' | 'sizeBytes'> & {
    qcow2: Omit<BuiltFile, 'path'>;
  };
  const image = await cached<Meta>(options, `testos-${variant}`, key, async (folder, phase) => {
    const root = join(folder, 'root');
    const work = join(folder, 'work');
    const raw = join(folder, 'disk.raw');
    const qcow2 = join(folder, 'disk.qcow2');
    phase('unpacking the installed system');
    await command(['mkdir', root, work]);
    await command(['tar', '--zstd', '-xpf', join(tree.folder, 'root.tar.zst'), '-C', root, '--numeric-owner']);
    await apt.unpack(['busybox-static'], join(work, 'tools'));
    const busybox = ['bin/busybox', 'usr/bin/busybox'].map((path) => join(work, 'tools', path)).find(existsSync);
    if (!busybox) throw new Error('package busybox-static has no busybox');
    phase('setting up the system');
    const kernelVersion = await kernelVersionOf(root);
    await customize(root, variant, FILES);
    await slim(root, kernelVersion);
    const initramfs = await makeInitramfs({ root, kernelVersion, busybox, files: FILES });
    phase('writing the disk image');
    const kernel = `vmlinuz-${kernelVersion}`;
    await makeDiskImage({ root, out: raw, work, kernel, initramfs, freeMib: FREE_MIB });
    phase('compressing the disk image');
    await command(['qemu-img', 'convert', '-q', '-f', 'raw', '-O', 'qcow2', '-c', '-m', '2', raw, qcow2]);
    await rm(root, { recursive: true });
    await rm(work, { recursive: true });
    const used = (await command(['du', '--block-size=1', raw])).split('\t')[0];
    const { path: _raw, ...rawFile } = await describeFile(raw);
    const { path: _qcow2, ...qcow2File } = await describeFile(qcow2);
    return { ...rawFile, qcow2: qcow2File, kernelVersion, usedBytes: Number(used) };
  });
  const { folder, meta, isCached } = image;
  return {
    ...meta,
    variant,
    path: join(folder, 'disk.raw'),
    qcow2: { ...meta.qcow2, path: join(folder, 'disk.qcow2') },
    isCached,
  };
}
