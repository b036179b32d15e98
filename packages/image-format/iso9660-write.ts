import {
  type CivilTime,
  civilTime,
  ISO_FIRST_DESCRIPTOR_SECTOR,
  ISO_MAX_DEPTH,
  ISO_MAX_FILES,
  ISO_SECTOR_BYTES,
  ISO_STANDARD_ID,
  type IsoFile,
  isIsoName,
} from './iso9660-layout.ts';
import { fail, ok, type Result } from './result.ts';

interface Node {
  readonly name: string;
  /** Name of the primary tree: 8.3, upper case, unique in its directory; files end in `;1`. */
  isoName: string;
  readonly parent: Directory | undefined;
}
interface FileNode extends Node {
  readonly kind: 'file';
  readonly data: Uint8Array;
  sector: number;
}
interface Directory extends Node {
  readonly kind: 'directory';
  readonly children: Map<string, FileNode | Directory>;
  /** Place in each tree's path table, from 1, and its first sector and size there. */
  readonly place: Record<Tree, { number: number; sector: number; size: number }>;
}
type Tree = 'primary' | 'joliet';
const TREES: readonly Tree[] = ['primary', 'joliet'];

export interface IsoImageInput {
  /** At most 16 ASCII characters, so that it fits the Joliet descriptor as well. */
  readonly volumeLabel: string;
  readonly files: readonly IsoFile[];
  /** All times in the image: the bytes depend on nothing else. */
  readonly timeMs: number;
  readonly maxBytes: number;
}

/**
 * Writes an ISO 9660 image with a Rock Ridge (IEEE P1282) and a Joliet tree: Linux shows real names by either. Files belong to
 * root and are readable by root alone, since a config drive carries secrets. The length is a multiple of 4096.
 */
export function writeIso9660(input: IsoImageInput): Result<Uint8Array> {
  if (!/^[\x20-\x7e]{1,16}$/.test(input.volumeLabel))
    return fail('MALFORMED', 'the volume label must be 1 to 16 ASCII characters');
  const tree = makeTree(input.files);
  if (!tree.ok) return tree;
  const directories = breadthFirst(tree.value);
  const files = directories.flatMap((d) => [...d.children.values()].filter((c) => c.kind === 'file'));

  // Sectors are given out in this order: descriptors, four path tables, both trees' directories, files.
  let next = ISO_FIRST_DESCRIPTOR_SECTOR + 3;
  const take = (bytes: number): number => {
    const sector = next;
    next += Math.ceil(bytes / ISO_SECTOR_BYTES);
    return sector;
  };
  const tableBytes: Record<Tree, number> = { primary: 0, joliet: 0 };
  const tableSectors: Record<Tree, { little: number; big: number }> = {
    primary: { little: 0, big: 0 },
    joliet: { little: 0, big: 0 },
  };
  const time = civilTime(input.timeMs);
  const numbered: Record<Tree, Directory[]> = { primary: [], joliet: [] };
  for (const t of TREES) {
    numbered[t] = pathTableOrder(tree.value, t);
    for (const [i, d] of numbered[t].entries()) d.place[t].number = i + 1;
    tableBytes[t] = pathTable(numbered[t], t, true).length;
    tableSectors[t] = { little: take(tableBytes[t]), big: take(tableBytes[t]) };
  }
  for (const t of TREES)
    for (const d of numbered[t]) {
      d.place[t].size = packRecords(directoryRecords(d, t, time)).length;
      d.place[t].sector = take(d.place[t].size);
    }
  for (const f of files) f.sector = f.data.length === 0 ? 0 : take(f.data.length);
  if (next % 2 === 1) next++;
  if (next * ISO_SECTOR_BYTES > input.maxBytes)
    return fail('LIMIT', `the image would be ${next * ISO_SECTOR_BYTES} bytes, at most ${input.maxBytes} are allowed`);

  const image = Buffer.alloc(next * ISO_SECTOR_BYTES);
  const put = (sector: number, data: Uint8Array): void => image.set(data, sector * ISO_SECTOR_BYTES);
  for (const [i, t] of TREES.entries()) {
    const root = tree.value.place[t];
    put(
      ISO_FIRST_DESCRIPTOR_SECTOR + i,
      descriptor(
        t,
        input.volumeLabel,
        next,
        tableBytes[t],
        tableSectors[t],
        record(Buffer.from([0]), root.sector, root.size, true, time),
        time,
      ),
    );
    put(tableSectors[t].little, pathTable(numbered[t], t, true));
    put(tableSectors[t].big, pathTable(numbered[t], t, false));
    for (const d of numbered[t]) put(d.place[t].sector, packRecords(directoryRecords(d, t, time)));
  }
  const terminator = Buffer.alloc(ISO_SECTOR_BYTES);
  terminator[0] = 255;
  terminator.write(ISO_STANDARD_ID, 1, 'latin1');
  terminator[6] = 1;
  put(ISO_FIRST_DESCRIPTOR_SECTOR + 2, terminator);
  for (const f of files) put(f.sector, f.data);
  return ok(image);
}

