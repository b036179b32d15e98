/** Deterministic ports for tests and the simulator: seeded chance, hand-driven time, an in-memory network. */
import { readFileSync } from 'node:fs';
import type { Clock, DatagramPeer, Datagrams, DatagramSocket, Random, Timer } from './index.ts';

/** A 32-bit xorshift-multiply generator (splitmix32): small, seeded, good enough to shuffle and to jitter. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => next() & 0xff);
  return {
    bytes,
    float: () => next() / 0x1_0000_0000,
    uuid() {
      const b = bytes(16);
      b[6] = (b[6]! & 0x0f) | 0x40;
      b[8] = (b[8]! & 0x3f) | 0x80;
      const hex = Buffer.from(b).toString('hex');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    },
  };
}

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Time that moves only when told to. Timers fire in order of time, then of creation. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #startMs: number;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
    this.#startMs = startMs;
  }
  nowMs(): number {
    return this.#nowMs;
  }
  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }
  setTimer(delayMs: number, fn: () => void): Timer {
    const entry: Pending = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn };
    this.#pending.add(entry);
    return { cancel: () => void this.#pending.delete(entry) };
  }
  /** Timers that are set and have not fired. */
  get pendingTimers(): number {
    return this.#pending.size;
  }
  /** Milliseconds until the next timer, or undefined when there is none. */
  nextTimerInMs(): number | undefined {
    const next = this.#next();
    return next && next.atMs - this.#nowMs;
  }
  #next(): Pending | undefined {
    let best: Pending | undefined;
    for (const p of this.#pending)
      if (!best || p.atMs < best.atMs || (p.atMs === best.atMs && p.order < best.order)) best = p;
    return best;
  }
  /** Fires the one next timer, moving time to it. False when there is none. */
  step(): boolean {
    const next = this.#next();
    if (!next) return false;
    this.#pending.delete(next);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.fn();
    return true;
  }
  /** Moves time on by `ms`, firing what is due, and letting promises settle between timers. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await settle();
    for (let next = this.#next(); next && next.atMs <= end; next = this.#next()) {
      this.step();
      await settle();
    }
    this.#nowMs = end;
    await settle();
  }
}

/** Lets every promise that can settle without time or IO do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A UDP network in memory. `link` decides the fate of each datagram: its copies, each with a delay in ms. */
export function memoryDatagrams(
  clock: Clock,
  link: (data: Uint8Array, from: DatagramPeer, to: DatagramPeer) => readonly number[] = () => [0],
): Datagrams {
  const bound = new Map<string, (data: Uint8Array, from: DatagramPeer) => void>();
  let nextPort = 49_152;
  return {
    async bind({ address = '127.0.0.1', port }): Promise<DatagramSocket> {
      const local: DatagramPeer = { address, port: port === 0 ? nextPort++ : port };
      const key = `${local.address}:${local.port}`;
      if (bound.has(key)) throw new Error(`address in use: ${key}`);
      const listeners: Array<(data: Uint8Array, from: DatagramPeer) => void> = [];
      bound.set(key, (data, from) => {
        for (const listener of listeners) listener(data, from);
      });
      return {
        local,
        send(data, to) {
          const copy = Uint8Array.from(data);
          for (const delayMs of link(copy, local, to))
            clock.setTimer(delayMs, () => bound.get(`${to.address}:${to.port}`)?.(copy, local));
        },
        onMessage: (listener) => void listeners.push(listener),
        onError() {},
        async close() {
          bound.delete(key);
        },
      };
    },
  };
}

/** True while a process runs; a zombie does not: below an init that reaps nothing it stays one for good. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
