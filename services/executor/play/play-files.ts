/** The controller's half of `copy`: finds files that travel with a play, and packs each once. */
import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { MAX_FILES_BYTES, type Play } from '@bessemer/executor-protocol';

export interface PlayFiles {
  /** The place of a file in the payload, or what is wrong with it. */
  place(path: string): readonly [number, number] | string;
  payload(): Uint8Array;
}

/** Looks in `play.files`, then below `play.filesRoot` (the path itself and, as Ansible does, `files/`). Nothing outside it is read. */
export function createPlayFiles(play: Play): PlayFiles {
  const places = new Map<string, readonly [number, number]>();
  const chunks: Uint8Array[] = [];
  let totalBytes = 0;

  function find(path: string): Uint8Array | string {
    const given = play.files?.[path];
    if (given !== undefined) return Buffer.from(given, 'base64');
    if (play.filesRoot === undefined) return `the file '${path}' was not given with the play`;
    const root = realpathSync(play.filesRoot);
    for (const candidate of [join('files', path), path]) {
      const data = readBelow(root, isAbsolute(path) ? path : resolve(root, candidate));
      if (data !== undefined) return data;
    }
    return `the file '${path}' is not below ${play.filesRoot} (there or in its folder 'files')`;
  }

  return {
    place(path) {
      const known = places.get(path);
      if (known) return known;
      const data = find(path);
      if (typeof data === 'string') return data;
      if (totalBytes + data.length > MAX_FILES_BYTES)
        return `with '${path}' the files are more than ${MAX_FILES_BYTES} bytes`;
      const place = [totalBytes, data.length] as const;
      totalBytes += data.length;
      chunks.push(data);
      places.set(path, place);
      return place;
    },
    payload: () => Buffer.concat(chunks),
  };
}

/** A regular file whose real path is below `root`; links that lead out of it are not followed out. */
function readBelow(root: string, path: string): Uint8Array | undefined {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    return undefined;
  }
  const inside = relative(root, real);
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) return undefined;
  const fd = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(fd);
    return fstatSync(fd).isFile() && size <= MAX_FILES_BYTES ? readFileSync(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}
