/** The adapters of a real process: the one place that reads the clock, draws chance and opens UDP sockets. */
import { createSocket } from 'node:dgram';
import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock, DatagramPeer, Datagrams, Random } from './index.ts';

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, fn, options) {
    const handle = setTimeout(fn, delayMs);
    if (options?.background) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

export const systemRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
  float: () => Math.random(),
  uuid: () => randomUUID(),
};

export const systemDatagrams: Datagrams = {
  async bind({ address, port, receiveBufferBytes }) {
    const family = address?.includes(':') ? 'udp6' : 'udp4';
    const socket = createSocket({
      type: family,
      ...(receiveBufferBytes ? { recvBufferSize: receiveBufferBytes } : {}),
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, address, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    let closed = false;
    let sending = 0;
    let onIdle: (() => void) | undefined;
    const at = socket.address();
    const errorListeners: Array<(error: Error) => void> = [];
    socket.on('error', (error) => {
      for (const listener of errorListeners) listener(error);
    });
    return {
      local: { address: at.address, port: at.port },
      send(data: Uint8Array, to: DatagramPeer) {
        if (closed) return;
        sending++;
        socket.send(data, to.port, to.address, (error) => {
          if (--sending === 0) onIdle?.();
          if (error && !closed) for (const listener of errorListeners) listener(error);
        });
      },
      onMessage(listener) {
        socket.on('message', (data, from) => listener(data, { address: from.address, port: from.port }));
      },
      onError(listener) {
        errorListeners.push(listener);
      },
      close: () =>
        new Promise<void>((resolve) => {
          if (closed) return resolve();
          closed = true;
          // A socket of Node drops what it has not handed to the kernel yet: the last words of a protocol are often sent
          // just before the close.
          const close = () => socket.close(() => resolve());
          if (sending > 0) onIdle = close;
          else close();
        }),
    };
  },
};
