/** Files below one folder as TFTP (or anything else that reads by offset) wants them. The real file system's adapter. */
import { open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import type { OpenResult } from './server.ts';

/**
 * An `open` for `createTftpServer` that serves the regular files below `root`, and nothing else: `..` and symbolic links
 * that lead outside are denied. A leading slash means `root` itself, and backslashes are slashes: firmware writes both.
 */
export function openFromFolder(root: string): (path: string) => Promise<OpenResult> {
  return async (path) => {
    const parts = path
      .replaceAll('\\', '/')
      .split('/')
      .filter((part) => part !== '' && part !== '.');
    if (parts.length === 0 || parts.includes('..') || path.includes('\0')) return { error: 'denied' };
    try {
      const top = await realpath(root);
      const file = await realpath(join(top, ...parts));
      const inside = relative(top, file);
      if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) return { error: 'denied' };
      return await openFile(file);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return { error: 'not-found' };
      if (code === 'EACCES' || code === 'EPERM' || code === 'ELOOP') return { error: 'denied' };
      throw error;
    }
  };
}

async function openFile(file: string): Promise<OpenResult> {
  // Looked at before it is opened: opening a FIFO waits for its writer.
  if (!(await stat(file)).isFile()) return { error: 'denied' };
  const handle = await open(file, 'r');
  return {
    sizeBytes: (await handle.stat()).size,
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    },
    close: () => handle.close(),
  };
}
