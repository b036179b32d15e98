import { constants } from 'node:fs';
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printableHref } from '@bessemer/core';
import { type ExpectedDigest, parseExpectedDigest } from '@bessemer/image-format';
import { ImageError, systemCode } from './errors.ts';
import type { ImageSource } from './types.ts';

/** A source that may be asked for. `key` names what it must contain. */
export interface CheckedSource {
  readonly href: URL;
  readonly digest: ExpectedDigest;
  readonly key: string;
  readonly declaredFormat: string | undefined;
}

/** Never image sources, whatever the configuration allows: they hold the machine, not files. */
const NEVER = ['/dev', '/proc', '/sys', '/run', '/etc', '/boot', '/root/.ssh'];

/** Checks address, checksum and declared format without touching anything. Throws ImageError. */
export function checkSource(source: ImageSource): CheckedSource {
  const href = URL.canParse(source.href) ? new URL(source.href) : undefined;
  if (!href || !['http:', 'https:', 'file:'].includes(href.protocol))
    throw new ImageError(
      'FORBIDDEN_SOURCE',
      `${printableHref(source.href)} is no address of an image: http, https and file are supported`,
    );
  if (!source.checksum)
    throw new ImageError(
      'FORBIDDEN_SOURCE',
      'the image has no checksum: give image_os_hash_algo and image_os_hash_value, or image_checksum',
    );
  const parsed = parseExpectedDigest(source.checksum, source.checksumAlgorithm);
  if (!parsed.ok) throw new ImageError('FORBIDDEN_SOURCE', parsed.error.message);
  const digest = parsed.value;
  const declaredFormat = source.diskFormat?.toLowerCase();
  if (declaredFormat && !['raw', 'qcow2'].includes(declaredFormat))
    throw new ImageError(
      'UNSUPPORTED_FORMAT',
      `disk format ${declaredFormat.slice(0, 32)} is not supported: raw and qcow2 are`,
    );
  return { href, digest, key: `${digest.algorithm}-${digest.hex}`, declaredFormat };
}

/**
 * Opens a `file:` source below one of the allowed roots. What counts is the file that was opened, not its name: symbolic links
 * are resolved, and the descriptor is asked for its path, so that a swap in between is noticed. The caller closes it.
 */
export async function openFileSource(href: URL, allowedRoots: readonly string[]): Promise<FileHandle> {
  const shown = printableHref(href);
  let handle: FileHandle;
  try {
    if (href.host !== '' && href.host !== 'localhost')
      throw new ImageError('FORBIDDEN_SOURCE', `${shown} names another machine: use file:///path`);
    const named = fileURLToPath(href);
    // By its name first, so that the answer tells nothing about files out of bounds, not even whether they exist.
    if (!(await isAllowed(named, allowedRoots))) throw forbidden(shown, allowedRoots);
    const path = await realpath(named);
    if (!(await isAllowed(path, allowedRoots))) throw forbidden(shown, allowedRoots);
    // NONBLOCK: opening a pipe must not wait for its other end.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new ImageError('NOT_FOUND', `${shown} does not exist`, { cause: error });
    throw new ImageError('FORBIDDEN_SOURCE', `${shown} cannot be opened: ${String(error)}`, { cause: error });
  }
  try {
    const opened = await readlink(`/proc/self/fd/${handle.fd}`);
    if (!(await isAllowed(opened, allowedRoots))) throw forbidden(shown, allowedRoots);
    if (!(await handle.stat()).isFile()) throw new ImageError('FORBIDDEN_SOURCE', `${shown} is not a regular file`);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function forbidden(shown: string, allowedRoots: readonly string[]): ImageError {
  return new ImageError(
    'FORBIDDEN_SOURCE',
    `${shown} is not below a folder that images may come from (${allowedRoots.join(', ') || 'none is configured'})`,
  );
}

async function isAllowed(path: string, allowedRoots: readonly string[]): Promise<boolean> {
  const below = (root: string): boolean => path.startsWith(root.endsWith(sep) ? root : root + sep);
  if (NEVER.some(below)) return false;
  for (const root of allowedRoots)
    if (below(resolve(root)) || below(await realpath(root).catch(() => '\0'))) return true;
  return false;
}
