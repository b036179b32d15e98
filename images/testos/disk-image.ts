/**
 * A bootable disk image from a folder, without mounts or loop devices: GPT with a BIOS boot partition, an EFI system
 * partition and an ext4 root file system labelled `root`. The same image boots by BIOS and by UEFI.
 */
import { mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../command.ts';

const MIB = 1 << 20;
const SECTOR = 512;
const ESP_MIB = 8;
const BIOS_BOOT = '21686148-6449-6E6F-744E-656564454649';
const EFI_SYSTEM = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
const LINUX_ROOT_X64 = '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709';

const GRUB_MODULES = ['part_gpt', 'ext2', 'search', 'search_label', 'normal', 'linux', 'configfile', 'boot'];
const EARLY_CONFIG = `search --no-floppy --label root --set=root
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
`;

/**
 * Makes GRUB's first sector and core image ready for a BIOS boot partition that begins at sector `firstSector`, as
 * grub-install would: boot.img has the sector of the core at 0x5C (and at 0x66 a jump for floppies that is made two NOPs);
 * the core's first sector has a list of where its rest is, the first entry at 0x1F4 (grub-core/boot/i386/pc).
 */
export function placeGrub(
  bootImg: Uint8Array,
  coreImg: Uint8Array,
  firstSector: number,
): { boot: Buffer; core: Buffer } {
  const boot = Buffer.from(bootImg);
  boot.writeBigUInt64LE(BigInt(firstSector), 0x5c);
  boot.set([0x90, 0x90], 0x66);
  const core = Buffer.from(coreImg);
  core.writeBigUInt64LE(BigInt(firstSector + 1), 0x1f4);
  return { boot, core };
}

/**
 * Writes `out` (sparse) from the folder `root`, which must have a kernel and an initramfs under /boot with these names.
 * Gives the image's size.
 */
export async function makeDiskImage(options: {
  root: string;
  out: string;
  work: string;
  kernel: string;
  initramfs: string;
  /** Room beside what is used. */
  freeMib: number;
}): Promise<number> {
  const { root, out, work } = options;
  await mkdir(work, { recursive: true });
  await mkdir(join(root, 'boot/grub'), { recursive: true });
  await writeFile(
    join(root, 'boot/grub/grub.cfg'),
    `set timeout=0
search --no-floppy --label root --set=root
linux /boot/${options.kernel} root=LABEL=root ro console=ttyS0
initrd /boot/${options.initramfs}
boot
`,
  );
  const [usedKib = '0'] = (await command(['du', '--summarize', '--block-size=1K', root])).split('\t');
  const rootMib = Math.ceil((Number(usedKib) / 1024) * 1.12) + options.freeMib;
  const biosAt = 1;
  const espAt = biosAt + 1;
  const rootAt = espAt + ESP_MIB;
  const totalMib = rootAt + rootMib + 1;
  await writeFile(out, '');
  await truncate(out, totalMib * MIB);
  const sectors = (mib: number): number => (mib * MIB) / SECTOR;
  await command(['sfdisk', '--quiet', out], {
    input: `label: gpt
start=${sectors(biosAt)}, size=${sectors(1)}, type=${BIOS_BOOT}
start=${sectors(espAt)}, size=${sectors(ESP_MIB)}, type=${EFI_SYSTEM}
start=${sectors(rootAt)}, size=${sectors(rootMib)}, type=${LINUX_ROOT_X64}, name=root
`,
  });
  await command([
    ...['mkfs.ext4', '-q', '-F', '-L', 'root', '-m', '1', '-d', root],
    ...['-E', `offset=${rootAt * MIB},lazy_itable_init=1,nodiscard`, out, `${rootMib}M`],
  ]);

  const early = join(work, 'early.cfg');
  await writeFile(early, EARLY_CONFIG);
  const mkimage = (format: string, image: string, modules: readonly string[]): Promise<string> =>
    command(['grub-mkimage', '-O', format, '-o', image, '-c', early, '-p', '/boot/grub', ...GRUB_MODULES, ...modules]);

  // The removable path: the firmware finds it without an entry in its variables.
  const efi = join(work, 'BOOTX64.EFI');
  await mkimage('x86_64-efi', efi, ['fat', 'efi_gop']);
  await command(['mkfs.vfat', '-n', 'ESP', `--offset=${sectors(espAt)}`, out, String(ESP_MIB * 1024)]);
  const esp = `${out}@@${espAt}M`;
  await command(['mmd', '-i', esp, '::EFI', '::EFI/BOOT']);
  await command(['mcopy', '-i', esp, efi, '::EFI/BOOT/BOOTX64.EFI']);

  const coreImg = join(work, 'core.img');
  await mkimage('i386-pc', coreImg, ['biosdisk']);
  const { boot, core } = placeGrub(
    await readFile('/usr/lib/grub/i386-pc/boot.img'),
    await readFile(coreImg),
    sectors(biosAt),
  );
  if (core.length > MIB) throw new Error(`GRUB's core image has ${core.length} bytes, its partition ${MIB}`);
  const file = await open(out, 'r+');
  try {
    // Up to the disk signature and partition table of the first sector.
    await file.write(boot, 0, 440, 0);
    await file.write(core, 0, core.length, biosAt * MIB);
  } finally {
    await file.close();
  }
  return totalMib * MIB;
}