function makeTree(files: readonly IsoFile[]): Result<Directory> {
  if (files.length > ISO_MAX_FILES) return fail('LIMIT', `${files.length} files, at most ${ISO_MAX_FILES} are allowed`);
  const place = () => ({ primary: { number: 1, sector: 0, size: 0 }, joliet: { number: 1, sector: 0, size: 0 } });
  const directory = (name: string, parent: Directory | undefined): Directory => ({
    kind: 'directory',
    name,
    isoName: '',
    parent,
    children: new Map(),
    place: place(),
  });
  const root = directory('', undefined);
  for (const file of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const parts = file.path.split('/');
    const bad = parts.find((part) => !isIsoName(part));
    if (bad !== undefined)
      return fail(
        'MALFORMED',
        `"${file.path.slice(0, 200)}" cannot be a path in an ISO image because of "${bad.slice(0, 100)}"`,
      );
    if (parts.length > ISO_MAX_DEPTH + 1)
      return fail('LIMIT', `"${file.path.slice(0, 200)}" is nested deeper than ${ISO_MAX_DEPTH} directories`);
    let at = root;
    for (const part of parts.slice(0, -1)) {
      const found = at.children.get(part) ?? directory(part, at);
      if (found.kind === 'file') return fail('MALFORMED', `"${part}" is a file and a directory`);
      at.children.set(part, found);
      at = found;
    }
    const name = parts.at(-1) ?? '';
    if (at.children.has(name)) return fail('MALFORMED', `"${file.path.slice(0, 200)}" is there twice`);
    at.children.set(name, { kind: 'file', name, isoName: '', parent: at, data: file.data, sector: 0 });
  }
  for (const d of breadthFirst(root)) giveIsoNames(d);
  return ok(root);
}

function breadthFirst(root: Directory): Directory[] {
  const all = [root];
  for (const d of all) for (const c of d.children.values()) if (c.kind === 'directory') all.push(c);
  return all;
}

/** ECMA-119 section 10.1, level 1: eight and three d-characters. Clashes get a number in place of the last ones. */
function giveIsoNames(directory: Directory): void {
  const taken = new Set<string>();
  const clean = (text: string, length: number): string =>
    text
      .toUpperCase()
      .replaceAll(/[^A-Z0-9]/g, '_')
      .slice(0, length);
  for (const child of directory.children.values()) {
    const dot = child.kind === 'file' ? child.name.lastIndexOf('.') : -1;
    const stem = clean(dot > 0 ? child.name.slice(0, dot) : child.name, 8);
    const end = dot > 0 ? clean(child.name.slice(dot + 1), 3) : '';
    const form = (base: string): string => (child.kind === 'file' ? `${base}.${end};1` : base);
    let name = form(stem);
    for (let i = 1; taken.has(name); i++) name = form(`${stem.slice(0, 8 - String(i).length)}${i}`);
    taken.add(name);
    child.isoName = name;
  }
}

function identifier(node: FileNode | Directory, tree: Tree): Buffer {
  if (!node.parent) return Buffer.from([0]);
  if (tree === 'primary') return Buffer.from(node.isoName, 'latin1');
  return Buffer.from(node.name, 'utf16le').swap16();
}

