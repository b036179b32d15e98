/** Step configdrive: the drive goes into the image's own config-2 partition, or into a new one at the end of the disk. */
import type { ConfigDriveArgs, ConfigDriveResult } from '@bessemer/agent-protocol';
import {
  addPartition,
  buildConfigDrive,
  CONFIG_DRIVE_LABEL,
  GPT_HEAD_BYTES,
  mergeForAccess,
  parseGpt,
  type ConfigDrive,
  type Gpt,
  type GptPartition,
} from '@bessemer/image-format';
import { createHostKey } from '../host-key.ts';
import type { DiskHandle, StepContext } from '../ports.ts';
import { reasonOf, StepFailure } from '../step-failure.ts';
import { writtenDisk } from './root-disk.ts';

/** Linux filesystem data (UAPI group, Discoverable Partitions): a type that no operating system mounts by itself. */
const LINUX_DATA_GUID = '0fc63daf-8483-4772-8e79-3d69d8477de4';
const ISO_DESCRIPTOR_OFFSET = 16 * 2048;

export async function writeConfigDrive(args: ConfigDriveArgs, context: StepContext): Promise<ConfigDriveResult> {
  const disk = await writtenDisk(context, args.disk);
  // A retry tells the same key: the first one may be on the disk already.
  context.memory.hostKey ??= createHostKey(context.random, args.hostname ?? '');
  const hostKey = context.memory.hostKey;
  const merged = mergeForAccess(driveOf(args), {
    ...(args.hostname === undefined ? {} : { hostname: args.hostname }),
    publicKeys: args.servicePublicKey === undefined ? [] : [args.servicePublicKey],
    sshHostKey: { privatePem: hostKey.privatePem, public: hostKey.public },
  });
  if (!merged.ok) throw new StepFailure('BAD_ARGUMENTS', `the config drive cannot be used: ${merged.error.message}`);
  const iso = buildConfigDrive(merged.value, { timeMs: context.clock.nowMs() });
  if (!iso.ok) throw new StepFailure('BAD_ARGUMENTS', `the config drive cannot be made: ${iso.error.message}`);

  const handle = await context.disks.open(disk.name).catch((error: unknown) => {
    throw new StepFailure('CONFIG_DRIVE_FAILED', `${disk.name} cannot be opened: ${reasonOf(error)}`, { cause: error });
  });
  let partition: ConfigDriveResult['partition'];
  try {
    context.progress({ phase: 'writing', bytes: 0, totalBytes: iso.value.length });
    partition = await store(handle, disk.name, iso.value, context);
    context.progress({ phase: 'done', bytes: iso.value.length, totalBytes: iso.value.length });
  } catch (error) {
    if (error instanceof StepFailure) throw error;
    throw new StepFailure(
      'CONFIG_DRIVE_FAILED',
      `writing the config drive to ${disk.name} failed: ${reasonOf(error)}`,
      {
        cause: error,
      },
    );
  } finally {
    await handle.close();
  }
  await context.disks.rereadPartitions(disk.name);
  return { sshHostKey: hostKey.public, partition };
}

function driveOf({ configDrive }: ConfigDriveArgs): ConfigDrive {
  const userData =
    configDrive.userData ?? (configDrive.userDataBase64 && Buffer.from(configDrive.userDataBase64, 'base64'));
  return {
    metaData: configDrive.metaData,
    ...(configDrive.networkData === undefined ? {} : { networkData: configDrive.networkData }),
    ...(userData === undefined || userData === '' ? {} : { userData }),
    ...(configDrive.vendorData === undefined ? {} : { vendorData: configDrive.vendorData }),
    ...(configDrive.extraFiles === undefined
      ? {}
      : {
          extraFiles: configDrive.extraFiles.map(({ path, dataBase64 }) => ({
            path,
            data: Buffer.from(dataBase64, 'base64'),
          })),
        }),
  };
}

async function store(
  handle: DiskHandle,
  name: string,
  iso: Uint8Array,
  context: StepContext,
): Promise<ConfigDriveResult['partition']> {
  const gpt = parseGpt(await handle.read(0, Math.min(GPT_HEAD_BYTES, handle.sizeBytes)));
  if (!gpt.ok)
    throw new StepFailure(
      'CONFIG_DRIVE_FAILED',
      `${name} has no partition table that a config drive could be added to (${gpt.error.message}): images need a GPT.`,
    );
  const existing = await findDrivePartition(handle, gpt.value);
  const sector = gpt.value.sectorSizeBytes;
  const place = (partition: GptPartition, created: boolean): ConfigDriveResult['partition'] => ({
    number: partition.number,
    startBytes: partition.firstLba * sector,
    sizeBytes: (partition.lastLba - partition.firstLba + 1) * sector,
    created,
  });
  if (existing) {
    const at = place(existing, false);
    if (iso.length > at.sizeBytes)
      throw new StepFailure(
        'CONFIG_DRIVE_FAILED',
        `the config drive has ${iso.length} bytes and the image's partition ${existing.number} for it only ${at.sizeBytes}`,
      );
    await handle.write(at.startBytes, padded(iso, sector));
    await handle.flush();
    return at;
  }
  const added = addPartition(gpt.value, {
    label: CONFIG_DRIVE_LABEL,
    typeGuid: LINUX_DATA_GUID,
    guid: context.random.uuid(),
    sizeBytes: iso.length,
    atEnd: true,
  });
  if (!added.ok)
    throw new StepFailure(
      'CONFIG_DRIVE_FAILED',
      `there is no room for the config drive on ${name}: ${added.error.message}`,
    );
  const at = place(added.value.partition, true);
  await handle.write(at.startBytes, padded(iso, sector));
  await handle.flush();
  for (const write of added.value.writes) await handle.write(write.offset, write.data);
  await handle.flush();
  return at;
}

/** A partition of that name, or one that holds an ISO 9660 or FAT file system of that label. */
async function findDrivePartition(handle: DiskHandle, gpt: Gpt): Promise<GptPartition | undefined> {
  const named = gpt.partitions.find((partition) => partition.label.toLowerCase() === CONFIG_DRIVE_LABEL);
  if (named) return named;
  for (const partition of gpt.partitions) {
    const start = partition.firstLba * gpt.sectorSizeBytes;
    const size = (partition.lastLba - partition.firstLba + 1) * gpt.sectorSizeBytes;
    if (size < ISO_DESCRIPTOR_OFFSET + 4096 || start + size > handle.sizeBytes) continue;
    const iso = Buffer.from(await handle.read(start + ISO_DESCRIPTOR_OFFSET, 4096));
    const fat = Buffer.from(await handle.read(start, 4096));
    const labels = [
      iso.toString('latin1', 1, 6) === 'CD001' ? iso.toString('latin1', 40, 72) : '',
      // The volume label of FAT12/16 is at byte 43, that of FAT32 at byte 71, each before the type's name.
      fat.toString('latin1', 54, 57) === 'FAT' ? fat.toString('latin1', 43, 54) : '',
      fat.toString('latin1', 82, 87) === 'FAT32' ? fat.toString('latin1', 71, 82) : '',
    ];
    if (labels.some((label) => label.trim().toLowerCase() === CONFIG_DRIVE_LABEL)) return partition;
  }
  return undefined;
}

function padded(data: Uint8Array, sectorSizeBytes: number): Uint8Array {
  const whole = new Uint8Array(Math.ceil(data.length / sectorSizeBytes) * sectorSizeBytes);
  whole.set(data);
  return whole;
}
