import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodePacket } from './codec.ts';
import { negotiateOptions } from './options.ts';
import { startTransfer, stepTransfer } from './transfer.ts';
import type { Step, TransferEffect, TransferState } from './transfer.ts';

const limits = { maxBlockSizeBytes: 65_464, maxWindowBlocks: 65_535 };
const begin = (sizeBytes: number, options: Record<string, string> = {}): Step =>
  startTransfer(sizeBytes, negotiateOptions(new Map(Object.entries(options)), sizeBytes, limits), 0);
const ack = (state: TransferState, block: number, nowMs = 1): Step =>
  stepTransfer(state, { kind: 'datagram', bytes: encodePacket({ kind: 'ack', block: block & 0xffff }), nowMs });
const timeout = (state: TransferState, nowMs: number): Step => stepTransfer(state, { kind: 'timeout', nowMs });
const sentBlocks = (step: Step): [number, number] | undefined => {
  const sent = step.effects.find((e) => e.kind === 'send-blocks');
  return sent && [sent.first, sent.last];
};
const timerMs = (effects: readonly TransferEffect[]) => effects.find((e) => e.kind === 'timer')?.delayMs;

describe('a transfer', () => {
  it('sends block 1 at once without options, and one block per acknowledgement', () => {
    const first = begin(1000);
    expect(sentBlocks(first)).toEqual([1, 1]);
    const second = ack(first.state, 1);
    expect(sentBlocks(second)).toEqual([2, 2]);
    expect(ack(second.state, 2).effects).toEqual([{ kind: 'finish', outcome: 'complete', detail: '' }]);
  });

  it('ends a file of whole blocks, and an empty one, with an empty block', () => {
    expect(begin(1024).state.lastBlock).toBe(3);
    const empty = begin(0);
    expect(sentBlocks(empty)).toEqual([1, 1]);
    expect(ack(empty.state, 1).effects[0]).toMatchObject({ kind: 'finish', outcome: 'complete' });
  });

  it('waits for ACK 0 after the OACK', () => {
    const first = begin(5000, { blksize: '1000', windowsize: '4' });
    expect(first.effects[0]).toEqual({
      kind: 'send',
      bytes: encodePacket({
        kind: 'option-ack',
        options: new Map([
          ['blksize', '1000'],
          ['windowsize', '4'],
        ]),
      }),
    });
    expect(ack(first.state, 1).effects).toEqual([]);
    expect(sentBlocks(ack(first.state, 0))).toEqual([1, 4]);
  });

  it('answers no duplicate ACK with data', () => {
    const sending = ack(begin(50_000, { windowsize: '8' }).state, 0);
    const next = ack(sending.state, 8);
    expect(sentBlocks(next)).toEqual([9, 16]);
    for (const old of [8, 7, 3, 0, 17, 65_535]) expect(ack(next.state, old).effects).toEqual([]);
  });

  it('goes back to the gap that an ACK inside the window shows', () => {
    const sending = ack(begin(50_000, { windowsize: '8' }).state, 0);
    expect(sentBlocks(ack(sending.state, 5, 2))).toEqual([6, 13]);
  });

  it('sends again for a gap once per interval only, and catches up at its end', () => {
    let step = ack(begin(500_000, { windowsize: '8' }).state, 0, 10);
    step = ack(step.state, 8, 20);
    step = ack(step.state, 10, 21);
    expect(sentBlocks(step)).toEqual([11, 18]);
    step = ack(step.state, 12, 22);
    expect(sentBlocks(step)).toBeUndefined();
    const waitMs = timerMs(step.effects)!;
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThan(200);
    step = ack(step.state, 13, 23);
    expect(sentBlocks(step)).toBeUndefined();
    expect(sentBlocks(timeout(step.state, 22 + waitMs))).toEqual([14, 21]);
  });

  it('waits 200 ms first, then twice as long, and again 200 ms after progress', () => {
    let step = begin(5000);
    const waits = [timerMs(step.effects)];
    for (let nowMs = 200; waits.length < 4; nowMs += 1) {
      step = timeout(step.state, nowMs);
      expect(sentBlocks(step)).toEqual([1, 1]);
      waits.push(timerMs(step.effects));
    }
    expect(waits).toEqual([200, 400, 800, 1600]);
    expect(timerMs(ack(step.state, 1, 300).effects)).toBe(200);
  });

  it("doubles no further than the client's own time-out", () => {
    let step = begin(5000, { timeout: '1' });
    for (let i = 0; i < 6; i++) step = timeout(step.state, 100 * i);
    expect(timerMs(step.effects)).toBe(1000);
  });

  it('gives up after 30 s of silence', () => {
    const step = begin(5000);
    expect(timeout(step.state, 29_000).state.phase).toBe('sending');
    expect(timeout(step.state, 30_000).effects).toEqual([
      { kind: 'finish', outcome: 'timed-out', detail: 'no answer for 30 s after block 0 of 10' },
    ]);
  });

  it('ends when the client says ERROR', () => {
    const bytes = encodePacket({ kind: 'error', code: 8, message: 'size known' });
    expect(stepTransfer(begin(5000, { tsize: '0' }).state, { kind: 'datagram', bytes, nowMs: 1 }).effects).toEqual([
      { kind: 'finish', outcome: 'aborted', detail: 'size known' },
    ]);
  });

  it('rolls the block number over to 0 as often as the file needs', () => {
    const sizeBytes = 8 * 200_000 + 3;
    let step = ack(begin(sizeBytes, { blksize: '8', windowsize: '50000' }).state, 0);
    const sent: Array<[number, number]> = [];
    for (let at = sentBlocks(step); at; at = sentBlocks(step)) {
      sent.push(at);
      step = ack(step.state, at[1]);
    }
    expect(sent).toEqual([
      [1, 50_000],
      [50_001, 100_000],
      [100_001, 150_000],
      [150_001, 200_000],
      [200_001, 200_001],
    ]);
    expect(step.effects[0]).toMatchObject({ kind: 'finish', outcome: 'complete' });
  });

  it('keeps its invariants whatever is received', () => {
    const events = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('ack' as const), block: fc.nat(40) }),
        fc.record({ kind: fc.constant('timeout' as const) }),
        fc.record({ kind: fc.constant('garbage' as const), bytes: fc.uint8Array({ maxLength: 20 }) }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(fc.nat(20_000), fc.integer({ min: 1, max: 12 }), events, (sizeBytes, window, list) => {
        let step = ack(begin(sizeBytes, { windowsize: String(window) }).state, 0, 0);
        let nowMs = 0;
        for (const event of list) {
          const before = step.state;
          nowMs += 3;
          if (event.kind === 'ack') step = ack(before, event.block, nowMs);
          else if (event.kind === 'timeout') step = timeout(before, nowMs);
          else step = stepTransfer(before, { kind: 'datagram', bytes: event.bytes, nowMs });
          const { state } = step;
          expect(state.acked).toBeGreaterThanOrEqual(before.acked);
          expect(state.acked).toBeLessThanOrEqual(state.sent);
          expect(state.sent).toBeLessThanOrEqual(state.lastBlock);
          const blocks = sentBlocks(step);
          if (blocks) expect(blocks[1] - blocks[0] + 1).toBeLessThanOrEqual(window);
          if (blocks && event.kind === 'ack') expect(state.acked).toBeGreaterThan(before.acked);
        }
      }),
    );
  });
});
