/** The subset of JSON Patch (RFC 6902) that Ironic takes: add, replace, remove, applied one by one. */
import { isJsonObject, type Json, type JsonObject, ServiceError } from '@bessemer/core';
import { inPython } from './python.ts';

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

/** Why one operation cannot be applied. */
class Unapplicable extends Error {}
const problem = (message: string) => new Unapplicable(message);

/**
 * The document after the patch; the given one is not touched. Which root attributes may be changed is the caller's to check.
 * @throws ServiceError INVALID_PATCH, INVALID_PARAMETER.
 */
export function applyPatch(document: JsonObject, patch: readonly PatchOperation[], minor: number): JsonObject {
  const result: JsonObject = structuredClone(document);
  for (const operation of patch) {
    const path = parts(operation.path, minor);
    try {
      if (operation.op !== 'remove' && operation.value === undefined)
        throw problem("The operation does not contain a 'value' member");
      applyOne(result, operation, path);
    } catch (error) {
      if (!(error instanceof Unapplicable)) throw error;
      const operationText = inPython({ ...operation }).slice(0, 300);
      throw new ServiceError('INVALID_PATCH', `Couldn't apply patch '${operationText}'. Reason: ${error.message}`);
    }
  }
  return result;
}

function applyOne(document: JsonObject, operation: PatchOperation, path: string[]): void {
  let at: Json = document;
  for (const part of path.slice(0, -1)) {
    const next: Json | undefined = Array.isArray(at)
      ? at[index(part, at.length - 1, `index '${part}' is out of bounds`)]
      : // What every object inherits is no part of the document: `__proto__` would lead to all objects of the process.
        isJsonObject(at) && Object.hasOwn(at, part)
        ? at[part]
        : undefined;
    if (next === undefined && isJsonObject(at))
      throw problem(`member '${part}' not found in ${inPython(at).slice(0, 300)}`);
    if (next === undefined || next === null || typeof next !== 'object')
      throw problem(`'${operation.path}' does not exist`);
    at = next;
  }
  const last = path.at(-1)!;
  if (operation.op === 'replace' && last === '-')
    throw problem("'path' with '-' can't be applied to 'replace' operation");
  if (Array.isArray(at)) {
    if (operation.op === 'add')
      at.splice(
        last === '-' ? at.length : index(last, at.length, "can't insert outside of list"),
        0,
        operation.value ?? null,
      );
    else if (operation.op === 'remove') {
      if (/^\d{1,9}$/.test(last) && Number(last) >= at.length)
        throw problem(`can't remove a non-existent object '${last}'`);
      at.splice(index(last, at.length - 1, `can't remove a non-existent object '${last}'`), 1);
    } else if (last === '-') throw problem("'path' with '-' can't be applied to 'replace' operation");
    else at[index(last, at.length - 1, "can't replace outside of list")] = operation.value ?? null;
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

/** `outside` says that there is no such place. */
function index(text: string, max: number, outside: string): number {
  if (!/^(0|[1-9]\d{0,8})$/.test(text)) throw problem(`'${text}' is not a valid sequence index`);
  const value = Number(text);
  if (value > max) throw problem(outside);
  return value;
}
