/** Reading Linux's /sys: every attribute may be missing. */
import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { basename } from 'node:path';

/** An attribute's text without surrounding space; undefined when it is not there or not readable. */
export async function attribute(path: string): Promise<string | undefined> {
  try {
    // Some attributes (product_uuid of old firmware) hold bytes that are no text.
    return (await readFile(path, 'latin1')).replaceAll(/[^\x20-\x7e\n]/g, '').trim();
  } catch {
    return undefined;
  }
}

/** An attribute that is a whole number. */
export async function numberAttribute(path: string): Promise<number | undefined> {
  const text = await attribute(path);
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

export async function binaryAttribute(path: string): Promise<Uint8Array | undefined> {
  return readFile(path).catch(() => undefined);
}

export async function entries(path: string): Promise<string[]> {
  return (await readdir(path).catch(() => [])).toSorted();
}

/** The last part of what a link points to, such as a driver's name. */
export async function linkName(path: string): Promise<string | undefined> {
  return readlink(path).then(basename, () => undefined);
}

export async function resolved(path: string): Promise<string | undefined> {
  return realpath(path).catch(() => undefined);
}
