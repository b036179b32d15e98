/**
 * What a process gets from outside, as parameters: time, chance, the network, secrets (docs/DESIGN: time, chance and the
 * network are parameters). Everyone may import this package; it imports nothing. `@bessemer/ports/node` has the adapters
 * for a real process, `@bessemer/ports/testing` deterministic ones.
 */

/** A cancellable timer. `cancel` after it fired does nothing. */
export interface Timer {
  cancel(): void;
}

/** Time. All durations are milliseconds. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch: for what is shown or stored. */
  nowMs(): number;
  /** Never goes back: for deadlines, rates and lease budgets. */
  monotonicMs(): number;
  /** Calls `fn` once after `delayMs`. A timer does not keep the process alive when `background` is true. */
  setTimer(delayMs: number, fn: () => void, options?: { background?: boolean }): Timer;
}

/** Chance. */
export interface Random {
  /** `count` unpredictable bytes. */
  bytes(count: number): Uint8Array;
  /** A float in [0, 1): for jitter, never for secrets. */
  float(): number;
  /** A version 4 UUID (RFC 9562 section 5.4), lower case. */
  uuid(): string;
}

export interface DatagramPeer {
  readonly address: string;
  readonly port: number;
}

/** A bound UDP socket. */
export interface DatagramSocket {
  readonly local: DatagramPeer;
  send(data: Uint8Array, to: DatagramPeer): void;
  onMessage(listener: (data: Uint8Array, from: DatagramPeer) => void): void;
  onError(listener: (error: Error) => void): void;
  close(): Promise<void>;
}

/** UDP. `port: 0` picks a free one. */
export interface Datagrams {
  bind(options: { address?: string; port: number; receiveBufferBytes?: number }): Promise<DatagramSocket>;
}

/** A reliable two-way stream of whole messages (a WebSocket, or its simulated stand-in). */
export interface MessageChannel {
  send(message: string): void;
  /** Bytes accepted by `send` and not yet handed to the network. */
  readonly bufferedBytes: number;
  onMessage(listener: (message: string) => void): void;
  /** Called once, with the reason, when the channel is gone for whatever cause. */
  onClose(listener: (reason: string) => void): void;
  close(reason?: string): void;
}

/** A structured log. `fields` must be JSON; values of type Secret print as `[secret]`. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  child(fields: Record<string, unknown>): Log;
}

export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};

const PRINTED = '[secret]';

/** A value that cannot be printed by accident: String(), JSON and inspect all say `[secret]`. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  /** The value itself: call it only where the value is used. */
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return PRINTED;
  }
  toJSON(): string {
    return PRINTED;
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return PRINTED;
  }
}

/** Resolves after `delayMs` of `clock`, or rejects with the signal's reason. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
