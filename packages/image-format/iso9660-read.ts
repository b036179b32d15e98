import {
  ISO_FIRST_DESCRIPTOR_SECTOR,
  ISO_MAX_DEPTH,
  ISO_MAX_FILES,
  ISO_SECTOR_BYTES,
  ISO_STANDARD_ID,
  type IsoFile,
  isIsoName,
  JOLIET_ESCAPES,
} from './iso9660-layout.ts';
import { type FormatError, fail, ok, type Result } from './result.ts';

export interface IsoContents {
  readonly volumeLabel: string;
  readonly files: readonly IsoFile[];
}

type Names = 'rock-ridge' | 'joliet' | 'plain';

interface Entry {
  readonly name: string;
  readonly sector: number;
  readonly size: number;
  readonly isDirectory: boolean;
}

const MAX_DESCRIPTORS = 32;
const MAX_CONTINUATIONS = 8;

/** Thrown and caught inside this file only: a walk over hostile bytes has many places to stop. */
class Stop extends Error {
  readonly code: FormatError['code'];
  constructor(code: FormatError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Reads all files of an ISO 9660 image, by Rock Ridge names where there are some, else Joliet's, else plain ones in lower case.
 * Every offset is checked against the image, directory loops, depth and number of entries are bounded, and the sum of all
 * files is at most `maxBytes` (several records may point to the same bytes). Names that could leave the tree are refused.
 */
export function readIso9660(image: Uint8Array, maxBytes: number): Result<IsoContents> {
  try {
    return ok(read(Buffer.from(image.buffer, image.byteOffset, image.length), maxBytes));
  } catch (error) {
    if (error instanceof Stop) return fail(error.code, error.message);
    throw error;
  }
}

function slice(image: Buffer, at: number, length: number, what: string): Buffer {
  if (at < 0 || length < 0 || at + length > image.length)
    throw new Stop('MALFORMED', `${what} of the ISO image lies outside of its ${image.length} bytes`);
  return image.subarray(at, at + length);
}

function read(image: Buffer, maxBytes: number): IsoContents {
  let primary: Buffer | undefined;
  let joliet: Buffer | undefined;
  for (let i = 0; i < MAX_DESCRIPTORS; i++) {
    const d = slice(
      image,
      (ISO_FIRST_DESCRIPTOR_SECTOR + i) * ISO_SECTOR_BYTES,
      ISO_SECTOR_BYTES,
      'a volume descriptor',
    );
    if (d.toString('latin1', 1, 6) !== ISO_STANDARD_ID)
      throw new Stop('MALFORMED', 'no ISO 9660 volume descriptor: the bytes are no ISO image');
    if (d[0] === 255) break;
    if (d[0] === 1) primary ??= d;
    if (d[0] === 2 && JOLIET_ESCAPES.includes(d.toString('latin1', 88, 91))) joliet ??= d;
  }
  if (!primary) throw new Stop('MALFORMED', 'the ISO image has no primary volume descriptor');
  if (primary.readUInt16LE(128) !== ISO_SECTOR_BYTES)
    throw new Stop(
      'UNSUPPORTED',
      `an ISO image with blocks of ${primary.readUInt16LE(128)} bytes, only ${ISO_SECTOR_BYTES} are supported`,
    );
  const root = rootOf(primary);
  const skip = suspSkip(image, root);
  const names: Names = skip !== undefined ? 'rock-ridge' : joliet ? 'joliet' : 'plain';
  const start = names === 'joliet' && joliet ? rootOf(joliet) : root;
  return {
    volumeLabel: primary.toString('latin1', 40, 72).trimEnd(),
    files: walk(image, start, names, skip ?? 0, maxBytes),
  };
}

function rootOf(descriptor: Buffer): Entry {
  return { name: '', sector: descriptor.readUInt32LE(158), size: descriptor.readUInt32LE(166), isDirectory: true };
}

function walk(image: Buffer, root: Entry, names: Names, skip: number, maxBytes: number): IsoFile[] {
  const files = new Map<string, IsoFile>();
  const visited = new Set<number>();
  let count = 0;
  let bytes = 0;
  const visit = (directory: Entry, prefix: string, depth: number): void => {
    if (depth > ISO_MAX_DEPTH) throw new Stop('LIMIT', `the ISO image nests directories deeper than ${ISO_MAX_DEPTH}`);
    if (visited.has(directory.sector))
      throw new Stop('MALFORMED', `the directories of the ISO image form a loop at "${prefix}"`);
    visited.add(directory.sector);
    for (const entry of entriesOf(image, directory, names, skip)) {
      if (++count > ISO_MAX_FILES) throw new Stop('LIMIT', `the ISO image holds more than ${ISO_MAX_FILES} entries`);
      if (!isIsoName(entry.name))
        throw new Stop(
          'MALFORMED',
          `the ISO image holds a file with the name ${JSON.stringify(entry.name.slice(0, 100))}, which is not allowed`,
        );
      const path = `${prefix}${entry.name}`;
      if (entry.isDirectory) {
        visit(entry, `${path}/`, depth + 1);
        continue;
      }
      bytes += entry.size;
      if (bytes > maxBytes) throw new Stop('LIMIT', `the files of the ISO image are more than ${maxBytes} bytes`);
      if (files.has(path)) throw new Stop('MALFORMED', `the ISO image holds "${path}" twice`);
      const data =
        entry.size === 0
          ? new Uint8Array(0)
          : slice(image, entry.sector * ISO_SECTOR_BYTES, entry.size, `file "${path}"`);
      files.set(path, { path, data });
    }
  };
  visit(root, '', 0);
  return [...files.values()];
}

/** The records of one directory (ECMA-119 section 9.1), without the two for itself and its parent. */
function entriesOf(image: Buffer, directory: Entry, names: Names, skip: number): Entry[] {
  const found: Entry[] = [];
  for (const r of recordsOf(image, directory)) {
    const idLength = r[32] ?? 0;
    const id = slice(r, 33, idLength, 'a name');
    if (idLength === 1 && (id[0] === 0 || id[0] === 1)) continue;
    const flags = r[25] ?? 0;
    if (flags & 0x80)
      throw new Stop('UNSUPPORTED', 'the ISO image holds a file in several extents, which is not supported');
    const base = { sector: r.readUInt32LE(2), size: r.readUInt32LE(10), isDirectory: (flags & 2) !== 0 };
    if (names === 'rock-ridge') {
      const name = rockRidgeName(image, r.subarray(33 + idLength + (idLength % 2 === 0 ? 1 : 0) + skip));
      if (name.isLink) continue;
      found.push({ ...base, name: name.text ?? plainName(id.toString('latin1')) });
    } else if (names === 'joliet') {
      if (idLength % 2 !== 0) throw new Stop('MALFORMED', 'a Joliet name of the ISO image has an odd length');
      found.push({ ...base, name: Buffer.from(id).swap16().toString('utf16le').replace(/;\d+$/, '') });
    } else {
      found.push({ ...base, name: plainName(id.toString('latin1')) });
    }
  }
  return found;
}

function recordsOf(image: Buffer, directory: Entry): Buffer[] {
  const data = slice(image, directory.sector * ISO_SECTOR_BYTES, directory.size, 'a directory');
  const records: Buffer[] = [];
  let at = 0;
  while (at < data.length) {
    const length = data[at] ?? 0;
    if (length === 0) {
      at = (Math.floor(at / ISO_SECTOR_BYTES) + 1) * ISO_SECTOR_BYTES;
      continue;
    }
    if (length < 34) throw new Stop('MALFORMED', `a directory record of ${length} bytes in the ISO image`);
    records.push(slice(data, at, length, 'a directory record'));
    at += length;
  }
  return records;
}

function plainName(id: string): string {
  return id.replace(/;\d+$/, '').replace(/\.$/, '').toLowerCase();
}

/** Bytes to skip in each system use area when the root's own record says that SUSP is in use (SUSP 1.12 section 5.3). */
function suspSkip(image: Buffer, root: Entry): number | undefined {
  const self = recordsOf(image, root)[0];
  if (!self) return undefined;
  const area = self.subarray(34);
  if (area.length < 7 || area.toString('latin1', 0, 2) !== 'SP' || area[4] !== 0xbe || area[5] !== 0xef)
    return undefined;
  return area[6];
}

/** The NM fields of a system use area, its continuations included (IEEE P1282 section 4.1.4, SUSP 1.12 section 5.1). */
function rockRidgeName(image: Buffer, systemUse: Buffer): { text?: string; isLink: boolean } {
  const parts: Buffer[] = [];
  let isLink = false;
  let area: Buffer | undefined = systemUse;
  for (let hops = 0; area; hops++) {
    if (hops > MAX_CONTINUATIONS) throw new Stop('LIMIT', 'a name of the ISO image has too many continuation areas');
    let following: Buffer | undefined;
    for (let at = 0; at + 4 <= area.length; ) {
      const length: number = area[at + 2] ?? 0;
      if (length < 4 || at + length > area.length) break;
      const tag: string = area.toString('latin1', at, at + 2);
      const body: Buffer = area.subarray(at + 4, at + length);
      at += length;
      if (tag === 'ST') break;
      if (tag === 'SL') isLink = true;
      if (tag === 'CL' || tag === 'PL' || tag === 'RE')
        throw new Stop('UNSUPPORTED', 'the ISO image has relocated directories, which are not supported');
      if (tag === 'NM' && body.length > 0 && ((body[0] ?? 0) & 0x06) === 0) parts.push(body.subarray(1));
      if (tag === 'CE' && body.length >= 24)
        following = slice(
          image,
          body.readUInt32LE(0) * ISO_SECTOR_BYTES + body.readUInt32LE(8),
          body.readUInt32LE(16),
          'a continuation area',
        );
    }
    area = following;
  }
  return parts.length > 0 ? { text: Buffer.concat(parts).toString('utf8'), isLink } : { isLink };
}
