/** Turns an installed Debian tree into the test machine's system. */
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { command } from '../command.ts';
import { cpioEntry, cpioTrailer, directory, regularFile, symlink as symlinkEntry } from '../cpio.ts';
import type { CpioEntry } from '../cpio.ts';
import { selectModules } from '../ramdisk/modules.ts';
import { INITRAMFS_MODULES, MASKED_GENERATORS, MASKED_UNITS, MODULES, REMOVED } from './recipe.ts';
import type { TestImageVariant } from './recipe.ts';

/** The tree's only kernel. */
export async function kernelVersionOf(root: string): Promise<string> {
  const versions = await readdir(join(root, 'usr/lib/modules'));
  if (versions.length !== 1 || !versions[0]) throw new Error(`expected one kernel, there are ${versions.join(', ')}`);
  return versions[0];
}

/** Settings, users and services. `files` is the folder of the recipe's files. */
export async function customize(root: string, variant: TestImageVariant, files: string): Promise<void> {
  const put = async (path: string, text: string, mode = 0o644): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text, { mode });
  };
  const copy = async (name: string, path: string, mode?: number): Promise<void> =>
    put(path, await readFile(join(files, name), 'utf8'), mode);
  const chroot = (...argv: string[]): Promise<string> => command(['chroot', root, ...argv]);

  await put('etc/fstab', 'LABEL=root / ext4 rw,relatime,discard 0 0\n');
  await put('etc/hostname', 'debian\n');
  await put('etc/hosts', '127.0.0.1 localhost\n127.0.1.1 debian\n');
  await rm(join(root, 'etc/resolv.conf'), { force: true });
  await put('etc/resolv.conf', '');
  await put('etc/machine-id', '');
  await rm(join(root, 'var/lib/dbus/machine-id'), { force: true });
  for (const name of await readdir(join(root, 'etc/ssh')))
    if (name.startsWith('ssh_host_')) await rm(join(root, 'etc/ssh', name));
  await put('etc/ssh/sshd_config.d/test-image.conf', 'UseDNS no\nPasswordAuthentication no\n');
  // The power button is its business, and nobody waits for it at log-in.
  await put('etc/systemd/system/systemd-logind.service.d/late.conf', '[Unit]\nAfter=ssh.service\n');
  for (const unit of MASKED_UNITS) await command(['ln', '-sfn', '/dev/null', join(root, 'etc/systemd/system', unit)]);
  const generators = join(root, 'etc/systemd/system-generators');
  await mkdir(generators, { recursive: true });
  for (const name of MASKED_GENERATORS) await command(['ln', '-sfn', '/dev/null', join(generators, name)]);
  await chroot('systemctl', 'enable', 'systemd-networkd.service', 'ssh.service');

  if (variant === 'small') {
    await copy('10-dhcp.network', 'etc/systemd/network/10-dhcp.network');
    await copy('configdrive', 'usr/local/sbin/configdrive', 0o755);
    await copy('configdrive.py', 'usr/local/lib/configdrive.py');
    await copy('configdrive.service', 'etc/systemd/system/configdrive.service');
    await copy('ssh-keys.conf', 'etc/systemd/system/ssh.service.d/keys.conf');
    await chroot('useradd', '--create-home', '--shell', '/bin/bash', 'debian');
    await put('etc/sudoers.d/90-debian', 'debian ALL=(ALL) NOPASSWD:ALL\n', 0o440);
    await chroot('systemctl', 'enable', 'configdrive.service');
  } else {
    await copy('cloud.cfg', 'etc/cloud/cloud.cfg.d/90_test_image.cfg');
  }
}

/** Keeps the listed drivers and takes away what a test machine never reads. */
export async function slim(root: string, kernelVersion: string): Promise<void> {
  const modulesDir = join(root, 'usr/lib/modules', kernelVersion);
  const { paths, missing } = selectModules(
    MODULES,
    await readFile(join(modulesDir, 'modules.dep'), 'utf8'),
    await readFile(join(modulesDir, 'modules.builtin'), 'utf8'),
  );
  if (missing.length > 0) throw new Error(`kernel ${kernelVersion} has no ${missing.join(', ')}`);
  const kept = `${modulesDir}.kept`;
  for (const path of paths) await cp(join(modulesDir, path), join(kept, path), { preserveTimestamps: true });
  await rm(join(modulesDir, 'kernel'), { recursive: true });
  await rename(join(kept, 'kernel'), join(modulesDir, 'kernel'));
  await rm(kept, { recursive: true });
  await command(['depmod', '--basedir', root, kernelVersion]);
  for (const path of REMOVED) await rm(join(root, path), { recursive: true, force: true });
  // ldconfig, apt and dpkg expect these to be there.
  for (const path of ['var/cache/apt/archives/partial', 'var/lib/apt/lists/partial'])
    await mkdir(join(root, path), { recursive: true });
}

/** Replaces the initramfs by busybox and the drivers of the lab's disks. Gives its name below /boot. */
export async function makeInitramfs(options: {
  root: string;
  kernelVersion: string;
  busybox: string;
  files: string;
}): Promise<string> {
  const { root, kernelVersion, busybox, files } = options;
  const modulesDir = join(root, 'usr/lib/modules', kernelVersion);
  const dep = await readFile(join(modulesDir, 'modules.dep'), 'utf8');
  const builtin = await readFile(join(modulesDir, 'modules.builtin'), 'utf8');
  const entries: CpioEntry[] = [
    ...['bin', 'dev', 'modules', 'new', 'proc', 'sys'].map(directory),
    regularFile('init', await readFile(join(files, 'initramfs-init')), 0o755),
    regularFile('bin/busybox', await readFile(busybox), 0o755),
    ...['cat', 'findfs', 'insmod', 'ls', 'mount', 'sh', 'sleep', 'switch_root'].map((applet) =>
      symlinkEntry(`bin/${applet}`, 'busybox'),
    ),
  ];
  // insmod knows no dependencies: depmod lists them for each module with the last one to be loaded first.
  const order: string[] = [];
  for (const name of INITRAMFS_MODULES) {
    const path = selectModules([name], dep, builtin).paths.find((one) => one.endsWith(`/${name}.ko`));
    const line = path && dep.split('\n').find((one) => one.startsWith(`${path}:`));
    if (!path || line === undefined) continue;
    const dependencies = line
      .slice(path.length + 1)
      .trim()
      .split(/\s+/)
      .filter(Boolean);
    for (const one of [...dependencies.toReversed(), path]) if (!order.includes(one)) order.push(one);
  }
  for (const [index, path] of order.entries())
    entries.push(
      regularFile(
        `modules/${String(index).padStart(2, '0')}-${path.split('/').at(-1)}`,
        await readFile(join(modulesDir, path)),
      ),
    );
  const archive = Buffer.concat([...entries.map((entry, index) => cpioEntry(entry, index + 1)), cpioTrailer()]);
  const name = `initrd.img-${kernelVersion}`;
  await rm(join(root, 'boot', name), { force: true });
  await writeFile(join(root, 'boot', name), await promisify(zstdCompress)(archive));
  return name;
}
