/** Ports of a machine that is only memory: for tests and the simulator. All time goes through the given clock. */
import type { ImageReference, Inventory, InventoryDisk } from '@bessemer/agent-protocol';
import { digestOf, makeBlockMap, type BlockMap, type SectorSizeBytes } from '@bessemer/image-format';
import { sleep, type Clock, type MessageChannel } from '@bessemer/ports';
import { ImageSourceError, type DiskHandle, type Disks, type Hardware, type ImageSource } from './ports.ts';

/**
 * Two ends of one channel; what is sent arrives `latencyMs` later. Closing either end closes both: what the closing side had
 * sent still arrives, what is on its way to it does not.
 */
export function memoryChannel(clock: Clock, latencyMs = 0): [MessageChannel, MessageChannel] {
  interface End {
    readonly onMessage: Array<(message: string) => void>;
    readonly onClose: Array<(reason: string) => void>;
  }
  const ends: readonly [End, End] = [
    { onMessage: [], onClose: [] },
    { onMessage: [], onClose: [] },
  ];
  let closer: End | undefined;
  const side = (own: End, other: End): MessageChannel => ({
    bufferedBytes: 0,
    send(message) {
      if (closer) return;
      clock.setTimer(latencyMs, () => {
        if (!closer || closer === own) for (const listener of other.onMessage) listener(message);
      });
    },
    onMessage: (listener) => void own.onMessage.push(listener),
    onClose: (listener) => void own.onClose.push(listener),
    close(reason = 'closed') {
      if (closer) return;
      closer = own;
      clock.setTimer(latencyMs, () => {
        for (const end of ends) for (const listener of end.onClose) listener(reason);
      });
    },
  });
  return [side(ends[0], ends[1]), side(ends[1], ends[0])];
}

/** An inventory's disk with sensible values for what is not given. */
export function fakeDisk(facts: Partial<InventoryDisk> & { name: string }): InventoryDisk {
  return {
    model: 'FAKE DISK',
    vendor: 'FAKE',
    serial: `serial-${facts.name.slice(5)}`,
    wwn: null,
    wwn_with_extension: null,
    wwn_vendor_extension: null,
    size: 8 * 1024 ** 3,
    rotational: false,
    hctl: null,
    by_path: null,
    logical_sectors: 512,
    physical_sectors: 512,
    tran: null,
    removable: false,
    read_only: false,
    ...facts,
  };
}

const PAGE_BYTES = 4096;

/** A disk's contents: pages that were never written read as `filler`. */
export interface FakeMedium {
  read(offset: number, length: number): Uint8Array;
  write(offset: number, data: Uint8Array): void;
  zero(offset: number, length: number): void;
}

export function createMedium(filler = 0): FakeMedium {
  const pages = new Map<number, Uint8Array>();
  const page = (number: number): Uint8Array => {
    let found = pages.get(number);
    if (!found) pages.set(number, (found = new Uint8Array(PAGE_BYTES).fill(filler)));
    return found;
  };
  const pieces = function* (
    offset: number,
    length: number,
  ): Generator<[page: number, from: number, to: number, at: number]> {
    for (let at = 0; at < length; ) {
      const from = (offset + at) % PAGE_BYTES;
      const to = Math.min(PAGE_BYTES, from + length - at);
      yield [Math.floor((offset + at) / PAGE_BYTES), from, to, at];
      at += to - from;
    }
  };
  return {
    read(offset, length) {
      const result = new Uint8Array(length).fill(filler);
      for (const [number, from, to, at] of pieces(offset, length)) {
        const found = pages.get(number);
        if (found) result.set(found.subarray(from, to), at);
      }
      return result;
    },
    write(offset, data) {
      for (const [number, from, to, at] of pieces(offset, data.length)) {
        const piece = data.subarray(at, at + to - from);
        // Thousands of machines fit in memory when pages of zeroes take none.
        if (filler === 0 && piece.length === PAGE_BYTES && piece.every((byte) => byte === 0)) pages.delete(number);
        else page(number).set(piece, from);
      }
    },
    zero(offset, length) {
      if (filler === 0 && offset % PAGE_BYTES === 0 && length % PAGE_BYTES === 0) {
        for (const number of pages.keys())
          if (number * PAGE_BYTES >= offset && number * PAGE_BYTES < offset + length) pages.delete(number);
      } else for (const [number, from, to] of pieces(offset, length)) page(number).fill(0, from, to);
    },
  };
}

