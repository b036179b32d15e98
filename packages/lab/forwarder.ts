/**
 * From loopback ports of the host into the lab's network. A process has its sockets in one namespace only, but unix sockets
 * are files and cross: the dialler lives inside, listens on a unix socket and opens TCP; the forwarder lives outside,
 * listens on loopback, and passes bytes.
 *
 * A connection to the dialler begins with one JSON line that names the target; the answer is `ok` or `error REASON`, a line
 * too; then bytes.
 */
import { createConnection, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { addressOfMac } from './network.ts';

/** Where a forwarded connection goes: to an address, or to whatever address a network card was last seen under. */
export type ForwardTarget =
  | { readonly host: string; readonly port: number }
  | { readonly mac: string; readonly port: number };

const MAX_HEADER_BYTES = 1024;

/** Reads up to the first `\n`, puts the rest back, and calls `onLine` once; `undefined` when there is none. */
function firstLine(socket: Socket, onLine: (line: string | undefined) => void): void {
  let seen = Buffer.alloc(0);
  const finish = (line: string | undefined): void => {
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.pause();
    onLine(line);
  };
  const onEnd = (): void => finish(undefined);
  const onData = (chunk: Buffer): void => {
    seen = Buffer.concat([seen, chunk]);
    const end = seen.indexOf(10);
    if (end < 0 && seen.length <= MAX_HEADER_BYTES) return;
    if (end >= 0 && end + 1 < seen.length) socket.unshift(seen.subarray(end + 1));
    finish(end < 0 ? undefined : seen.subarray(0, end).toString());
  };
  socket.on('data', onData);
  socket.on('end', onEnd);
}

/** Joins two sockets until both directions have ended; an error of one ends the other. */
function join(a: Socket, b: Socket): void {
  a.on('error', () => b.destroy());
  b.on('error', () => a.destroy());
  a.on('close', () => b.destroy());
  b.on('close', () => a.destroy());
  a.pipe(b);
  b.pipe(a);
}

function parseTarget(line: string | undefined): ForwardTarget | undefined {
  try {
    const value = JSON.parse(line ?? '') as Record<string, unknown>;
    const { port, host, mac } = value;
    if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
    if (typeof host === 'string') return { host, port };
    return typeof mac === 'string' ? { mac, port } : undefined;
  } catch {
    return undefined;
  }
}

const listen = (server: Server, at: string | { host: string; port: number }): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve();
    });
  });

/** A server that ends its connections when it is closed. */
function closable(server: Server): () => Promise<void> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  return () =>
    new Promise((resolve) => {
      for (const socket of open) socket.destroy();
      server.close(() => resolve());
    });
}

/** The inner half: answers on `socketPath`, dials in the namespace of this process. */
export async function startDialler(socketPath: string): Promise<{ close(): Promise<void> }> {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    client.on('error', () => client.destroy());
    const refuse = (reason: string): void => void client.end(`error ${reason}\n`);
    firstLine(client, (line) => {
      const target = parseTarget(line);
      if (!target) return refuse('the target must be {"host"|"mac", "port"}');
      void (async () => {
        const host = 'host' in target ? target.host : await addressOfMac(target.mac);
        if (host === undefined) return refuse('no address of this network card has been seen yet');
        const upstream = createConnection({ host, port: target.port, allowHalfOpen: true });
        const onError = (error: Error): void => refuse(error.message);
        upstream.once('error', onError);
        upstream.once('connect', () => {
          upstream.off('error', onError);
          client.write('ok\n');
          join(client, upstream);
        });
        client.once('close', () => upstream.destroy());
      })();
    });
  });
  const close = closable(server);
  await listen(server, socketPath);
  return { close };
}

/** Opens one connection into the lab through its dialler. Rejects with the dialler's reason. */
export function dialInside(socketPath: string, target: ForwardTarget): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const inner = createConnection({ path: socketPath, allowHalfOpen: true });
    inner.once('error', reject);
    inner.once('connect', () => inner.write(`${JSON.stringify(target)}\n`));
    firstLine(inner, (line) => {
      inner.off('error', reject);
      if (line === 'ok') return resolve(inner);
      inner.on('error', () => {});
      inner.destroy();
      reject(new Error(line === undefined ? 'the lab ended the connection' : line.replace(/^error /, '')));
    });
  });
}

export interface Forwarder {
  readonly port: number;
  close(): Promise<void>;
}

/** The outer half: one loopback port of this namespace to one target inside. `port: 0` takes a free one. */
export async function startForwarder(options: {
  socketPath: string;
  target: ForwardTarget;
  port?: number;
}): Promise<Forwarder> {
  const server = createServer({ allowHalfOpen: true }, (outer) => {
    outer.on('error', () => outer.destroy());
    outer.pause();
    dialInside(options.socketPath, options.target).then(
      (inner) => {
        if (outer.destroyed) return void inner.destroy();
        join(outer, inner);
      },
      // Nobody to tell but the client: it sees the connection end, as from a server that refuses.
      () => outer.resetAndDestroy(),
    );
  });
  const close = closable(server);
  await listen(server, { host: '127.0.0.1', port: options.port ?? 0 });
  return { port: (server.address() as AddressInfo).port, close };
}
