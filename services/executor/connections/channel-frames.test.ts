import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createChannelReader, encodeChannelFrame } from './channel-frames.ts';

/** A frame built by hand, byte by byte. */
function naive(json: string, payload: number[] = []): number[] {
  const text = [...Buffer.from(json, 'utf8')];
  const size = (n: number) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
  return [...size(text.length), ...size(payload.length), ...text, ...payload];
}

describe('frames of the channel', () => {
  it('are two lengths, JSON and a payload', () => {
    expect([...encodeChannelFrame({ op: 'play' }, Uint8Array.of(1, 2))]).toEqual(naive('{"op":"play"}', [1, 2]));
  });

  it('are read however they are split', () => {
    const bytes = Uint8Array.from([...naive('{"a":"ä"}', [9, 9, 9]), ...naive('{"b":2}')]);
    for (let first = 0; first <= bytes.length; first++)
      for (let second = first; second <= bytes.length; second += 3) {
        const read = createChannelReader();
        const got = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)].flatMap((part) =>
          read(part),
        );
        expect(got).toEqual([
          { ok: true, header: { a: 'ä' } },
          { ok: true, header: { b: 2 } },
        ]);
      }
  });

  it('that are hostile end the reading, without throwing', () => {
    expect(createChannelReader()(Uint8Array.from([255, 255, 255, 255, 0, 0, 0, 0]))).toMatchObject([{ ok: false }]);
    expect(createChannelReader()(Uint8Array.from(naive('[1]')))).toMatchObject([{ ok: false }]);
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (chunks) => {
        const read = createChannelReader();
        for (const chunk of chunks) read(chunk);
      }),
    );
  });
});
