/** The agent's steps as data: names, arguments and results. The agent implements exactly this table. */
import {
  checked,
  integer,
  jsonObject,
  list,
  nullable,
  object,
  optional,
  text,
  CheckError,
  type Check,
  type Json,
  type JsonObject,
  type Result,
} from './check.ts';
import type { OnRepeat } from './messages.ts';

export interface AgentStep {
  /** Ironic's interface kind that owns the step. */
  readonly interface: 'deploy' | 'inspect';
  readonly onRepeat: OnRepeat;
  readonly doc: string;
}

export const AGENT_STEPS = {
  inspect: { interface: 'inspect', onRepeat: 'safe', doc: 'Read the hardware inventory.' },
  erase_devices_metadata: {
    interface: 'deploy',
    onRepeat: 'safe',
    doc: 'Remove partition tables and the signatures of file systems, md and LVM from every writable disk.',
  },
  write_image: {
    interface: 'deploy',
    onRepeat: 'safe',
    doc: "Write the image's used extents to the chosen disk, verified, with zeroes in the holes.",
  },
  configdrive: {
    interface: 'deploy',
    onRepeat: 'safe',
    doc: 'Write the config drive, with a host key made in memory, into the config-2 partition or a new one at the end of the disk.',
  },
  prepare_boot: {
    interface: 'deploy',
    onRepeat: 'safe',
    doc: 'Make the firmware boot the written disk: on UEFI an entry by partition GUID and BootNext, on BIOS a check of the boot code.',
  },
} as const satisfies Record<string, AgentStep>;

export type AgentStepName = keyof typeof AGENT_STEPS;

/** Codes of a step's failure. */
export const STEP_ERROR_CODES = [
  /** The step's arguments are not what its table entry says. */
  'BAD_ARGUMENTS',
  'UNKNOWN_STEP',
  /** The segment was cancelled while the step ran. */
  'CANCELLED',
  /** No disk meets the hints, or none is large enough. */
  'NO_SUITABLE_DISK',
  /** Hints that more than one disk meets. */
  'AMBIGUOUS_DISK',
  /** The disk chosen at the first attempt is not the one that is there. */
  'DISK_CHANGED',
  /** No image was written in this boot and no disk was named. */
  'NO_IMAGE_WRITTEN',
  'IMAGE_TOO_LARGE',
  /** An image made for 512-byte sectors and a disk with others. */
  'SECTOR_SIZE_MISMATCH',
  /** The block map is unreadable or not the one that was ordered. */
  'BAD_BLOCK_MAP',
  'DIGEST_MISMATCH',
  'DEPOT_UNREACHABLE',
  /** The depot answered with a refusal (token, unknown exit). */
  'DEPOT_REFUSED',
  'READ_FAILED',
  'WRITE_FAILED',
  'PARTITION_FAILED',
  'CONFIG_DRIVE_FAILED',
  'BOOT_ENTRY_FAILED',
  /** The written disk holds nothing that this firmware could boot. */
  'NOT_BOOTABLE',
  'ERASE_FAILED',
  'INSPECT_FAILED',
  /** A defect of the agent. */
  'INTERNAL',
] as const;
export type StepErrorCode = (typeof STEP_ERROR_CODES)[number];

/** Ironic's root-device hints: values as in `properties.root_device`, operators inside the strings. */
export type RootDeviceHints = { readonly [name: string]: string | number | boolean };

/** What makes a disk the same disk. Empty strings and nulls are "not known". */
export interface DiskIdentity {
  readonly name: string;
  readonly serial: string;
  readonly wwn: string | null;
  readonly byPath: string | null;
  readonly sizeBytes: number;
}

export interface ImageReference {
  /** The depot's address, such as `http://192.0.2.1:6387`; `/exits/{exitId}/map` and `/extents` are below it. */
  readonly baseUrl: string;
  readonly exitId: string;
  readonly token: string;
  /** Bytes of the raw image. */
  readonly sizeBytes: number;
  /** The block map's own `sha256` (lower-case hex), which vouches for every extent. */
  readonly mapSha256: string;
}

export interface WriteImageArgs {
  readonly image: ImageReference;
  readonly rootDeviceHints?: RootDeviceHints;
  /** The disk that an earlier boot of this run chose: it is taken again, or none. */
  readonly disk?: DiskIdentity;
}
export interface WriteImageResult {
  readonly disk: DiskIdentity;
  readonly imageSizeBytes: number;
  /** Used bytes, as written. */
  readonly writtenBytes: number;
  /** Bytes taken from the depot by all attempts in this boot. */
  readonly fetchedBytes: number;
  /** How the holes became zero. */
  readonly zeroedBy: 'write-zeroes' | 'written';
  readonly peakRssBytes: number;
  readonly durationMs: number;
}