/** ECMA-119 section 6.9.1: by level, then the parent's number, then identifier. */
function pathTableOrder(root: Directory, tree: Tree): Directory[] {
  const order = [root];
  for (const d of order) for (const c of sortedChildren(d, tree)) if (c.kind === 'directory') order.push(c);
  return order;
}

function sortedChildren(directory: Directory, tree: Tree): Array<FileNode | Directory> {
  return [...directory.children.values()].sort((a, b) => Buffer.compare(identifier(a, tree), identifier(b, tree)));
}

/** ECMA-119 section 9.4. */
function pathTable(directories: readonly Directory[], tree: Tree, littleEndian: boolean): Buffer {
  const rows = directories.map((d) => {
    const id = identifier(d, tree);
    const row = Buffer.alloc(8 + id.length + (id.length % 2));
    row[0] = id.length;
    const parent = (d.parent ?? d).place[tree].number;
    if (littleEndian) {
      row.writeUInt32LE(d.place[tree].sector, 2);
      row.writeUInt16LE(parent, 6);
    } else {
      row.writeUInt32BE(d.place[tree].sector, 2);
      row.writeUInt16BE(parent, 6);
    }
    row.set(id, 8);
    return row;
  });
  return Buffer.concat(rows);
}

function directoryRecords(directory: Directory, tree: Tree, time: CivilTime): Buffer[] {
  const self = directory.place[tree];
  const parent = (directory.parent ?? directory).place[tree];
  const rockRidge = tree === 'primary';
  const links = (d: Directory): number => 2 + [...d.children.values()].filter((c) => c.kind === 'directory').length;
  const extras = (mode: number, nlink: number, name?: string): Buffer =>
    rockRidge ? Buffer.concat([px(mode, nlink), tf(time), ...(name ? [nm(name)] : [])]) : Buffer.alloc(0);
  const dirMode = 0o040_500;
  const selfExtras = extras(dirMode, links(directory));
  // SUSP 1.12 section 5.3 and 5.5: SP and ER stand in the root's own record, and say that Rock Ridge is in use.
  const rootExtras = rockRidge && !directory.parent ? Buffer.concat([sp(), selfExtras, er()]) : selfExtras;
  return [
    record(Buffer.from([0]), self.sector, self.size, true, time, rootExtras),
    record(
      Buffer.from([1]),
      parent.sector,
      parent.size,
      true,
      time,
      extras(dirMode, links(directory.parent ?? directory)),
    ),
    ...sortedChildren(directory, tree).map((c) =>
      c.kind === 'directory'
        ? record(
            identifier(c, tree),
            c.place[tree].sector,
            c.place[tree].size,
            true,
            time,
            extras(dirMode, links(c), c.name),
          )
        : record(identifier(c, tree), c.sector, c.data.length, false, time, extras(0o100_400, 1, c.name)),
    ),
  ];
}

/** Directory records may not cross a sector's end (ECMA-119 section 6.8.1.1). */
function packRecords(records: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  let used = 0;
  for (const r of records) {
    const left = ISO_SECTOR_BYTES - (used % ISO_SECTOR_BYTES);
    if (r.length > left) {
      parts.push(Buffer.alloc(left));
      used += left;
    }
    parts.push(r);
    used += r.length;
  }
  parts.push(Buffer.alloc((ISO_SECTOR_BYTES - (used % ISO_SECTOR_BYTES)) % ISO_SECTOR_BYTES));
  return Buffer.concat(parts);
}

/** A number in both byte orders (ECMA-119 sections 7.2.3 and 7.3.3). */
function both32(value: number): Buffer {
  const b = Buffer.alloc(8);
  b.writeUInt32LE(value, 0);
  b.writeUInt32BE(value, 4);
  return b;
}
function both16(value: number): Buffer {
  const b = Buffer.alloc(4);
  b.writeUInt16LE(value, 0);
  b.writeUInt16BE(value, 2);
  return b;
}

