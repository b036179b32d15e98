import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { callControl, startControlServer } from './control.ts';
import { dialInside, startDialler, startForwarder } from './forwarder.ts';

let dir: string;
const closers: Array<() => Promise<void>> = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bmr-fwd-'));
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  await rm(dir, { recursive: true });
});

/** A server that sends back what it got in capitals, once the client has ended its half. */
async function capitals(): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    const received = await text(socket);
    socket.end(received.toUpperCase());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => new Promise((resolve) => void server.close(() => resolve())));
  return (server.address() as AddressInfo).port;
}

test('bytes go both ways, a half that has ended leaves the other open', async () => {
  const port = await capitals();
  const socketPath = join(dir, 'dial.sock');
  const dialler = await startDialler(socketPath);
  closers.push(() => dialler.close());
  const forwarder = await startForwarder({ socketPath, target: { host: '127.0.0.1', port } });
  closers.push(() => forwarder.close());
  const message = 'a whole megabyte '.repeat(65_536);
  const client = createConnection({ port: forwarder.port, host: '127.0.0.1', allowHalfOpen: true });
  client.end(message);
  expect(await text(client)).toBe(message.toUpperCase());
});

test('a target that refuses ends the connection, and the dialler says why', async () => {
  const socketPath = join(dir, 'dial.sock');
  const dialler = await startDialler(socketPath);
  closers.push(() => dialler.close());
  await expect(dialInside(socketPath, { host: '127.0.0.1', port: 1 })).rejects.toThrow('ECONNREFUSED');
  await expect(dialInside(socketPath, { host: '127.0.0.1', port: 70_000 })).rejects.toThrow('the target must be');
  const forwarder = await startForwarder({ socketPath, target: { host: '127.0.0.1', port: 1 } });
  closers.push(() => forwarder.close());
  const client = createConnection(forwarder.port, '127.0.0.1');
  client.on('error', () => {});
  await new Promise<void>((resolve) => void client.once('close', () => resolve()));
});

test('control: answers, errors and unknown operations', async () => {
  const path = join(dir, 'control.sock');
  const server = await startControlServer(path, {
    add: async ({ a, b }) => Number(a) + Number(b),
    fail: async () => {
      throw new Error('no server named "x"');
    },
  });
  closers.push(() => server.close());
  expect(await callControl(path, 'add', { a: 1, b: 2 })).toBe(3);
  await expect(callControl(path, 'fail')).rejects.toThrow('no server named "x"');
  await expect(callControl(path, 'constructor')).rejects.toThrow('unknown operation "constructor"');
  await expect(callControl(join(dir, 'none.sock'), 'add')).rejects.toThrow('the lab does not answer');
});
