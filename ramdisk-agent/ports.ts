/** What the agent needs from its machine. `linux-*.ts` has the real ones, `testing.ts` those of tests and simulator. */
import type { DiskIdentity, ImageReference, Inventory, InventoryDisk, Progress } from '@bessemer/agent-protocol';
import type { Clock, MessageChannel, Random } from '@bessemer/ports';
import type { HostKey } from './host-key.ts';

/** Opens a channel to the service, or rejects with the reason (unreachable, wrong key). */
export type Connect = (url: string) => Promise<MessageChannel>;

export interface EfiBootEntry {
  /** Four hex digits. */
  readonly number: string;
  readonly label: string;
}

export interface Hardware {
  /** The same for the life of a boot: see proc_sys_kernel(5), random/boot_id. */
  bootId(): Promise<string>;
  inventory(): Promise<Inventory>;
  bootMode(): 'bios' | 'uefi';
  /** Resident memory of this process. */
  rssBytes(): number;
  /** Flushes and does it; on a real machine it does not return. */
  power(action: 'reboot' | 'poweroff'): Promise<void>;
  /** Paths of the EFI programs on an EFI system partition, such as `\EFI\BOOT\BOOTX64.EFI`. */
  efiLoaders(diskName: string, partitionNumber: number): Promise<string[]>;
  efiEntries(): Promise<EfiBootEntry[]>;
  /** Makes an entry for a partition (by its GUID) at the head of BootOrder; returns its number. */
  createEfiEntry(entry: { diskName: string; partitionNumber: number; label: string; loader: string }): Promise<string>;
  removeEfiEntry(number: string): Promise<void>;
  setBootNext(number: string): Promise<void>;
}

/** An open disk. Offsets and lengths are multiples of the sector size. */
export interface DiskHandle {
  readonly sizeBytes: number;
  readonly sectorSizeBytes: number;
  /** Exactly `length` bytes. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Writes all of `data`, past the page cache. Buffers of `Disks.buffers` are written without a copy. */
  write(offset: number, data: Uint8Array): Promise<void>;
  /** Zeroes a range by the device's own means. False when it has none: then nothing was done. */
  writeZeroes(offset: number, length: number): Promise<boolean>;
  /** Returns when all writes are on the medium. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface Disks {
  list(): Promise<InventoryDisk[]>;
  /** Takes the disk for itself: rejects when something of it is mounted or in use. */
  open(name: string): Promise<DiskHandle>;
  /** Stops what the kernel built from the disk (md arrays, LVM volumes, swap), so that it can be written. */
  release(name: string): Promise<void>;
  /** Lets the kernel see a new partition table. Never rejects: the machine boots from disk next. */
  rereadPartitions(name: string): Promise<void>;
  /** Page-aligned buffers for direct writes. Asked again, the same memory is given. */
  buffers(count: number, sizeBytes: number): Uint8Array[];
}

/** Why the depot did not give what was asked. `refused`: it answered, with a no (token, unknown exit). */
export class ImageSourceError extends Error {
  readonly refused: boolean;
  constructor(message: string, refused: boolean, options?: { cause?: unknown }) {
    super(message, options);
    this.refused = refused;
  }
}

/** The depot's HTTP exit. Rejects with ImageSourceError. */
export interface ImageSource {
  /** The block map's JSON. */
  map(image: ImageReference, signal: AbortSignal): Promise<Uint8Array>;
  /** Fills `target` with `count` extents, one after the other, from number `from`. */
  extents(image: ImageReference, from: number, count: number, target: Uint8Array, signal: AbortSignal): Promise<void>;
}

/** What a step may use. */
export interface StepContext extends StepServices {
  readonly run: string;
  /** Aborted when the segment is cancelled. */
  readonly signal: AbortSignal;
  progress(progress: Omit<Progress, 'ratePerSecond' | 'rssBytes'>): void;
  note(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
  readonly memory: StepMemory;
  /** Tells the service which disk is the run's, in a message that is kept: before the first byte is written to it. */
  choseDisk(disk: DiskIdentity): void;
}

export interface StepServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly hardware: Hardware;
  readonly disks: Disks;
  readonly http: ImageSource;
  /** SHA-256 in lower-case hex, on another thread than the one that receives. Left out, it is computed in place. */
  readonly sha256?: (data: Uint8Array) => Promise<string>;
}

/** What steps of one run leave for each other while the agent lives. */
export interface StepMemory {
  /** The disk of this run, fixed at the first choice. */
  disk?: DiskIdentity;
  /** What is on the disk already. */
  written?: WriteJournal;
  /** The host key of the machine to be. */
  hostKey?: HostKey;
}

/** The journal of an image write: enough to go on after a failure. */
export interface WriteJournal {
  readonly mapSha256: string;
  /** Old signatures and holes are zero. */
  prepared: boolean;
  zeroedBy: 'write-zeroes' | 'written';
  /** One byte per extent: 1 when it is verified and written. */
  readonly done: Uint8Array;
  /** The image's first and last MiB, written when all else is. */
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  fetchedBytes: number;
  complete: boolean;
}
