/** The real sockets: TLS and WebSocket, with a gateway that only listens. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MessageChannel, silentLog } from '@bessemer/ports';
import WebSocket from 'ws';
import { type AgentServer, startAgentServer } from './agent-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'agent-server-'));
const accepted: Array<{ channel: MessageChannel; address: string }> = [];
let server: AgentServer;

beforeAll(async () => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
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
      '-subj',
      '/CN=agent-server',
      '-days',
      '1',
    ],
    { stdio: 'ignore' },
  );
  server = await startAgentServer({
    address: '127.0.0.1',
    port: 0,
    tls: { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') },
    gateway: { accept: (channel, { address }) => void accepted.push({ channel, address }) },
    log: silentLog,
  });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function connected() {
  const socket = new WebSocket(`wss://127.0.0.1:${server.port}/`, { rejectUnauthorized: false });
  await once(socket, 'open');
  return { socket, ...accepted.at(-1)! };
}

describe('the agent server', () => {
  it('carries messages both ways and tells where they come from', async () => {
    const { socket, channel, address } = await connected();
    expect(address).toBe('127.0.0.1');
    const heard = new Promise<string>((resolve) => channel.onMessage(resolve));
    socket.send('from the agent');
    expect(await heard).toBe('from the agent');
    const answer = once(socket, 'message');
    channel.send('from the service');
    expect(String((await answer)[0])).toBe('from the service');
    socket.terminate();
  });

  it('tells both ends why a connection was closed', async () => {
    const { socket, channel } = await connected();
    const told = new Promise<string>((resolve) => channel.onClose(resolve));
    const closed = once(socket, 'close');
    channel.send('last words');
    channel.close(`the work is done ${'é'.repeat(100)}`);
    expect(await told).toMatch(/^the work is done/);
    const [code, reason] = (await closed) as [number, Buffer];
    expect(code).toBe(1001);
    expect(reason.toString()).toMatch(/^the work is done é+$/);
  });

  it('closes a connection that sends more than a message may be long', async () => {
    const { socket, channel } = await connected();
    const told = new Promise<string>((resolve) => channel.onClose(resolve));
    socket.on('error', () => {});
    socket.send('x'.repeat(1024 * 1024 + 1));
    expect(await told).toMatch(/payload/i);
  });
});
