import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { silentLog } from '@bessemer/ports';
import { ManualClock } from '@bessemer/ports/testing';
import { decodeExtentIndex, encodeExtentIndex } from './extent-index.ts';
import { spans } from './http-exit.ts';
import { createProgressReporter } from './progress.ts';
import { createSlots } from './slots.ts';
import { checkSource } from './source.ts';
import { createFileStore } from './store.ts';
import type { ImageProgress } from './types.ts';
import { usedRuns } from './worker/sparse-writer.ts';

const root = mkdtempSync(join(tmpdir(), 'depot-parts-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('slots', () => {
  test('are given in the order of asking, and positions move up', async () => {
    const slots = createSlots(1);
    const first = await slots.acquire();
    const seen: string[] = [];
    const line = ['b', 'c', 'd'].map((name) => {
      const leave = new AbortController();
      const turn = slots.acquire({ signal: leave.signal, onPosition: (n) => seen.push(`${name}${n}`) });
      return { leave, turn };
    });
    expect(seen).toEqual(['b1', 'c2', 'd3']);
    const refused = expect(line[1]?.turn).rejects.toThrow('enough');
    line[1]?.leave.abort(new Error('enough'));
    await refused;
    first();
    first();
    const second = await line[0]?.turn;
    expect(seen.slice(3)).toEqual(['b1', 'd2', 'd1']);
    second?.();
    (await line[2]?.turn)?.();
    expect(typeof (await slots.acquire())).toBe('function');
  });
});

test('progress has the rate of its phase, without what was there before it', async () => {
  const clock = new ManualClock();
  const told: ImageProgress[] = [];
  const report = createProgressReporter(clock, (p) => told.push(p));
  report.phase('fetch');
  report.bytes(5000, 10_000);
  await clock.advance(1000);
  report.bytes(7000, 10_000);
  await clock.advance(10);
  report.bytes(7001, 10_000);
  report.bytes(10_000, 10_000);
  expect(told).toEqual([
    { phase: 'fetch', bytes: 0, totalBytes: null, rate: 0 },
    { phase: 'fetch', bytes: 7000, totalBytes: 10_000, rate: 2000 },
    { phase: 'fetch', bytes: 10_000, totalBytes: 10_000, rate: 4950 },
  ]);
});

test('rows survive, broken ones are left out, and only the user may read them', () => {
  const row = { id: 'a-1', imageId: 'i', diskFormat: 'raw' };
  const store = createFileStore(root, silentLog);
  store.sources.put(row);
  store.sources.put({ ...row, id: 'b-2' });
  store.sources.remove('b-2');
  writeFileSync(join(root, 'sources', 'c-3.json'), '{"id":"other"}');
  writeFileSync(join(root, 'sources', 'd-4.json.tmp'), '{');
  const again = createFileStore(root, silentLog);
  expect(again.sources.all()).toEqual([row]);
  expect(again.sources.get('a-1')).toEqual(row);
  expect(readdirSync(join(root, 'sources'))).not.toContain('d-4.json.tmp');
  expect(statSync(join(root, 'sources', 'a-1.json')).mode & 0o77).toBe(0);
  expect(JSON.parse(readFileSync(join(root, 'sources', 'a-1.json'), 'utf8'))).toEqual(row);
  expect(() => store.sources.put({ ...row, id: '../x' })).toThrow('cannot be the id of a row');
});

test('reads cover exactly the extents, joined where they touch', () => {
  const extent = fc.record({ gap: fc.nat(2), length: fc.integer({ min: 1, max: 1024 }) });
  fc.assert(
    fc.property(fc.array(extent, { minLength: 1, maxLength: 30 }), fc.nat(29), fc.nat(29), (list, a, b) => {
      let end = 0;
      const extents = list.map(({ gap, length }) => {
        const offset = end + gap * 4096;
        end = offset + length * 4096;
        return { offset, length: length * 4096, sha256: '' };
      });
      const from = Math.min(a % list.length, b % list.length);
      const count = Math.abs((a % list.length) - (b % list.length)) + 1;
      const bytes = (pieces: Iterable<{ offset: number; length: number }>): string => {
        const merged: Array<[number, number]> = [];
        for (const p of pieces) {
          const last = merged.at(-1);
          if (last && last[1] === p.offset) last[1] += p.length;
          else merged.push([p.offset, p.offset + p.length]);
        }
        return JSON.stringify(merged);
      };
      const index = decodeExtentIndex(encodeExtentIndex(extents));
      const all = [...spans(index, from, count)];
      expect(bytes(all)).toBe(bytes(extents.slice(from, from + count)));
      expect(all.every((s) => s.length <= 1024 * 1024)).toBe(true);
    }),
  );
});

test('used runs are the granules that hold anything', () => {
  const buffer = Buffer.alloc(300_000);
  buffer[70_000] = 1;
  buffer[131_072] = 1;
  buffer[299_999] = 1;
  const runs: number[][] = [];
  usedRuns(buffer, buffer.length, (start, end) => runs.push([start, end]));
  expect(runs).toEqual([
    [65_536, 196_608],
    [262_144, 300_000],
  ]);
});

test('a source is known by its digest', () => {
  const checksum = 'AB'.repeat(32);
  const a = checkSource({ href: 'http://one/x', checksum });
  const b = checkSource({ href: 'https://two/y?z', checksum, checksumAlgorithm: 'sha256' });
  expect(a.key).toBe(b.key);
  expect(() => checkSource({ href: 'http://one/x', checksum, diskFormat: 'vmdk' })).toThrow(
    'disk format vmdk is not supported',
  );
});
