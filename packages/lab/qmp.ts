/**
 * QMP, QEMU's machine protocol: JSON objects, one per line. The codec and the session do no IO: bytes go in by `receive`,
 * lines come out by `send`.
 */

export type QmpMessage =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'return'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number | undefined; readonly message: string }
  | { readonly kind: 'event'; readonly name: string; readonly data: Record<string, unknown> }
  | { readonly kind: 'malformed'; readonly reason: string };

/** Longest line taken from QEMU: answers of the commands used here are far below it. */
const MAX_LINE_BYTES = 1 << 20;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads one line. Never throws: what is no QMP message comes back as `malformed`. */
export function decodeQmp(line: string): QmpMessage {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { kind: 'malformed', reason: 'not JSON' };
  }
  if (!isRecord(value)) return { kind: 'malformed', reason: 'not a JSON object' };
  if ('QMP' in value) return { kind: 'greeting' };
  if (typeof value.event === 'string')
    return { kind: 'event', name: value.event, data: isRecord(value.data) ? value.data : {} };
  const id = typeof value.id === 'number' ? value.id : undefined;
  if (isRecord(value.error)) return { kind: 'error', id, message: String(value.error.desc ?? value.error.class) };
  if ('return' in value && id !== undefined) return { kind: 'return', id, value: value.return };
  return { kind: 'malformed', reason: 'neither greeting, event, return nor error' };
}

/** One command as a line, `\n` included. */
export function encodeQmp(id: number, command: string, args?: object): string {
  return `${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}), id })}\n`;
}

/** Cuts a byte stream into lines. A line above the limit is dropped and given as `undefined`, once. */
export function lineSplitter(onLine: (line: string | undefined) => void): (chunk: Uint8Array) => void {
  const decoder = new TextDecoder();
  let rest = '';
  let isDropping = false;
  return (chunk) => {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      if (isDropping) isDropping = false;
      else if (line.trim() !== '') onLine(line);
    }
    if (rest.length > MAX_LINE_BYTES) {
      if (!isDropping) onLine(undefined);
      isDropping = true;
      rest = '';
    }
  };
}

export interface QmpSession {
  /** Bytes from QEMU. */
  receive(chunk: Uint8Array): void;
  /** Resolves once QEMU has greeted and capabilities are negotiated: commands are accepted from then on. */
  readonly ready: Promise<void>;
  /** Runs one command and gives its `return`. Rejects with QEMU's own words, or when the session is closed. */
  execute(command: string, args?: object): Promise<unknown>;
  onEvent(listener: (name: string, data: Record<string, unknown>) => void): void;
  /** Rejects all that is pending; a session is not used again. */
  close(reason: string): void;
}

/** A session over any byte stream. `onMalformed` hears of input that is no QMP; it is otherwise ignored. */
export function createQmpSession(options: {
  send: (line: string) => void;
  onMalformed?: (reason: string) => void;
}): QmpSession {
  const pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  const listeners: Array<(name: string, data: Record<string, unknown>) => void> = [];
  let nextId = 1;
  let closed: string | undefined;
  const greeted = Promise.withResolvers<void>();
  greeted.promise.catch(() => {});

  const execute = (command: string, args?: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (closed !== undefined) return reject(new Error(`QMP ${command}: ${closed}`));
      const id = nextId++;
      pending.set(id, { resolve, reject: (error) => reject(new Error(`QMP ${command}: ${error.message}`)) });
      options.send(encodeQmp(id, command, args));
    });

  const settle = (
    id: number | undefined,
  ): { resolve(value: unknown): void; reject(error: Error): void } | undefined => {
    if (id === undefined) return undefined;
    const entry = pending.get(id);
    pending.delete(id);
    return entry;
  };

  const receive = lineSplitter((line) => {
    const message: QmpMessage =
      line === undefined ? { kind: 'malformed', reason: `line longer than ${MAX_LINE_BYTES} bytes` } : decodeQmp(line);
    switch (message.kind) {
      case 'greeting':
        execute('qmp_capabilities').then(
          () => greeted.resolve(),
          (error: Error) => greeted.reject(error),
        );
        break;
      case 'event':
        for (const listener of listeners) listener(message.name, message.data);
        break;
      case 'return':
        settle(message.id)?.resolve(message.value);
        break;
      case 'error':
        settle(message.id)?.reject(new Error(message.message));
        break;
      case 'malformed':
        options.onMalformed?.(message.reason);
        break;
    }
  });

  return {
    receive,
    ready: greeted.promise,
    execute,
    onEvent: (listener) => void listeners.push(listener),
    close(reason) {
      if (closed !== undefined) return;
      closed = reason;
      greeted.reject(new Error(reason));
      for (const entry of pending.values()) entry.reject(new Error(reason));
      pending.clear();
    },
  };
}
