/** A link: one channel to one runtime. It sends what the runtime lacks and hands on what it answers. */
import { deflateSync } from 'node:zlib';
import { ExecutorError } from '@bessemer/executor-protocol';
import type { Clock } from '@bessemer/ports';
import type { ModuleSet } from '../modules/module-set.ts';
import type { ChildStream, StartChild } from '../process.ts';
import type { Opening } from '../transports/transport.ts';
import { type ChannelFrame, createChannelReader, encodeChannelFrame } from './channel-frames.ts';
import { BANNER, type RuntimeBundle } from './runtime-bundle.ts';

const MAX_ERROR_TEXT_BYTES = 64 * 1024;
const MAX_NOISE_BYTES = 256 * 1024;
/** Below this, deflate costs more than it saves. */
const COMPRESS_FROM_BYTES = 1024;

export interface Link {
  readonly hostKeyFingerprint: string | undefined;
  readonly python: string;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Why the link is gone, once it is. */
  readonly broken: ExecutorError | undefined;
  /** False when the runtime holds another text under a name of this set: ansible-core was changed meanwhile. */
  accepts(modules: ModuleSet): boolean;
  /** Sends a compiled play with the modules that the runtime lacks. Its events come to `onFrame` until the play's end. */
  startPlay(
    modules: ModuleSet,
    program: ChannelFrame,
    payload: Uint8Array,
    onFrame: (frame: ChannelFrame) => void,
  ): void;
  cancelPlay(): void;
  /** Asks for one answer: `ping` or `stacks`. */
  ask(op: 'ping' | 'stacks'): Promise<ChannelFrame>;
  /** Called once when the link breaks or is closed. */
  onBroken(listener: (error: ExecutorError) => void): void;
  close(): void;
}

export interface OpenLinkOptions {
  readonly clock: Clock;
  readonly startChild: StartChild;
  readonly bundle: RuntimeBundle;
  readonly opening: Opening;
  readonly description: string;
  readonly timeoutMs: number;
  readonly explain: (end: { code: number | null; errorText: string; problem?: string }) => ExecutorError;
}