export interface FakeDisksOptions {
  readonly clock: Clock;
  /** May be changed at any time: a disk may vanish or turn up under another name. */
  readonly disks: InventoryDisk[];
  /** What is on them, by serial number. */
  readonly media?: Map<string, FakeMedium>;
  readonly writeBytesPerSecond?: number;
  /** Whether the disks can zero by themselves. */
  readonly zeroesByItself?: boolean;
  /** Called before each write; what it throws is the write's failure. */
  readonly onWrite?: (disk: InventoryDisk, offset: number, length: number) => void;
}

export interface FakeDisks extends Disks {
  medium(serial: string): FakeMedium;
}

export function createFakeDisks(options: FakeDisksOptions): FakeDisks {
  const { clock, disks, media = new Map<string, FakeMedium>(), zeroesByItself = true } = options;
  const medium = (serial: string): FakeMedium => {
    let found = media.get(serial);
    if (!found) media.set(serial, (found = createMedium()));
    return found;
  };
  const pools = new Map<number, Uint8Array[]>();
  return {
    medium,
    list: async () => disks.map((disk) => ({ ...disk })),
    async open(name): Promise<DiskHandle> {
      const disk = disks.find((candidate) => candidate.name === name);
      if (!disk) throw new Error(`no such device: ${name}`);
      const content = medium(disk.serial);
      const put = async (offset: number, data: Uint8Array): Promise<void> => {
        if (offset % disk.logical_sectors !== 0 || data.length % disk.logical_sectors !== 0)
          throw new RangeError(`unaligned write of ${data.length} at ${offset}`);
        if (offset + data.length > disk.size) throw new RangeError('write behind the end of the disk');
        options.onWrite?.(disk, offset, data.length);
        content.write(offset, data);
        if (options.writeBytesPerSecond) await sleep(clock, (data.length * 1000) / options.writeBytesPerSecond);
      };
      return {
        sizeBytes: disk.size,
        sectorSizeBytes: disk.logical_sectors,
        read: async (offset, length) => content.read(offset, length),
        write: put,
        async writeZeroes(offset, length) {
          if (!zeroesByItself) return false;
          options.onWrite?.(disk, offset, length);
          content.zero(offset, length);
          return true;
        },
        async flush() {},
        async close() {},
      };
    },
    async release() {},
    async rereadPartitions() {},
    buffers(count, sizeBytes) {
      const pool = pools.get(sizeBytes) ?? [];
      pools.set(sizeBytes, pool);
      while (pool.length < count) pool.push(new Uint8Array(sizeBytes));
      return pool.slice(0, count);
    },
  };
}

export interface FakeHardware extends Hardware {
  /** Orders to the power, in order. */
  readonly powerOrders: Array<'reboot' | 'poweroff'>;
  readonly entries: Array<{ number: string; label: string; loader?: string }>;
  readonly bootNext: () => string | undefined;
}

