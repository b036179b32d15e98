/** The archive format of an initramfs: cpio "newc" (kernel documentation, "initramfs buffer format"). */

export interface CpioEntry {
  /** Without a leading slash. */
  readonly path: string;
  /** File type and permission bits, as in stat(2). */
  readonly mode: number;
  /** Content of a file, target of a symbolic link; empty for a directory. */
  readonly data: Uint8Array;
}

const padTo4 = (length: number): number => (4 - (length % 4)) % 4;

/**
 * One entry. Owner is root and time is the epoch, so that equal content gives equal archives. `inode` must differ between
 * entries: equal numbers would be hard links.
 */
export function cpioEntry(entry: CpioEntry, inode: number): Buffer {
  const name = Buffer.from(`${entry.path}\0`);
  const isDirectory = (entry.mode & 0o170000) === 0o040000;
  const fields = [inode, entry.mode, 0, 0, isDirectory ? 2 : 1, 0, entry.data.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return Buffer.concat([
    header,
    name,
    Buffer.alloc(padTo4(header.length + name.length)),
    entry.data,
    Buffer.alloc(padTo4(entry.data.length)),
  ]);
}

/** The end of an archive. Archives may follow each other: the kernel goes on with the next. */
export function cpioTrailer(): Buffer {
  return cpioEntry({ path: 'TRAILER!!!', mode: 0, data: new Uint8Array() }, 0);
}

export const directory = (path: string): CpioEntry => ({ path, mode: 0o040755, data: new Uint8Array() });
export const symlink = (path: string, target: string): CpioEntry => ({
  path,
  mode: 0o120777,
  data: Buffer.from(target),
});
export const regularFile = (path: string, data: Uint8Array, permissions = 0o644): CpioEntry => ({
  path,
  mode: 0o100000 | permissions,
  data,
});
