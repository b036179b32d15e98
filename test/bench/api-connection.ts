/** The least that can send HTTP/1.1 requests over one kept connection: the load generator must cost less than what it loads. */
import { connect, type Socket } from 'node:net';

export interface WireAnswer {
  readonly status: number;
  /** Size of the body in bytes. */
  readonly bytes: number;
  readonly body: () => string;
}

export interface Connection {
  /** One request at a time. @throws Error when the connection breaks or the answer has no length. */
  ask(method: string, path: string, body?: string): Promise<WireAnswer>;
  close(): void;
}

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** Connects to 127.0.0.1; `minor` is N of microversion 1.N of every request. Connects again when the server has closed. */
export function openConnection(port: number, minor: number): Connection {
  let socket: Socket | undefined;
  let chunks: Buffer[] = [];
  let size = 0;
  /** Length of head and body; undefined until the head is there. */
  let expected: { status: number; head: number; total: number } | undefined;
  let waiting: { resolve: (answer: WireAnswer) => void; reject: (error: Error) => void } | undefined;

  const fail = (error: Error) => {
    const waits = waiting;
    waiting = undefined;
    socket?.destroy();
    socket = undefined;
    waits?.reject(error);
  };

  function take(chunk: Buffer): void {
    chunks.push(chunk);
    size += chunk.length;
    if (!expected) {
      const all = chunks.length === 1 ? chunk : Buffer.concat(chunks);
      chunks = [all];
      const end = all.indexOf(END_OF_HEAD);
      if (end < 0) return;
      const head = all.toString('latin1', 0, end);
      const status = Number(head.slice(9, 12));
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
      if (length === undefined && status !== 204 && status !== 202)
        return fail(new Error(`an answer without a length: ${head}`));
      expected = { status, head: end + 4, total: end + 4 + Number(length ?? 0) };
    }
    if (size < expected.total) return;
    const { status, head, total } = expected;
    const parts = chunks;
    chunks = [];
    size = 0;
    expected = undefined;
    const waits = waiting;
    waiting = undefined;
    waits?.resolve({ status, bytes: total - head, body: () => Buffer.concat(parts).toString('utf8', head, total) });
  }

  function opened(): Socket {
    if (socket) return socket;
    chunks = [];
    size = 0;
    expected = undefined;
    const made = connect({ port, host: '127.0.0.1', noDelay: true });
    made.on('data', take);
    made.on('error', fail);
    made.on('close', () => {
      if (socket === made) fail(new Error('the server closed the connection'));
    });
    return (socket = made);
  }

  return {
    ask(method, path, body) {
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        const length =
          body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
        opened().write(
          `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: application/json\r\nX-OpenStack-Ironic-API-Version: 1.${minor}\r\n${length}\r\n${body ?? ''}`,
        );
      });
    },
    close() {
      const open = socket;
      socket = undefined;
      open?.destroy();
    },
  };
}
