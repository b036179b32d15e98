/** The sockets that agents connect to: WebSocket over TLS. All meaning is in the gateway. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { MAX_MESSAGE_BYTES } from '@bessemer/agent-protocol';
import type { Log, MessageChannel } from '@bessemer/ports';
import { type WebSocket, WebSocketServer } from 'ws';
import type { AgentGateway } from './agent-gateway.ts';

export interface AgentServerOptions {
  readonly address: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** PEM. The agent pins the key; names and dates in the certificate mean nothing to it. */
  readonly tls: { readonly key: string; readonly cert: string };
  readonly gateway: Pick<AgentGateway, 'accept'>;
  readonly log: Log;
}

export interface AgentServer {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

/** WebSocket close code 1001 "going away" (RFC 6455 section 7.4.1). */
const GOING_AWAY = 1001;
/** RFC 6455 section 5.5: a control frame holds 125 bytes, two of them are the code. */
const MAX_REASON_BYTES = 123;

function channelOf(socket: WebSocket): MessageChannel {
  const closeListeners: Array<(reason: string) => void> = [];
  let closedFor: string | undefined;
  const ended = (reason: string): void => {
    if (closedFor !== undefined) return;
    closedFor = reason;
    for (const listener of closeListeners) listener(reason);
  };
  socket.on('close', (_code, reason) => ended(reason.toString() || 'the connection ended'));
  socket.on('error', (error) => ended(error.message));
  return {
    send(message) {
      if (socket.readyState === socket.OPEN) socket.send(message);
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    onMessage: (listener) => void socket.on('message', (data, isBinary) => listener(isBinary ? '' : String(data))),
    onClose(listener) {
      if (closedFor !== undefined) listener(closedFor);
      else closeListeners.push(listener);
    },
    close(reason = 'closed') {
      const text = Buffer.from(reason)
        .subarray(0, MAX_REASON_BYTES)
        .toString('utf8')
        .replace(/\uFFFD+$/, '');
      socket.close(GOING_AWAY, text);
      ended(reason);
    },
  };
}

/** Listens. Rejects when the port is taken. */
export async function startAgentServer(options: AgentServerOptions): Promise<AgentServer> {
  const { gateway, log } = options;
  const server = createServer({ key: options.tls.key, cert: options.tls.cert });
  const sockets = new WebSocketServer({ server, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  sockets.on('connection', (socket, request) => {
    gateway.accept(channelOf(socket), { address: plainAddress(request.socket.remoteAddress) });
  });
  sockets.on('error', (error) => log.warn('agent server', { error: error.message }));
  server.on('tlsClientError', (error) => log.debug('an agent failed its TLS handshake', { error: error.message }));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.address, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address() as AddressInfo;
  return {
    address: bound.address,
    port: bound.port,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      await new Promise<void>((resolve) => {
        sockets.close(() => server.close(() => resolve()));
      });
    },
  };
}

/** An IPv4 address as a dual-stack socket shows it, without its prefix. */
const plainAddress = (address: string | undefined): string => (address ?? '').replace(/^::ffff:/, '');
