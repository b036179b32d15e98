/** The agent's real connection: TLS with a pinned key, and the bundle as a process of a bare Node. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAgentSession, type HelloMessage, type KeptMessage, type SessionOrder } from '@bessemer/agent-protocol';
import { systemClock } from '@bessemer/ports/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { bundleAgent } from './bundle.ts';
import { connectPinned } from './ws-channel.ts';

const folder = mkdtempSync(join(tmpdir(), 'agent-wire-'));
const TOKEN = 'token-of-16-chars-or-more';
let server: Server;
let sockets: WebSocketServer;
let url: string;
let pin: string;

function makeCertificate(name: string): { key: Buffer; cert: Buffer } {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  const subject = ['-subj', '/CN=nobody-checks-this', '-days', '1'];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      ...subject,
    ],
    { stdio: 'ignore' },
  );
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

beforeAll(async () => {
  const { key, cert } = makeCertificate('service');
  pin = createHash('sha256')
    .update(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
  // A judge that is not our code: the pin as an operator computes it.
  const spki = execFileSync(
    'sh',
    [
      '-c',
      `openssl x509 -in ${join(folder, 'service.pem')} -pubkey -noout | openssl pkey -pubin -outform der | sha256sum`,
    ],
    { encoding: 'utf8' },
  );
  expect(spki.slice(0, 64)).toBe(pin);
  server = createServer({ key, cert });
  sockets = new WebSocketServer({ server, path: '/v1/agent' });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `wss://127.0.0.1:${(server.address() as AddressInfo).port}/v1/agent`;
});
afterAll(async () => {
  for (const client of sockets.clients) client.terminate();
  sockets.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

test('the right key opens a channel both ways', async () => {
  const accepted = once(sockets, 'connection') as Promise<[WebSocket]>;
  const channel = await connectPinned(url, pin, systemClock);
  const [peer] = await accepted;
  const answer = new Promise<string>((resolve) => channel.onMessage(resolve));
  const heard = once(peer, 'message') as Promise<[Buffer]>;
  channel.send('{"type":"ping"}');
  expect((await heard)[0].toString()).toBe('{"type":"ping"}');
  peer.send('{"type":"pong"}');
  expect(await answer).toBe('{"type":"pong"}');
  const closed = new Promise<string>((resolve) => channel.onClose(resolve));
  peer.close(1000, 'good bye');
  expect(await closed).toBe('good bye');
});

test('another key is refused, and not a byte of HTTP reaches its owner', async () => {
  let requests = 0;
  let bytes = 0;
  const impostor = createServer(makeCertificate('impostor'), () => requests++);
  impostor.on('upgrade', () => requests++);
  impostor.on('secureConnection', (socket) => {
    socket.on('data', (data: Buffer) => {
      bytes += data.length;
    });
  });
  impostor.listen(0, '127.0.0.1');
  await once(impostor, 'listening');
  const gone = new Promise<void>((resolve) =>
    impostor.on('connection', (socket) => socket.once('close', () => resolve())),
  );
  const wrong = `wss://127.0.0.1:${(impostor.address() as AddressInfo).port}/v1/agent`;
  await expect(connectPinned(wrong, pin, systemClock)).rejects.toThrow(
    /is not our service: its public key has the SHA-256 [0-9a-f]{64}/,
  );
  await gone;
  expect({ requests, bytes }).toEqual({ requests: 0, bytes: 0 });
  await new Promise((resolve) => impostor.close(resolve));
});

test('nobody there, no TLS there, no WebSocket there: each is a reason', async () => {
  await expect(connectPinned('wss://127.0.0.1:1/x', pin, systemClock)).rejects.toThrow('cannot be reached');
  await expect(connectPinned(url.replace('/v1/agent', '/other'), pin, systemClock)).rejects.toThrow(
    'does not speak WebSocket',
  );
});

test('a message larger than the limit closes the channel', async () => {
  const accepted = once(sockets, 'connection') as Promise<[WebSocket]>;
  const channel = await connectPinned(url, pin, systemClock);
  const closed = new Promise<string>((resolve) => channel.onClose(resolve));
  const [peer] = await accepted;
  peer.on('error', () => {});
  peer.send('x'.repeat(1024 * 1024 + 1));
  expect(await closed).toContain('Max payload size exceeded');
});

test('the bundle is one file that a bare Node runs in an empty folder, from hello to a finished segment', async () => {
  const run = mkdtempSync(join(folder, 'run-'));
  const bundle = await bundleAgent({ outFile: join(run, 'agent.mjs') });
  expect(bundle.sizeBytes).toBeLessThan(400_000);
  expect(bundle.sha256).toBe(createHash('sha256').update(readFileSync(bundle.path)).digest('hex'));
  const again = await bundleAgent({ outFile: join(run, 'again.mjs') });
  expect(again.sha256).toBe(bundle.sha256);
  // An import of it loads all of undici: seconds on a slow machine.
  expect(readFileSync(bundle.path, 'utf8')).not.toMatch(/from ?"node:https?"/);
  rmSync(again.path);
  writeFileSync(
    join(run, 'cmdline'),
    `quiet bessemer.agent=${url} bessemer.pin=sha256:${pin} bessemer.token=${TOKEN}\n`,
  );

  const hellos: HelloMessage[] = [];
  const kept: KeptMessage[] = [];
  const order: SessionOrder = {
    type: 'segment',
    run: 'run-1',
    fence: 1,
    segment: 'seg-1',
    steps: [{ id: 'i', name: 'inspect', interface: 'inspect', args: {}, attempt: 'a-1', onRepeat: 'safe' }],
  };
  const finished = new Promise<void>((resolve) => {
    let connections = 0;
    sockets.on('connection', (socket) => {
      const connection = ++connections;
      const session = createAgentSession({ nowMs: systemClock.monotonicMs() });
      const give = (input: Parameters<typeof session.step>[0]): void => {
        for (const effect of session.step(input, systemClock.monotonicMs())) {
          if (effect.kind === 'send') socket.send(effect.text);
          else if (effect.kind === 'authenticate') {
            hellos.push(effect.hello);
            give({ kind: 'accept', key: 'session-key-number-1', node: { uuid: 'n' }, lastSeq: kept.at(-1)?.seq ?? 0 });
          } else if (effect.kind === 'opened') {
            // The first connection is lost after the welcome: the agent returns with its key.
            if (connection === 1) socket.terminate();
            else give({ kind: 'order', message: order });
          } else if (effect.kind === 'keep') {
            kept.push(effect.message);
            give({ kind: 'stored', seq: effect.message.seq });
            if (effect.message.type === 'segmentDone') resolve();
          } else if (effect.kind === 'close') socket.close();
        }
      };
      socket.on('message', (data) => give({ kind: 'text', text: String(data) }));
    });
  });

  const node = process.execPath;
  const child = spawn(node, ['agent.mjs', '--cmdline', 'cmdline'], {
    cwd: run,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  try {
    const first = await Promise.race([finished.then(() => 'finished'), exited.then(() => 'exited')]);
    expect(first, stderr).toBe('finished');
    child.kill('SIGTERM');
    const [code] = await exited;
    expect(code, stderr).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
  expect(hellos.map((hello) => [hello.token, hello.key])).toEqual([
    [TOKEN, undefined],
    ...hellos.slice(1).map(() => [undefined, 'session-key-number-1']),
  ]);
  expect(new Set(hellos.map((hello) => hello.bootId))).toEqual(
    new Set([readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()]),
  );
  expect(kept.map((m) => (m.type === 'event' ? m.kind : m.outcome))).toEqual(['started', 'done', 'done']);
  expect(kept[1]).toMatchObject({
    data: { inventory: { cpu: { count: expect.any(Number) as number }, disks: expect.any(Array) as unknown[] } },
  });
  expect(stderr).not.toContain(TOKEN);
  expect(readdirSync(run).toSorted()).toEqual(['agent.mjs', 'cmdline']);
});

test('a command line without pin ends the process with a reason', async () => {
  const run = mkdtempSync(join(folder, 'run-'));
  await bundleAgent({ outFile: join(run, 'agent.mjs') });
  writeFileSync(join(run, 'cmdline'), `bessemer.agent=${url} bessemer.token=${TOKEN}`);
  const child = spawn(process.execPath, ['agent.mjs', '--cmdline', 'cmdline'], {
    cwd: run,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(1);
  expect(stderr).toContain('bessemer.pin must be sha256:');
});
