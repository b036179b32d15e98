/** Puts the ramdisk's files together from unpacked packages: a list of archive entries, nothing is copied. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { command } from '../command.ts';
import { directory, regularFile, symlink } from '../cpio.ts';
import type { CpioEntry } from '../cpio.ts';
import { BUSYBOX_APPLETS, MODULES, REQUIRED_MODULES, TOOLS } from './recipe.ts';
import { selectModules } from './modules.ts';

const PROGRAM_DIRS = ['bin', 'sbin', 'usr/bin', 'usr/sbin'];
const LIBRARY_DIRS = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'];
const LOADER = 'ld-linux-x86-64.so.2';

/** Finds a file of the unpacked packages. Absolute links inside a package point into the package's own tree. */
async function find(tree: string, dirs: readonly string[], name: string): Promise<string> {
  for (const dir of dirs) {
    const path = join(tree, dir, name);
    if (existsSync(path)) return realpath(path);
  }
  throw new Error(`${name} is in none of ${dirs.join(', ')} of the unpacked packages`);
}

/** Shared libraries that the programs need, by the NEEDED entries of their ELF headers, all the way down. */
async function librariesOf(tree: string, programs: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let queue = [...programs];
  while (queue.length > 0) {
    const text = await command(['readelf', '--dynamic', ...queue]);
    queue = [];
    for (const [, name = ''] of text.matchAll(/\(NEEDED\).*\[(.+)\]/g)) {
      if (found.has(name)) continue;
      const path = await find(tree, LIBRARY_DIRS, name);
      found.set(name, path);
      queue.push(path);
    }
  }
  return found;
}

export interface RamdiskTree {
  readonly entries: readonly CpioEntry[];
  readonly kernelPath: string;
  readonly kernelVersion: string;
  readonly moduleCount: number;
  /** Drivers of the list that this kernel does not have. */
  readonly missingModules: readonly string[];
  /** Bytes before compression, by part. */
  readonly parts: Readonly<Record<'node' | 'modules' | 'libraries' | 'tools' | 'rest', number>>;
}

/**
 * @param tree unpacked packages @param work a folder for intermediate files
 * @param node a Node binary for Linux x64 @param recipeDir the folder of `init`
 */
export async function assembleTree(options: {
  tree: string;
  work: string;
  node: string;
  recipeDir: string;
}): Promise<RamdiskTree> {
  const { tree, work, recipeDir } = options;
  await mkdir(work, { recursive: true });
  const versions = await readdir(join(tree, 'lib/modules'));
  const kernelVersion = versions[0];
  if (versions.length !== 1 || !kernelVersion)
    throw new Error(`expected one kernel in the packages, there are ${versions.length}: ${versions.join(', ')}`);
  const kernelDir = join(tree, 'lib/modules', kernelVersion);
  await command(['depmod', '--basedir', tree, kernelVersion]);
  const selection = selectModules(
    MODULES,
    await readFile(join(kernelDir, 'modules.dep'), 'utf8'),
    await readFile(join(kernelDir, 'modules.builtin'), 'utf8'),
  );
  const lacking = REQUIRED_MODULES.filter((name) => selection.missing.includes(name));
  if (lacking.length > 0) throw new Error(`kernel ${kernelVersion} lacks required drivers: ${lacking.join(', ')}`);

  const node = join(work, 'node');
  await command(['strip', '-o', node, options.node]);
  const toolPaths = await Promise.all(TOOLS.map((name) => find(tree, PROGRAM_DIRS, name)));
  const libraries = await librariesOf(tree, [node, ...toolPaths]);
  const loader = await find(tree, [...LIBRARY_DIRS, 'lib64'], LOADER);
  libraries.delete(LOADER);

  // depmod of the selection alone, so that modprobe in the ramdisk finds exactly what is there.
  const modulesRoot = join(work, 'modules');
  const selected = join(modulesRoot, 'lib/modules', kernelVersion);
  for (const path of selection.paths) {
    await mkdir(join(selected, path, '..'), { recursive: true });
    await command(['cp', join(kernelDir, path), join(selected, path)]);
  }
  for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'])
    await command(['cp', join(kernelDir, name), selected]);
  await command(['depmod', '--basedir', modulesRoot, kernelVersion]);

  const parts = { node: 0, modules: 0, libraries: 0, tools: 0, rest: 0 };
  const entries: CpioEntry[] = [];
  const dirs = new Set<string>();
  const addDir = (path: string): void => {
    if (path === '.' || path === '' || dirs.has(path)) return;
    addDir(path.split('/').slice(0, -1).join('/'));
    dirs.add(path);
    entries.push(directory(path));
  };
  const add = (part: keyof typeof parts, entry: CpioEntry): void => {
    addDir(entry.path.split('/').slice(0, -1).join('/'));
    entries.push(entry);
    parts[part] += entry.data.length;
  };
  for (const dir of ['agent', 'bin', 'dev', 'etc', 'lib64', 'mnt', 'proc', 'root', 'run', 'sbin', 'sys', 'tmp'])
    addDir(dir);
  add('rest', symlink('usr', '.'));
  add('rest', symlink('etc/resolv.conf', '/run/resolv.conf'));
  const text = (path: string, content: string): void => add('rest', regularFile(path, Buffer.from(content)));
  text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n');
  text('etc/group', 'root:x:0:\n');
  text('etc/hosts', '127.0.0.1 localhost\n');
  text('etc/nsswitch.conf', 'hosts: files dns\n');
  add('rest', regularFile('init', await readFile(join(recipeDir, 'init')), 0o755));
  add('rest', regularFile('etc/udhcpc.script', await readFile(join(recipeDir, 'udhcpc.script')), 0o755));
  add('tools', regularFile('bin/busybox', await readFile(await find(tree, PROGRAM_DIRS, 'busybox')), 0o755));
  for (const applet of BUSYBOX_APPLETS) add('tools', symlink(`bin/${applet}`, 'busybox'));
  for (const path of toolPaths) add('tools', regularFile(`sbin/${basename(path)}`, await readFile(path), 0o755));
  add('libraries', regularFile(`lib64/${LOADER}`, await readFile(loader), 0o755));
  for (const [name, path] of [...libraries].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    add('libraries', regularFile(`lib/x86_64-linux-gnu/${name}`, await readFile(path), 0o644));
  add('node', regularFile('bin/node', await readFile(node), 0o755));
  for (const file of (await readdir(selected, { recursive: true, withFileTypes: true })).toSorted((a, b) =>
    join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1,
  )) {
    if (!file.isFile()) continue;
    const path = join(file.parentPath, file.name);
    add('modules', regularFile(path.slice(modulesRoot.length + 1), await readFile(path)));
  }
  return {
    entries,
    kernelPath: join(tree, `boot/vmlinuz-${kernelVersion}`),
    kernelVersion,
    moduleCount: selection.paths.length,
    missingModules: selection.missing,
    parts,
  };
}
