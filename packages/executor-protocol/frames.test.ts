import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameReader, encodeFrame, type RequestFrame } from './frames.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('frames of the socket', () => {
  it('arrive whole however they are split', () => {
    const frames: RequestFrame[] = [
      { id: 1, op: 'ping' },
      { id: 2, op: 'close', connection: 'ä\n"' },
    ];
    const whole = bytes(frames.map(encodeFrame).join(''));
    for (let cut = 0; cut <= whole.length; cut++) {
      const read = createFrameReader();
      const got = [...read(whole.subarray(0, cut)), ...read(whole.subarray(cut))];
      expect(got).toEqual(frames.map((value) => ({ ok: true, value })));
    }
  });

  it('never throw on hostile bytes, and end at the first error', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
        const read = createFrameReader(64);
        const results = chunks.flatMap((chunk) => read(chunk));
        const broken = results.findIndex((result) => !result.ok);
        expect(broken === -1 || broken === results.length - 1).toBe(true);
      }),
    );
  });

  it('are bounded', () => {
    const read = createFrameReader(8);
    expect(read(bytes('1234'))).toEqual([]);
    expect(read(bytes('56789'))).toEqual([{ ok: false, error: 'a frame is longer than 8 bytes' }]);
    expect(read(bytes('\n1\n'))).toEqual([]);
  });
});
