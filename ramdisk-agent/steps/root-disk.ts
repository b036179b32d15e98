/** The disk of a run: chosen once, then the same or none. */
import type { DiskIdentity, InventoryDisk, RootDeviceHints } from '@bessemer/agent-protocol';
import type { StepContext } from '../ports.ts';
import { chooseRootDevice, describeDisk, findSameDisk, identityOf } from '../root-device.ts';
import { StepFailure } from '../step-failure.ts';

/**
 * Chooses by hints at the first attempt of a run; later attempts get that disk again or fail with DISK_CHANGED, also in another
 * boot: `chosen` is what the service was told then.
 */
export async function rootDisk(
  context: StepContext,
  hints?: RootDeviceHints,
  chosen?: DiskIdentity,
): Promise<InventoryDisk> {
  const disks = await context.disks.list();
  const known = context.memory.disk ?? chosen;
  if (known) {
    const disk = sameDisk(disks, known);
    context.memory.disk = identityOf(disk);
    return disk;
  }
  const choice = chooseRootDevice(disks, hints);
  if (!choice.ok) throw new StepFailure(choice.code, choice.message);
  context.memory.disk = identityOf(choice.disk);
  context.choseDisk(context.memory.disk);
  context.note('info', `root disk is ${describeDisk(choice.disk)}`);
  return choice.disk;
}

/** The disk that the image was written to in this boot, or, when the agent does not know, the one that the service names. */
export async function writtenDisk(context: StepContext, named?: DiskIdentity): Promise<InventoryDisk> {
  const known = context.memory.disk ?? named;
  if (!known)
    throw new StepFailure(
      'NO_IMAGE_WRITTEN',
      'no image was written in this boot and the step names no disk: run write_image first',
    );
  const disks = await context.disks.list();
  const disk = sameDisk(disks, known);
  if (named && findSameDisk(disks, named)?.name !== disk.name)
    throw new StepFailure(
      'DISK_CHANGED',
      `the step names ${describeIdentity(named)}, but the image was written to ${describeDisk(disk)}`,
    );
  return disk;
}

function sameDisk(disks: readonly InventoryDisk[], identity: DiskIdentity): InventoryDisk {
  const disk = findSameDisk(disks, identity);
  if (disk && !disk.read_only) return disk;
  throw new StepFailure(
    'DISK_CHANGED',
    `the disk chosen at first, ${describeIdentity(identity)}, ${disk ? 'became read-only' : 'is not there any more'}. Disks seen: ${disks.map(describeDisk).join('; ') || 'none'}. Nothing was written to another disk; abort and deploy again to choose anew.`,
  );
}

const describeIdentity = (id: DiskIdentity): string =>
  `${id.name} (serial ${id.serial || 'unknown'}, wwn ${id.wwn ?? 'unknown'}, ${id.sizeBytes} bytes)`;
