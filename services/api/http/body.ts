/** Reads request bodies within limits of size and depth. */
import type { IncomingMessage } from 'node:http';
import { type Json, ServiceError } from '@bessemer/core';

const MIB = 1024 * 1024;
export const MAX_DEPTH = 25;

/** Most bytes of a body: Ironic's limits. */
function bodyLimit(path: string): number {
  if (/\/states\/provision\/?$/.test(path)) return 64 * MIB;
  if (path.includes('/continue_inspection')) return 16 * MIB;
  return MIB;
}

/** True when brackets outside strings nest deeper than `limit`: one pass, before anything is parsed. */
export function isTooDeep(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > limit) return true;
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
  return false;
}

/**
 * The JSON body, or undefined when there is none.
 * @throws ServiceError BODY_TOO_LARGE; INVALID_PARAMETER for what is not JSON, nests too deep or cannot be stored as it is.
 */
export async function readJsonBody(request: IncomingMessage, path: string): Promise<Json | undefined> {
  const limit = bodyLimit(path);
  const tooLarge = () =>
    new ServiceError('BODY_TOO_LARGE', `The request body is larger than the ${limit} bytes that ${path} takes.`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // An end before the body's would otherwise tear down the connection on which the refusal is to be sent.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length;
    if (size > limit) throw tooLarge();
    chunks.push(chunk as Buffer);
  }
  if (size === 0) return undefined;
  const text = decoded(Buffer.concat(chunks));
  if (isTooDeep(text, MAX_DEPTH))
    throw new ServiceError('INVALID_PARAMETER', `The request body nests deeper than ${MAX_DEPTH} levels.`);
  const body = parsed(text);
  if (UNSTORABLE_ESCAPE.test(text) && !isStorable(body))
    throw new ServiceError(
      'INVALID_PARAMETER',
      'The request body holds a text with the character U+0000 or with half a surrogate pair, which cannot be stored.',
    );
  const inexact = MAYBE_INEXACT.test(text) ? inexactNumber(text) : undefined;
  if (inexact !== undefined)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `The request body holds the number ${inexact.slice(0, 60)}, which cannot be kept exactly: send it as a text.`,
    );
  return body;
}

/** Sixteen digits in a row or an exponent of three: also in texts, where they do no harm. */
const MAYBE_INEXACT = /\d{16}|\de\+?\d{3}/i;

/** The first integer beyond 2^53 whose digits would not come back as they are, or number beyond any, as it is written. */
function inexactNumber(text: string): string | undefined {
  let found: string | undefined;
  const look = (_name: string, value: unknown, context?: { readonly source?: string }): undefined => {
    const source = context?.source;
    if (found !== undefined || typeof value !== 'number' || source === undefined) return;
    const kept = !/^-?\d+$/.test(source) || Number.isSafeInteger(value) || String(value) === source;
    if (!Number.isFinite(value) || !kept) found = source;
  };
  JSON.parse(text, look);
  return found;
}

/** Leaves out the byte order mark that some editors put at the start. */
const decoder = new TextDecoder('utf-8', { fatal: true });

function decoded(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ServiceError('INVALID_PARAMETER', 'The request body is not JSON: it is no text in UTF-8.');
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    const where = error instanceof Error ? error.message : '';
    throw new ServiceError('INVALID_PARAMETER', `The request body is not JSON: ${where}`);
  }
}

/** Only an escape can bring these through a decoder of UTF-8. PostgreSQL takes neither. */
const UNSTORABLE_ESCAPE = /\\u(0000|d[89a-f])/i;

function isStorable(value: Json): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, inner]) => isStorable(name) && isStorable(inner));
}