/** ECMA-119 section 9.1. */
function record(
  id: Buffer,
  sector: number,
  size: number,
  isDirectory: boolean,
  time: CivilTime,
  systemUse: Buffer = Buffer.alloc(0),
): Buffer {
  const pad = id.length % 2 === 0 ? 1 : 0;
  const bare = 33 + id.length + pad + systemUse.length;
  const r = Buffer.alloc(bare + (bare % 2));
  r[0] = r.length;
  r.set(both32(sector), 2);
  r.set(both32(size), 10);
  r.set(shortTime(time), 18);
  r[25] = isDirectory ? 2 : 0;
  r.set(both16(1), 28);
  r[32] = id.length;
  r.set(id, 33);
  r.set(systemUse, 33 + id.length + pad);
  return r;
}

function shortTime(t: CivilTime): Buffer {
  return Buffer.from([t.year - 1900, t.month, t.day, t.hour, t.minute, t.second, 0]);
}

/** ECMA-119 section 8.4.26.1. */
function longTime(t: CivilTime | undefined): Buffer {
  const two = (n: number): string => String(n).padStart(2, '0');
  const digits = t ? `${t.year}${[t.month, t.day, t.hour, t.minute, t.second].map(two).join('')}00` : '0'.repeat(16);
  return Buffer.from(`${digits}\0`, 'latin1');
}

// Rock Ridge fields: IEEE P1282 sections 4.1.1 (PX), 4.1.4 (NM), 4.1.6 (TF); SUSP 1.12 sections 5.3 (SP), 5.5 (ER).
const field = (name: string, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(name), Buffer.from([4 + body.length, 1]), body]);
const px = (mode: number, nlink: number): Buffer =>
  field('PX', Buffer.concat([both32(mode), both32(nlink), both32(0), both32(0)]));
const tf = (time: CivilTime): Buffer =>
  field('TF', Buffer.concat([Buffer.from([0x0e]), shortTime(time), shortTime(time), shortTime(time)]));
const nm = (name: string): Buffer => field('NM', Buffer.concat([Buffer.from([0]), Buffer.from(name)]));
const sp = (): Buffer => field('SP', Buffer.from([0xbe, 0xef, 0]));
const er = (): Buffer => field('ER', Buffer.concat([Buffer.from([10, 0, 0, 1]), Buffer.from('RRIP_1991A')]));

/** ECMA-119 sections 8.4 and 8.5. */
function descriptor(
  tree: Tree,
  label: string,
  sectors: number,
  tableBytes: number,
  tables: { little: number; big: number },
  root: Buffer,
  time: CivilTime,
): Buffer {
  const joliet = tree === 'joliet';
  const d = Buffer.alloc(ISO_SECTOR_BYTES);
  const text = (value: string, at: number, length: number): void => {
    const padded = joliet
      ? Buffer.from(value.padEnd(Math.floor(length / 2)), 'utf16le').swap16()
      : Buffer.from(value.padEnd(length), 'latin1');
    d.set(padded.subarray(0, length), at);
  };
  d[0] = joliet ? 2 : 1;
  d.write(ISO_STANDARD_ID, 1, 'latin1');
  d[6] = 1;
  text('LINUX', 8, 32);
  text(label, 40, 32);
  d.set(both32(sectors), 80);
  if (joliet) d.write('%/E', 88, 'latin1');
  d.set(both16(1), 120);
  d.set(both16(1), 124);
  d.set(both16(ISO_SECTOR_BYTES), 128);
  d.set(both32(tableBytes), 132);
  d.writeUInt32LE(tables.little, 140);
  d.writeUInt32BE(tables.big, 148);
  d.set(root, 156);
  for (const [at, length] of [
    [190, 128],
    [318, 128],
    [446, 128],
    [574, 128],
    [702, 37],
    [739, 37],
    [776, 37],
  ] as const)
    text('', at, length);
  d.set(longTime(time), 813);
  d.set(longTime(time), 830);
  d.set(longTime(undefined), 847);
  d.set(longTime(undefined), 864);
  d[881] = 1;
  return d;
}
