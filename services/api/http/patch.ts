/** The subset of JSON Patch (RFC 6902) that Ironic takes: add, replace, remove, applied one by one. */
import { isJsonObject, type Json, type JsonObject, ServiceError } from '@bessemer/core';

export interface PatchOperation {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  readonly value?: Json;
}

const ESCAPES_SINCE = 98;

function parts(path: string, minor: number): string[] {
  if (minor < ESCAPES_SINCE && path.includes('~'))
    throw new ServiceError('INVALID_PARAMETER', `Schema error for patch: '${path}' does not match '^(/[\\\\w-]+)+$'`);
  return path
    .slice(1)
    .split('/')
    .map((p) => p.replaceAll('~1', '/').replaceAll('~0', '~'));
}

const problem = (message: string) => new ServiceError('INVALID_PATCH', `Couldn't apply patch: ${message}`);

/**
 * The document after the patch; the given one is not touched. `isWritable` says whether a root attribute may be changed.
 * @throws ServiceError INVALID_PATCH, INVALID_PARAMETER.
 */
export function applyPatch(
  document: JsonObject,
  patch: readonly PatchOperation[],
  options: { minor: number; isKnown: (root: string) => boolean; isWritable: (root: string) => boolean },
): JsonObject {
  const result: JsonObject = structuredClone(document);
  for (const operation of patch) {
    const path = parts(operation.path, options.minor);
    const root = path[0]!;
    if (!options.isKnown(root))
      throw problem(`Adding a new attribute (/${root}) to the root of the resource is not allowed`);
    if (!options.isWritable(root)) throw problem(`'/${root}' is an internal attribute and can not be updated`);
    if (operation.op !== 'remove' && operation.value === undefined)
      throw new ServiceError(
        'INVALID_PARAMETER',
        `Schema error for patch: 'value' is a required property for op ${operation.op}`,
      );
    applyOne(result, operation, path);
  }
  return result;
}

function applyOne(document: JsonObject, operation: PatchOperation, path: string[]): void {
  let at: Json = document;
  for (const part of path.slice(0, -1)) {
    const next: Json | undefined = Array.isArray(at)
      ? at[index(part, at.length - 1)]
      : isJsonObject(at)
        ? at[part]
        : undefined;
    if (next === undefined || next === null || typeof next !== 'object')
      throw problem(`'${operation.path}' does not exist`);
    at = next;
  }
  const last = path.at(-1)!;
  if (Array.isArray(at)) {
    if (operation.op === 'add')
      at.splice(last === '-' ? at.length : index(last, at.length), 0, operation.value ?? null);
    else if (operation.op === 'remove') at.splice(index(last, at.length - 1), 1);
    else at[index(last, at.length - 1)] = operation.value ?? null;
    return;
  }
  if (!isJsonObject(at)) throw problem(`'${operation.path}' is not inside an object`);
  if (last === '__proto__') throw problem(`'${operation.path}' is not a name that can be used`);
  const exists = Object.hasOwn(at, last);
  if (operation.op === 'remove') {
    if (!exists) throw problem(`can't remove a non-existent object '${last}'`);
    delete at[last];
    return;
  }
  if (operation.op === 'replace' && !exists) throw problem(`can't replace a non-existent object '${last}'`);
  at[last] = operation.value ?? null;
}

function index(text: string, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (value < 0 || value > max) throw problem(`list index '${text}' is out of range`);
  return value;
}
