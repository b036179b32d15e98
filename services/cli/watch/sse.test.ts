import { describe, expect, it } from 'vitest';
import { createSseParser } from './sse.ts';

const STREAM =
  '\ufeff: bessemer\n\nid: 1\nevent: step.started\ndata: {"a":1}\n\nid: 2\r\nevent: x\r\ndata: first\r\ndata:second\r\n\r\n: quiet\n\nid: 3\rdata: cr\r\rdata\n\nevent: without data\n\ndata: last\n\n';
const MESSAGES = [
  { id: '1', event: 'step.started', data: '{"a":1}' },
  { id: '2', event: 'x', data: 'first\nsecond' },
  { id: '3', event: 'message', data: 'cr' },
  { id: '3', event: 'message', data: '' },
  { id: '3', event: 'message', data: 'last' },
];

describe('the parser of server-sent events', () => {
  it('reads a stream in one piece', () => {
    expect(createSseParser().push(STREAM)).toEqual(MESSAGES);
  });

  it('reads the same wherever the stream is cut in two, and cut in single characters', () => {
    for (let at = 0; at <= STREAM.length; at++) {
      const parser = createSseParser();
      expect([...parser.push(STREAM.slice(0, at)), ...parser.push(STREAM.slice(at))], `cut at ${at}`).toEqual(MESSAGES);
    }
    const parser = createSseParser();
    expect([...STREAM].flatMap((c) => parser.push(c))).toEqual(MESSAGES);
  });

  it('keeps an unfinished message to itself', () => {
    const parser = createSseParser();
    expect(parser.push('id: 9\ndata: half')).toEqual([]);
    expect(parser.push('\n')).toEqual([]);
    expect(parser.push('\n')).toEqual([{ id: '9', event: 'message', data: 'half' }]);
  });

  it('ignores an id with a NUL, as the standard says', () => {
    expect(createSseParser().push('id: a\0b\ndata: x\n\n')).toEqual([{ id: undefined, event: 'message', data: 'x' }]);
  });

  it('refuses a message without end', () => {
    const parser = createSseParser();
    const line = `data: ${'x'.repeat(1024 * 1024)}\n`;
    expect(() => {
      for (let i = 0; i < 16; i++) parser.push(line);
    }).toThrow(RangeError);
  });
});