export interface ConfigDriveArgs {
  readonly configDrive: {
    readonly metaData: JsonObject;
    readonly networkData?: Json;
    /** As the machine is to see it. */
    readonly userData?: string;
    /** Instead of userData, where that is no text. */
    readonly userDataBase64?: string;
    readonly vendorData?: Json;
    /** All else that a ready-made drive held. */
    readonly extraFiles?: ReadonlyArray<{ readonly path: string; readonly dataBase64: string }>;
  };
  /** One line of authorized_keys form that is added to the machine's `public_keys`. */
  readonly servicePublicKey?: string;
  readonly hostname?: string;
  /** From write_image's result: needed when the agent was started again since, checked when it was not. */
  readonly disk?: DiskIdentity;
}
export interface ConfigDriveResult {
  /** `ssh-ed25519 AAAA...`: the host key the machine will show. */
  readonly sshHostKey: string;
  readonly partition: {
    readonly number: number;
    readonly startBytes: number;
    readonly sizeBytes: number;
    readonly created: boolean;
  };
}

export interface PrepareBootArgs {
  readonly disk?: DiskIdentity;
}
export interface PrepareBootResult {
  readonly bootMode: 'bios' | 'uefi';
  /** The number of the entry made, such as `0005`; null on BIOS and where the fallback path is all there is to say. */
  readonly bootEntry: string | null;
  readonly removedEntries: readonly string[];
}

export interface EraseResult {
  readonly disks: ReadonlyArray<{
    readonly disk: DiskIdentity;
    readonly outcome: 'erased' | 'skipped';
    /** Why it was skipped: read-only, removable, too small. */
    readonly reason?: string;
  }>;
}

export type StepArgs = {
  inspect: object;
  erase_devices_metadata: object;
  write_image: WriteImageArgs;
  configdrive: ConfigDriveArgs;
  prepare_boot: PrepareBootArgs;
};

const sha256Hex: Check<string> = (value, path) => {
  const digest = text(64)(value, path);
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new CheckError(`${path}: expected 64 lower-case hex digits`);
  return digest;
};

/** Plain HTTP: what comes over it is verified by the block map's digests. */
const httpUrl: Check<string> = (value, path) => {
  const url = text(2048, 1)(value, path);
  if (!URL.canParse(url) || new URL(url).protocol !== 'http:') throw new CheckError(`${path}: expected an http:// URL`);
  return url;
};

const hints: Check<RootDeviceHints> = (value, path) => {
  const entries = Object.entries(jsonObject(value, path));
  if (entries.length > 32) throw new CheckError(`${path}: at most 32 hints are allowed`);
  return Object.fromEntries(
    entries.map(([name, hint]) => {
      if (typeof hint === 'string') return [name, text(1024)(hint, `${path}.${name}`)];
      if (typeof hint === 'number' || typeof hint === 'boolean') return [name, hint];
      throw new CheckError(`${path}.${name}: expected a string, a number, true or false`);
    }),
  );
};

export const checkDiskIdentity: Check<DiskIdentity> = object<DiskIdentity>({
  name: text(256, 1),
  serial: text(256),
  wwn: nullable(text(256)),
  byPath: nullable(text(512)),
  sizeBytes: integer(1),
});

const anyJson: Check<Json> = (value) => value as Json;

const base64: Check<string> = (value, path) => {
  const encoded = text(1024 * 1024)(value, path);
  if (encoded.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded))
    throw new CheckError(`${path}: expected base64 text`);
  return encoded;
};

const NO_ARGS: Check<object> = object<object>({});

const STEP_CHECKS: { readonly [K in AgentStepName]: Check<StepArgs[K]> } = {
  inspect: NO_ARGS,
  erase_devices_metadata: NO_ARGS,
  write_image: object<WriteImageArgs>({
    image: object<ImageReference>({
      baseUrl: httpUrl,
      exitId: text(256, 1),
      token: text(1024, 1),
      sizeBytes: integer(1),
      mapSha256: sha256Hex,
    }),
    rootDeviceHints: optional(hints),
    disk: optional(checkDiskIdentity),
  }),
  configdrive: object<ConfigDriveArgs>({
    configDrive: object<ConfigDriveArgs['configDrive']>({
      metaData: jsonObject,
      networkData: optional(anyJson),
      userData: optional(text(1024 * 1024)),
      userDataBase64: optional(base64),
      vendorData: optional(anyJson),
      extraFiles: optional(
        list(object<{ path: string; dataBase64: string }>({ path: text(1024, 1), dataBase64: base64 }), 1024),
      ),
    }),
    servicePublicKey: optional(text(16_384, 1)),
    hostname: optional(text(255, 1)),
    disk: optional(checkDiskIdentity),
  }),
  prepare_boot: object<PrepareBootArgs>({ disk: optional(checkDiskIdentity) }),
};

/** Checks the arguments of a step; the error names the field. */
export function parseStepArgs<K extends AgentStepName>(name: K, args: unknown): Result<StepArgs[K]> {
  return checked<StepArgs[K]>(STEP_CHECKS[name], args, `${name} args`);
}