export function createFakeHardware(options: {
  bootId: string;
  disks: Disks;
  bootMode?: 'bios' | 'uefi';
  mac?: string;
  serial?: string;
  loaders?: string[];
  entries?: Array<{ number: string; label: string }>;
  onPower?: (action: 'reboot' | 'poweroff') => void;
}): FakeHardware {
  const bootMode = options.bootMode ?? 'uefi';
  const powerOrders: Array<'reboot' | 'poweroff'> = [];
  const entries: FakeHardware['entries'] = [...(options.entries ?? [])];
  let next: string | undefined;
  return {
    powerOrders,
    entries,
    bootNext: () => next,
    bootId: async () => options.bootId,
    bootMode: () => bootMode,
    rssBytes: () => 64 * 1024 * 1024,
    async inventory(): Promise<Inventory> {
      return {
        interfaces: [{ name: 'eth0', mac_address: options.mac ?? '52:54:00:00:00:01', has_carrier: true }],
        disks: await options.disks.list(),
        cpu: { model_name: 'Fake CPU', count: 2, architecture: 'x86_64' },
        memory: { total: 1024 ** 3, physical_mb: 1024 },
        system_vendor: {
          manufacturer: 'Fake',
          product_name: 'Machine',
          serial_number: options.serial ?? 'machine-1',
          uuid: '11111111-2222-4333-8444-555555555555',
        },
        boot: { current_boot_mode: bootMode, pxe_interface: options.mac ?? '52:54:00:00:00:01' },
        bmc_address: null,
      };
    },
    async power(action) {
      powerOrders.push(action);
      options.onPower?.(action);
    },
    efiLoaders: async () => options.loaders ?? ['\\EFI\\BOOT\\BOOTX64.EFI'],
    efiEntries: async () => entries.map(({ number, label }) => ({ number, label })),
    async createEfiEntry({ label, loader }) {
      const number = String(entries.length + 16).padStart(4, '0');
      entries.push({ number, label, loader });
      return number;
    },
    async removeEfiEntry(number) {
      const index = entries.findIndex((entry) => entry.number === number);
      if (index < 0) throw new Error(`no entry ${number}`);
      entries.splice(index, 1);
    },
    async setBootNext(number) {
      next = number;
    },
  };
}

/** A raw image with its block map: pages of zeroes are left out. */
export function imageOf(
  content: Uint8Array,
  options: { extentBytes?: number; sectorSizeBytes?: SectorSizeBytes } = {},
): { map: BlockMap; bytes: Uint8Array } {
  const extentBytes = options.extentBytes ?? 64 * 1024;
  const padded = new Uint8Array(Math.ceil(content.length / PAGE_BYTES) * PAGE_BYTES);
  padded.set(content);
  const extents = [];
  for (let offset = 0; offset < padded.length; offset += extentBytes) {
    const data = padded.subarray(offset, offset + extentBytes);
    if (data.some((byte) => byte !== 0))
      extents.push({ offset, length: data.length, sha256: digestOf('sha256', data) });
  }
  return { map: makeBlockMap(content.length, options.sectorSizeBytes ?? 512, extents), bytes: padded };
}

export interface FakeDepot extends ImageSource {
  /** Extent bytes given out. */
  readonly servedBytes: () => number;
  readonly requests: () => number;
}

/** A depot with one image. `before` runs ahead of each answer: it may throw or wait; `damage` may change what is served. */
export function createFakeDepot(options: {
  image: { map: BlockMap; bytes: Uint8Array };
  clock: Clock;
  bytesPerSecond?: number;
  before?: (request: { kind: 'map' | 'extents'; from: number }) => void | Promise<void>;
  damage?: (data: Uint8Array, from: number) => void;
}): FakeDepot {
  const { map, bytes } = options.image;
  let served = 0;
  let requests = 0;
  return {
    servedBytes: () => served,
    requests: () => requests,
    async map(_image: ImageReference, signal: AbortSignal) {
      signal.throwIfAborted();
      await options.before?.({ kind: 'map', from: 0 });
      return Buffer.from(JSON.stringify(map));
    },
    async extents(_image, from, count, target, signal) {
      signal.throwIfAborted();
      requests++;
      await options.before?.({ kind: 'extents', from });
      if (options.bytesPerSecond) await sleep(options.clock, (target.length * 1000) / options.bytesPerSecond, signal);
      let at = 0;
      for (const extent of map.extents.slice(from, from + count)) {
        target.set(bytes.subarray(extent.offset, extent.offset + extent.length), at);
        at += extent.length;
      }
      if (at !== target.length) throw new ImageSourceError('not what was asked for', false);
      served += at;
      options.damage?.(target, from);
    },
  };
}
