import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { afterEach, expect, it } from 'vitest';
import { readFile } from './http-read.ts';

const closes: Array<() => unknown> = [];
afterEach(async () => {
  for (const close of closes.splice(0)) await close();
});

async function listen(listener: RequestListener): Promise<{ base: string; server: Server }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closes.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { base: `127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

const clock = new ManualClock();
const options = { maxBytes: 1_000, idleMs: 30_000, withinMs: 1e12, retries: 0, clock, random: seededRandom(1) };
const read = (
  href: string,
  more: { retries?: number; idleMs?: number; withinMs?: number; signal?: AbortSignal } = {},
) => readFile({ ...options, href: new URL(href), signal: new AbortController().signal, ...more });
/** What is said of a file that cannot be had; the secrets of its address are never in it. */
async function said(href: string): Promise<string> {
  const error = await read(href).catch((reason: Error & { code?: string }) => reason);
  if (Buffer.isBuffer(error)) throw new Error(`${href} was read`);
  expect(error.message).not.toContain('S3CRET');
  return `${error.code}: ${error.message}`;
}

it('gives the bytes, with the credentials of the address and through redirects', async () => {
  const seen: unknown[] = [];
  const { base } = await listen((request, response) => {
    seen.push([request.url, request.headers.authorization, request.headers['accept-encoding']]);
    if (request.url === '/old?t=1') response.writeHead(302, { Location: '/new' }).end();
    else response.end(Buffer.from([0, 255, 7]));
  });
  expect([...(await read(`http://me:word@${base}/old?t=1`))]).toEqual([0, 255, 7]);
  const authorization = `Basic ${btoa('me:word')}`;
  expect(seen).toEqual([
    ['/old?t=1', authorization, 'identity'],
    ['/new', authorization, 'identity'],
  ]);
});

it('says what servers answer, and where', async () => {
  const { base, server } = await listen((request, response) => {
    const [, kind = '', value = ''] = /^\/(\w+)\/?([^?]*)/.exec(request.url ?? '') ?? [];
    if (kind === 'status') response.writeHead(Number(value)).end('S3CRET');
    else if (kind === 'long') response.writeHead(200, { 'Content-Length': '1001' }).end('x'.repeat(1_001));
    else if (kind === 'endless') {
      const talk = () => {
        while (response.write('x'.repeat(500)));
        response.once('drain', talk);
      };
      talk();
    } else if (kind === 'cut') {
      response.writeHead(200, { 'Content-Length': '900' }).write('x');
      response.destroy();
    } else if (kind === 'loop') response.writeHead(302, { Location: '/loop' }).end();
    else response.writeHead(302, { Location: decodeURIComponent(value) }).end();
  });
  const href = (path: string) => `http://me:S3CRET@${base}${path}?token=S3CRET`;
  const shown = (path: string) => `http://${base}${path}?...`;
  expect(await said(href('/status/404'))).toBe(`NOT_FOUND: ${shown('/status/404')} does not exist (HTTP 404)`);
  expect(await said(href('/status/403'))).toBe(
    `UNREACHABLE: ${shown('/status/403')} was refused by its server: HTTP 403`,
  );
  expect(await said(href('/status/503'))).toContain('cannot be read: the server answered HTTP 503');
  const tooLarge = (path: string) => `TOO_LARGE: ${shown(path)} is larger than the 1000 bytes that are allowed`;
  expect(await said(href('/long'))).toBe(tooLarge('/long'));
  expect(await said(href('/endless'))).toBe(tooLarge('/endless'));
  expect(await said(href('/cut'))).toContain(`UNREACHABLE: ${shown('/cut')} cannot be read: `);
  for (const path of ['/loop', '/redirect/file%3A%2F%2F%2Fetc%2Fpasswd'])
    expect(await said(href(path))).toContain('redirects to where nothing can be fetched from');
  for (const host of ['169.254.169.254', '[64:ff9b::169.254.169.254]', 'localhost', '[::1]', '0.0.0.0'])
    expect(await said(href(`/redirect/${encodeURIComponent(`http://${host}:1/x`)}`))).toContain('FORBIDDEN_SOURCE');
  expect(await said('http://me:S3CRET@169.254.169.254/?S3CRET')).toBe(
    'FORBIDDEN_SOURCE: http://169.254.169.254/?... leads to an address that nothing may be fetched from',
  );
  expect(await said(`http://me%zz:S3CRET@${base}/x`)).toBe(
    `UNREACHABLE: http://${base}/x: the user name or the password in it is not percent-encoded UTF-8`,
  );
  // TLS is spoken, which this server does not know.
  expect(await said(href('/x').replace('http:', 'https:'))).toMatch(/UNREACHABLE: https:.* cannot be read: .*SSL/);
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  expect(await said(href('/gone'))).toMatch(/UNREACHABLE: .* cannot be read: .*ECONNREFUSED/);
  expect(await said('http://no-such-name.invalid/?S3CRET')).toMatch(/UNREACHABLE/);
});

it('tries again what may pass, and not for ever', async () => {
  let failures = 2;
  let asked = 0;
  const { base } = await listen((_request, response) => {
    asked++;
    if (failures-- > 0) response.writeHead(503).end();
    else response.end('here');
  });
  const whole = read(`http://${base}/x`, { retries: 2, idleMs: 1e12 });
  const ends = whole.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([ends, new Promise<false>((resolve) => setImmediate(resolve, false))])))
    await clock.advance(1_000);
  expect((await whole).toString()).toBe('here');
  expect(asked).toBe(3);
});

it('gives up on a server that sends a drop now and then', async () => {
  const heard = Promise.withResolvers<void>();
  const { base } = await listen((_request, response) => {
    response.writeHead(200).write('x');
    heard.resolve();
  });
  const slow = read(`http://${base}/slow?S3CRET`, { idleMs: 1e12, withinMs: 60_000 }).catch((error: unknown) => error);
  await heard.promise;
  await clock.advance(60_000);
  expect(await slow).toMatchObject({
    code: 'UNREACHABLE',
    message: `http://${base}/slow?... was not read within 60 s`,
  });
});

it('gives up on a server that falls silent, and when nobody waits any more', async () => {
  let heard = Promise.withResolvers<void>();
  const { base } = await listen((_request, response) => {
    response.writeHead(200).write('x');
    heard.resolve();
  });
  const silent = said(`http://${base}/silent`);
  await heard.promise;
  await clock.advance(60_000);
  expect(await silent).toContain('cannot be read: nothing came for 30000 ms');
  heard = Promise.withResolvers();
  const leaving = new AbortController();
  const left = read(`http://${base}/silent`, { retries: 5, signal: leaving.signal });
  await heard.promise;
  leaving.abort(new Error('the run has ended'));
  await expect(left).rejects.toThrow('the run has ended');
  expect(clock.pendingTimers).toBe(0);
});
