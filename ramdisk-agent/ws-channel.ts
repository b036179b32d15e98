/** The agent's connection: a WebSocket over TLS to a service that is known by its public key alone. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import WebSocket from 'ws';
import { MAX_MESSAGE_BYTES } from '@bessemer/agent-protocol';
import type { Clock, MessageChannel } from '@bessemer/ports';

const CONNECT_DEADLINE_MS = 15_000;
const CLOSE_GRACE_MS = 2_000;

/** SHA-256 of the peer's SubjectPublicKeyInfo, lower-case hex. Undefined when it showed no certificate. */
function publicKeyPin(socket: TLSSocket): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return undefined;
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/**
 * Opens a channel to a `wss:` address. No authority is trusted and no name or date is checked (a ramdisk's clock may say 1970):
 * the peer is right when its public key has the SHA-256 `pin`, and only then a byte is sent inside TLS.
 */
export async function connectPinned(url: string, pin: string, clock: Clock): Promise<MessageChannel> {
  const address = new URL(url);
  const socket = await openTls(address, pin, clock);
  return new Promise((resolve, reject) => {
    const websocket = new WebSocket(url, {
      createConnection: () => socket,
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      skipUTF8Validation: false,
    });
    const deadline = clock.setTimer(CONNECT_DEADLINE_MS, () => websocket.terminate());
    let lastError = '';
    websocket.on('error', (error) => {
      lastError = error.message;
    });
    const failed = (): void => {
      deadline.cancel();
      reject(new Error(`${address.host} does not speak WebSocket: ${lastError || 'closed'}`));
    };
    websocket.once('close', failed);
    websocket.once('open', () => {
      deadline.cancel();
      websocket.off('close', failed);
      resolve(channelOf(websocket, clock, () => lastError));
    });
  });
}

function openTls(address: URL, pin: string, clock: Clock): Promise<TLSSocket> {
  const host = address.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      host,
      port: Number(address.port || 443),
      ...(isIP(host) ? {} : { servername: host }),
      ALPNProtocols: ['http/1.1'],
      minVersion: 'TLSv1.3',
      rejectUnauthorized: false,
      // Left out, Node would read all the authorities that it knows.
      ca: [],
    });
    const deadline = clock.setTimer(CONNECT_DEADLINE_MS, () => socket.destroy(new Error('no answer in time')));
    socket.once('error', (error) => {
      deadline.cancel();
      reject(new Error(`${address.host} cannot be reached: ${error.message}`, { cause: error }));
    });
    socket.once('secureConnect', () => {
      deadline.cancel();
      const seen = publicKeyPin(socket);
      if (seen !== undefined && timingSafeEqual(Buffer.from(seen), Buffer.from(pin))) return resolve(socket);
      reject(
        new Error(
          `${address.host} is not our service: its public key has the SHA-256 ${seen ?? 'unknown'}, ${pin} was expected`,
        ),
      );
      socket.destroy();
    });
  });
}

function channelOf(websocket: WebSocket, clock: Clock, lastError: () => string): MessageChannel {
  return {
    send(message) {
      if (websocket.readyState === WebSocket.OPEN) websocket.send(message);
    },
    get bufferedBytes() {
      return websocket.bufferedAmount;
    },
    onMessage(listener) {
      websocket.on('message', (data, isBinary) => {
        if (!isBinary) listener(data.toString());
      });
    },
    onClose(listener) {
      websocket.once('close', (code, reason) => listener(reason.toString() || lastError() || `closed (${code})`));
    },
    close(reason) {
      // A reason has at most 123 bytes (RFC 6455 section 5.5).
      websocket.close(1000, reason?.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 120));
      clock.setTimer(CLOSE_GRACE_MS, () => websocket.terminate(), { background: true });
    },
  };
}
