/** How a running lab is told things: one JSON object per line over a unix socket, `{id, op, ...}` -> `{id, result | error}`. */
import { createConnection, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { lineSplitter } from './qmp.ts';

/** Answers one operation; what it throws goes back as the error's message. */
export type ControlHandler = (request: Readonly<Record<string, unknown>>) => Promise<unknown>;

function parse(line: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line ?? '');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Listens on `socketPath` until closed. */
export async function startControlServer(
  socketPath: string,
  handlers: Readonly<Record<string, ControlHandler>>,
): Promise<{ close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    const reply = (message: object): void => void socket.write(`${JSON.stringify(message)}\n`);
    const receive = lineSplitter((line) => {
      const request = parse(line);
      if (!request) return reply({ error: 'not a JSON object' });
      const handler = Object.hasOwn(handlers, String(request.op)) ? handlers[String(request.op)] : undefined;
      if (!handler) return reply({ id: request.id, error: `unknown operation "${String(request.op)}"` });
      handler(request).then(
        (result) => reply({ id: request.id, result: result ?? null }),
        (error: Error) => reply({ id: request.id, error: error.message }),
      );
    });
    socket.on('data', receive);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Sends one operation on a connection of its own and gives its result. Rejects with the other side's error. */
export function callControl(socketPath: string, op: string, args: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    const finish = (end: () => void): void => {
      socket.destroy();
      end();
    };
    socket.once('error', (error) => finish(() => reject(new Error(`the lab does not answer: ${error.message}`))));
    socket.once('close', () => reject(new Error('the lab ended the connection')));
    socket.on(
      'data',
      lineSplitter((line) => {
        const answer = parse(line);
        if (!answer) finish(() => reject(new Error('the lab answered something that is not JSON')));
        else if (answer.error !== undefined) finish(() => reject(new Error(String(answer.error))));
        else finish(() => resolve(answer.result));
      }),
    );
    socket.write(`${JSON.stringify({ ...args, id: 1, op })}\n`);
  });
}
