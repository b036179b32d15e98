import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { inOrder } from './in-order.ts';

const begun: Array<{ readonly path: string; readonly response: ServerResponse }> = [];
const server = createServer(
  inOrder((request: IncomingMessage, response) => {
    begun.push({ path: request.url!, response });
    server.emit('begun');
  }),
);
let client: Socket;
beforeEach(async () => {
  begun.length = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
});
afterEach(async () => {
  client.destroy();
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const paths = () => begun.map(({ path }) => path);
async function answer(n: number): Promise<void> {
  const closed = once(begun[n]!.response, 'close');
  begun[n]!.response.end(`answer ${n}`);
  await closed;
}

it('begins each request when the one before it is answered', async () => {
  const first = once(server, 'begun');
  client.write(get('/a') + get('/b') + get('/c'));
  await first;
  expect(paths()).toEqual(['/a']);
  await answer(0);
  expect(paths()).toEqual(['/a', '/b']);
  await answer(1);
  await answer(2);
  expect(paths()).toEqual(['/a', '/b', '/c']);
  const again = once(server, 'begun');
  client.write(get('/d'));
  await again;
  expect(paths().at(-1)).toBe('/d');
});

it('lets other connections not wait', async () => {
  const first = once(server, 'begun');
  client.write(get('/slow'));
  await first;
  const other = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const second = once(server, 'begun');
  other.write(get('/other'));
  await second;
  expect(paths()).toEqual(['/slow', '/other']);
  other.destroy();
});

it('begins nothing for a client that has gone', async () => {
  const first = once(server, 'begun');
  client.write(get('/a') + get('/b'));
  await first;
  const closed = once(begun[0]!.response, 'close');
  client.destroy();
  await closed;
  expect(paths()).toEqual(['/a']);
});

it('closes a connection on which ever more requests wait', async () => {
  const closed = once(client, 'close');
  client.write(get('/a').repeat(500));
  await closed;
  expect(paths()).toEqual(['/a']);
});
