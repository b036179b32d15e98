import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { giveBack, takeBuffer } from './buffers.ts';
import { createExchange } from './exchange.ts';

const MIB = 1024 * 1024;

it('are used again once they were given back, and by one at a time', () => {
  const one = takeBuffer(MIB);
  expect(one.length).toBeGreaterThanOrEqual(MIB);
  expect(takeBuffer(MIB).buffer).not.toBe(one.buffer);
  giveBack(one.subarray(5, 10));
  giveBack(one);
  expect(takeBuffer(MIB).buffer).toBe(one.buffer);
  expect(takeBuffer(MIB).buffer).not.toBe(one.buffer);
});

it('that are too large to be kept or of others are left to the garbage collector', () => {
  for (const bytes of [takeBuffer(20 * MIB), Buffer.alloc(MIB)]) {
    giveBack(bytes);
    expect(takeBuffer(bytes.length).buffer).not.toBe(bytes.buffer);
  }
});

it('are not written over while an answer is still on its way', async () => {
  const size = 15 * MIB;
  let sent: Buffer | undefined;
  const server = createServer((req, res) => {
    sent = takeBuffer(size).fill('a');
    createExchange(req, res, () => {}, '/').send(200, sent);
    server.emit('sent', res);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const answered = once(server, 'sent');
  client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const [response] = await answered;
  // The client has read nothing yet, and more than the system holds for it is to come.
  const other = takeBuffer(size).fill('b');
  const finished = once(response, 'finish');
  const all = await buffer(client);
  expect(all.subarray(-size).every((byte) => byte === 'a'.charCodeAt(0))).toBe(true);
  await finished;
  expect(other.buffer).not.toBe(sent!.buffer);
  expect(takeBuffer(size).buffer).toBe(sent!.buffer);
  server.close();
});

it('are not kept for a client that reads nothing', async () => {
  const server = createServer((req, res) => {
    createExchange(req, res, () => {}, '/', 20).send(200, takeBuffer(15 * MIB).fill('a'));
    server.emit('sent', res);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
  const answered = once(server, 'sent');
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const [response] = await answered;
  await once(response, 'close');
  expect(response.writableFinished).toBe(false);
  client.destroy();
  server.close();
});