/** Starts the transport's child and its runtime. Rejects with what `explain` makes of the failure, or TIMEOUT. */
export function openLink(options: OpenLinkOptions): Promise<Link> {
  const child = options.startChild(options.opening.command);
  const { promise, resolve, reject } = Promise.withResolvers<Link>();
  const errorText = createTail(MAX_ERROR_TEXT_BYTES);
  const asked = new Map<number, (frame: ChannelFrame) => void>();
  const brokenListeners: Array<(error: ExecutorError) => void> = [];
  const names = new Map<string, string>();
  const sent = new Set<string>();
  const read = createChannelReader();
  const count = { sent: 0, received: 0 };
  let noise: Buffer | undefined = Buffer.alloc(0);
  let hello: ChannelFrame | undefined;
  let broken: ExecutorError | undefined;
  let onPlayFrame: ((frame: ChannelFrame) => void) | undefined;
  let nextAsk = 1;

  const timer = options.clock.setTimer(options.timeoutMs, () =>
    breakWith(
      new ExecutorError(
        'TIMEOUT',
        `The connection to ${options.description} did not stand within ${Math.round(options.timeoutMs / 1000)} s (${noise === undefined ? 'Python did not answer' : 'login'}).`,
        { transportText: errorText.text() },
      ),
    ),
  );

  function write(bytes: Uint8Array): void {
    count.sent += bytes.length;
    child.write(bytes);
  }
  function breakWith(error: ExecutorError): void {
    if (broken) return;
    broken = error;
    timer.cancel();
    child.kill();
    if (!hello) reject(error);
    for (const listener of brokenListeners) listener(error);
  }
  function onFrame(frame: ChannelFrame): void {
    if (frame.event === 'hello') {
      hello = frame;
      timer.cancel();
      resolve(link);
    } else if (frame.event === 'pong' || frame.event === 'stacks') {
      asked.get(Number(frame.id))?.(frame);
      asked.delete(Number(frame.id));
    } else onPlayFrame?.(frame);
  }

  child.onErrorText((bytes) => errorText.add(bytes));
  child.onData((bytes) => {
    count.received += bytes.length;
    let rest = bytes;
    if (noise !== undefined) {
      noise = Buffer.concat([noise, bytes]);
      const at = noise.indexOf(BANNER);
      if (at < 0) {
        if (noise.length > MAX_NOISE_BYTES)
          breakWith(
            new ExecutorError('UNREACHABLE', `${options.description} prints without end before Python starts.`),
          );
        return;
      }
      rest = noise.subarray(at + BANNER.length);
      noise = undefined;
    }
    for (const frame of read(rest)) {
      if (frame.ok) onFrame(frame.header);
      else
        return breakWith(
          new ExecutorError('UNREACHABLE', `${options.description} sent what is no answer: ${frame.error}.`),
        );
    }
  });
  child.onExit((end) => {
    if (hello === undefined && noise !== undefined)
      return breakWith(options.explain({ ...end, errorText: errorText.text() }));
    const why = hello === undefined ? 'its Python ended at the start' : 'the connection ended';
    breakWith(
      new ExecutorError(hello === undefined ? 'PYTHON_MISSING' : 'UNREACHABLE', `${options.description}: ${why}.`, {
        transportText: errorText.text(),
      }),
    );
  });
  // Written without waiting for the login: the runtime starts without a further round trip.
  write(options.bundle.bytes);

  const link: Link = {
    hostKeyFingerprint: options.opening.hostKeyFingerprint,
    get python() {
      return String(hello?.python ?? '');
    },
    get bytesSent() {
      return count.sent;
    },
    get bytesReceived() {
      return count.received;
    },
    get broken() {
      return broken;
    },
    accepts: (modules) =>
      [...modules.names].every(([name, entry]) => (names.get(name) ?? entry.digest) === entry.digest),
    startPlay(modules, program, payload, listener) {
      onPlayFrame = listener;
      const load = missing(modules, names, sent);
      if (load) write(load);
      if (payload.length < COMPRESS_FROM_BYTES) write(encodeChannelFrame({ ...program, op: 'play' }, payload));
      else write(encodeChannelFrame({ ...program, op: 'play', compressed: true }, deflateSync(payload)));
    },
    cancelPlay: () => write(encodeChannelFrame({ op: 'cancel' })),
    ask(op) {
      return new Promise((answer, fail) => {
        if (broken) return fail(broken);
        const id = nextAsk++;
        asked.set(id, answer);
        brokenListeners.push(fail);
        write(encodeChannelFrame({ op, id }));
      });
    },
    onBroken(listener) {
      if (broken) listener(broken);
      else brokenListeners.push(listener);
    },
    close() {
      // The runtime ends when its channel does; it is not killed, so that ssh says goodbye.
      broken ??= new ExecutorError('UNREACHABLE', `The connection to ${options.description} was closed.`);
      timer.cancel();
      child.end();
      reapLater(options.clock, child);
    },
  };
  return promise;
}

/** A child that does not end by itself soon after its channel was closed is killed. */
function reapLater(clock: Clock, child: ChildStream): void {
  const timer = clock.setTimer(5000, () => child.kill(), { background: true });
  child.onExit(() => timer.cancel());
}

/** One `load` frame with the sources and names that the runtime has not seen, or undefined; notes them as sent. */
function missing(modules: ModuleSet, names: Map<string, string>, sent: Set<string>): Uint8Array | undefined {
  const newNames: Record<string, [string, boolean, string]> = {};
  const newSources: Record<string, string> = {};
  for (const [name, entry] of modules.names) {
    if (names.has(name)) continue;
    names.set(name, entry.digest);
    newNames[name] = [entry.digest, entry.isPackage, entry.path];
    if (sent.has(entry.digest)) continue;
    sent.add(entry.digest);
    newSources[entry.digest] = entry.source;
  }
  if (Object.keys(newNames).length === 0) return undefined;
  const payload = Object.keys(newSources).length > 0 ? deflateSync(JSON.stringify(newSources)) : new Uint8Array(0);
  return encodeChannelFrame({ op: 'load', names: newNames }, payload);
}

function createTail(maxBytes: number): { add(bytes: Uint8Array): void; text(): string } {
  let held = Buffer.alloc(0);
  return {
    add(bytes) {
      held = Buffer.concat([held, bytes]).subarray(-maxBytes);
    },
    text: () => held.toString('utf8').trim(),
  };
}
