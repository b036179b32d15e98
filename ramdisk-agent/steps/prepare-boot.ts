/** Step prepare_boot: the firmware will start what was written. */
import type { PrepareBootArgs, PrepareBootResult } from '@bessemer/agent-protocol';
import { GPT_HEAD_BYTES, parseGpt } from '@bessemer/image-format';
import type { StepContext } from '../ports.ts';
import { reasonOf, StepFailure } from '../step-failure.ts';
import { writtenDisk } from './root-disk.ts';

/** What our boot entries are called: entries of this name are ours to remove. */
const BOOT_ENTRY_LABEL = 'bessemer';
/** EFI system partition (UEFI 2.10 section 5.3.3). */
const ESP_GUID = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';

export async function prepareBoot(args: PrepareBootArgs, context: StepContext): Promise<PrepareBootResult> {
  const disk = await writtenDisk(context, args.disk);
  const handle = await context.disks.open(disk.name).catch((error: unknown) => {
    throw new StepFailure('READ_FAILED', `${disk.name} cannot be opened: ${reasonOf(error)}`, { cause: error });
  });
  let head: Uint8Array;
  try {
    head = await handle.read(0, Math.min(GPT_HEAD_BYTES, handle.sizeBytes));
  } catch (error) {
    throw new StepFailure('READ_FAILED', `${disk.name} cannot be read: ${reasonOf(error)}`, { cause: error });
  } finally {
    await handle.close();
  }
  const bootMode = context.hardware.bootMode();
  if (bootMode === 'bios') {
    checkBootCode(head, disk.name);
    return { bootMode, bootEntry: null, removedEntries: [] };
  }
  const gpt = parseGpt(head);
  const esp = gpt.ok ? gpt.value.partitions.find((partition) => partition.typeGuid === ESP_GUID) : undefined;
  if (!esp)
    throw new StepFailure(
      'NOT_BOOTABLE',
      `the machine boots by UEFI and the image on ${disk.name} has no EFI system partition (${gpt.ok ? 'its partition table names none' : gpt.error.message}): use an image for UEFI, or set the machine to BIOS.`,
    );
  return { bootMode, ...(await makeEntry(disk.name, esp.number, context)) };
}

/** The BIOS starts sector 0 when it ends in 55 aa; without code before it, nothing happens. */
function checkBootCode(head: Uint8Array, name: string): void {
  const signed = head[510] === 0x55 && head[511] === 0xaa;
  if (signed && head.subarray(0, 440).some((byte) => byte !== 0)) return;
  throw new StepFailure(
    'NOT_BOOTABLE',
    `the machine boots by BIOS and the image on ${name} has no boot code in its first sector: use an image for BIOS, or set the machine to UEFI.`,
  );
}

async function makeEntry(
  diskName: string,
  partitionNumber: number,
  { hardware, note }: StepContext,
): Promise<Omit<PrepareBootResult, 'bootMode'>> {
  try {
    const loader = chooseLoader(await hardware.efiLoaders(diskName, partitionNumber));
    if (!loader)
      throw new StepFailure(
        'NOT_BOOTABLE',
        `the EFI system partition of ${diskName} holds no program that firmware could start.`,
      );
    const removedEntries: string[] = [];
    for (const entry of await hardware.efiEntries()) {
      if (entry.label !== BOOT_ENTRY_LABEL) continue;
      await hardware.removeEfiEntry(entry.number);
      removedEntries.push(entry.number);
    }
    const bootEntry = await hardware.createEfiEntry({ diskName, partitionNumber, label: BOOT_ENTRY_LABEL, loader });
    await hardware.setBootNext(bootEntry);
    note('info', `boot entry ${bootEntry} starts ${loader} of ${diskName}`);
    return { bootEntry, removedEntries };
  } catch (error) {
    if (error instanceof StepFailure) throw error;
    throw new StepFailure(
      'BOOT_ENTRY_FAILED',
      `the firmware did not take a boot entry for ${diskName}: ${reasonOf(error)}. Its variable store may be full or locked.`,
      { cause: error },
    );
  }
}

const LOADER_PREFERENCE = [
  /^\\EFI\\(?!BOOT\\)[^\\]+\\shim[a-z0-9]*\.efi$/i,
  /^\\EFI\\(?!BOOT\\)[^\\]+\\(grub|systemd-boot)[a-z0-9]*\.efi$/i,
  /^\\EFI\\BOOT\\BOOT(X64|AA64|RISCV64)\.EFI$/i,
];

/** A distribution's shim, then its boot loader, then the path of removable media. */
export function chooseLoader(paths: readonly string[]): string | undefined {
  for (const pattern of LOADER_PREFERENCE) {
    const found = paths.filter((path) => pattern.test(path)).toSorted()[0];
    if (found) return found;
  }
  return undefined;
}
