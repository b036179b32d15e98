/** Server-sent events (HTML standard, section 9.2.6): text in pieces of any size, whole messages out. */

export interface SseMessage {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string;
}

/** A longer message than any the service sends means that something else answers. */
const MESSAGE_LIMIT = 8 * 1024 * 1024;

export interface SseParser {
  /**
   * The messages that this piece completes.
   * @throws RangeError when a message grows over 8 MB.
   */
  push(piece: string): SseMessage[];
}

/** A parser for one stream; line ends may be LF, CR or CRLF, also across pieces. */
export function createSseParser(): SseParser {
  let buffer = '';
  let id: string | undefined;
  let event = '';
  let data: string[] = [];
  let sizeChars = 0;
  let isStart = true;

  function take(line: string): SseMessage | undefined {
    if (line === '') {
      const message = data.length === 0 ? undefined : { id, event: event || 'message', data: data.join('\n') };
      event = '';
      data = [];
      sizeChars = 0;
      return message;
    }
    const at = line.indexOf(':');
    const field = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? '' : line.slice(line[at + 1] === ' ' ? at + 2 : at + 1);
    if (field === 'data') {
      data.push(value);
      sizeChars += value.length;
    } else if (field === 'event') event = value;
    else if (field === 'id' && !value.includes('\0')) id = value;
    return undefined;
  }

  return {
    push(piece) {
      buffer += piece;
      if (isStart && buffer !== '') {
        if (buffer.startsWith('\ufeff')) buffer = buffer.slice(1);
        isStart = false;
      }
      const messages: SseMessage[] = [];
      let from = 0;
      for (;;) {
        const rest = /\r\n|\n|\r/g;
        rest.lastIndex = from;
        const end = rest.exec(buffer);
        // A CR at the very end may be half of a CRLF.
        if (!end || (end[0] === '\r' && end.index === buffer.length - 1)) break;
        const message = take(buffer.slice(from, end.index));
        if (message) messages.push(message);
        from = end.index + end[0].length;
      }
      buffer = buffer.slice(from);
      if (buffer.length + sizeChars > MESSAGE_LIMIT)
        throw new RangeError('A message of the event stream is over 8 MB.');
      return messages;
    },
  };
}
