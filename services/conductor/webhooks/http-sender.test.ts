import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ManualClock } from '@bessemer/ports/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpSender, SEND_TIMEOUT_MS, type WebhookSender } from './http-sender.ts';

const closes: Array<() => unknown> = [];
afterEach(async () => {
  for (const close of closes.splice(0)) await close();
});

async function listen(listener: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closes.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, server };
}
function makeSender(clock = new ManualClock()): WebhookSender {
  const sender = createHttpSender(clock);
  closes.push(() => sender.close());
  return sender;
}
const none = new AbortController().signal;
const message = {
  headers: { 'Bessemer-Event': 'x', 'Content-Type': 'application/json' },
  body: '{"ä":1}',
  signal: none,
};

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe('sending', () => {
  it('posts the body and tells the status', async () => {
    const seen: unknown[] = [];
    const { url } = await listen(async (request, response) => {
      seen.push([request.method, request.url, request.headers['bessemer-event'], await bodyOf(request)]);
      response.writeHead(202).end('thanks');
    });
    const clock = new ManualClock();
    const sender = makeSender(clock);
    expect(await sender.send({ url: `${url}?a=b`, ...message })).toEqual({ status: 202 });
    expect(await sender.send({ url, ...message })).toEqual({ status: 202 });
    expect(seen).toEqual([
      ['POST', '/hook?a=b', 'x', '{"ä":1}'],
      ['POST', '/hook', 'x', '{"ä":1}'],
    ]);
  });

  it('follows no redirect', async () => {
    let asked = 0;
    const { url } = await listen((_request, response) => {
      asked++;
      response.writeHead(307, { Location: '/elsewhere' }).end();
    });
    expect(await makeSender().send({ url, ...message })).toEqual({ status: 307 });
    expect(asked).toBe(1);
  });

  it('gives up on one that does not answer', async () => {
    const arrived = Promise.withResolvers<void>();
    const { url } = await listen(() => arrived.resolve());
    const clock = new ManualClock();
    const result = makeSender(clock).send({ url, ...message });
    await arrived.promise;
    await clock.advance(SEND_TIMEOUT_MS);
    expect(await result).toEqual({ status: null, error: 'no answer within 10 seconds' });
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not listen to one that never stops talking', async () => {
    const closed = Promise.withResolvers<void>();
    const { url } = await listen((_request, response) => {
      response.writeHead(200);
      const talk = () => {
        while (response.write('x'.repeat(16_384)));
        response.once('drain', talk);
      };
      response.once('close', () => closed.resolve());
      talk();
    });
    expect(await makeSender().send({ url, ...message })).toEqual({ status: 200 });
    await closed.promise;
  });

  it('says why nothing was sent', async () => {
    const { url, server } = await listen(() => {});
    server.close();
    server.closeAllConnections();
    const sender = makeSender();
    expect(await sender.send({ url, ...message })).toMatchObject({
      status: null,
      error: expect.stringContaining('ECONNREFUSED'),
    });
    expect(await sender.send({ url: 'http://169.254.169.254/', ...message })).toEqual({
      status: null,
      error: 'nothing is sent to 169.254.169.254',
    });
    expect(await sender.send({ url: 'gopher://x/', ...message })).toMatchObject({ status: null });
    const leaving = new AbortController();
    leaving.abort();
    expect(await sender.send({ url, ...message, signal: leaving.signal })).toEqual({
      status: null,
      error: 'the service ends',
    });
  });

  it('speaks TLS to https, and trusts no certificate that nobody signed', async () => {
    const { url } = await listen((_request, response) => void response.end());
    const result = await makeSender().send({ url: url.replace('http:', 'https:'), ...message });
    expect(result.status).toBeNull();
  });
});
