/**
 * Requests of one connection, one after the other. node:http begins all that arrive together at once and keeps what is answered
 * out of turn: a few kilobytes of requests for long lists would become gigabytes of answers, and what a client asks after a change
 * would be answered as it was before (RFC 9112 section 9.3.2).
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** No client sends so many without reading an answer; more would wait in memory behind a stream that never ends. */
const MOST_WAITING = 100;

interface Line {
  last: ServerResponse;
  waiting: number;
}

/** A listener that begins a request when the answer to the one before it is done, and none of a client that has gone. */
export function inOrder(begin: (request: IncomingMessage, response: ServerResponse) => void): RequestListener {
  const lines = new WeakMap<Socket, Line>();
  return (request, response) => {
    const { socket } = request;
    const line = lines.get(socket);
    if (!line) {
      lines.set(socket, { last: response, waiting: 0 });
      return begin(request, response);
    }
    const before = line.last;
    line.last = response;
    if (before.closed) return begin(request, response);
    if (++line.waiting > MOST_WAITING) return void socket.destroy();
    before.once('close', () => {
      line.waiting--;
      if (!socket.destroyed) begin(request, response);
    });
  };
}
