/** What crosses the bus, as JSON text. */
import { isJsonObject } from '@bessemer/core';
import type { ErrorCode, Json, JsonObject, SerializedError } from '@bessemer/core';

export interface RequestMessage {
  readonly method: string;
  readonly requestId: string;
  readonly args: Json;
}
export type Answer =
  | { readonly ok: true; readonly result: Json }
  | { readonly ok: false; readonly error: SerializedError };

const MAX_MESSAGE_CHARS = 64 * 1024 * 1024;

function parseObject(text: string): JsonObject | undefined {
  if (text.length > MAX_MESSAGE_CHARS) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined for what is no request; the arguments are still to be checked. */
export function parseRequest(text: string): RequestMessage | undefined {
  const { method, requestId, args } = parseObject(text) ?? {};
  if (typeof method !== 'string' || typeof requestId !== 'string' || args === undefined) return undefined;
  return { method, requestId, args };
}

/** Undefined for what is no answer. */
export function parseAnswer(text: string): Answer | undefined {
  return asAnswer(parseObject(text));
}

export function asAnswer(value: JsonObject | undefined): Answer | undefined {
  if (!value) return undefined;
  if (value['ok'] === true && value['result'] !== undefined) return { ok: true, result: value['result'] };
  const error = value['error'];
  if (value['ok'] !== false || !isJsonObject(error)) return undefined;
  const { code, publicMessage, context } = error;
  if (typeof code !== 'string' || typeof publicMessage !== 'string') return undefined;
  // An unknown code, from a later release, becomes INTERNAL when the error is rebuilt.
  return {
    ok: false,
    error: { code: code as ErrorCode, publicMessage, context: isJsonObject(context) ? context : {} },
  };
}
