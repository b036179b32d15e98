import { describe, expect, it } from 'vitest';
import { negotiateOptions } from './options.ts';

const limits = { maxBlockSizeBytes: 1468, maxWindowBlocks: 32 };
const negotiate = (options: Record<string, string>, sizeBytes = 1000) =>
  negotiateOptions(new Map(Object.entries(options)), sizeBytes, limits);

describe('negotiateOptions', () => {
  it('takes the defaults of RFC 1350 when nothing is asked', () => {
    expect(negotiate({})).toEqual({ blockSizeBytes: 512, windowBlocks: 1, accepted: new Map() });
  });

  it('answers only what was asked, in its order', () => {
    const got = negotiate({ tsize: '0', windowsize: '16', blksize: '1024', timeout: '3', multicast: '' });
    expect([...got.accepted]).toEqual([
      ['tsize', '1000'],
      ['windowsize', '16'],
      ['blksize', '1024'],
      ['timeout', '3'],
    ]);
    expect(got).toMatchObject({ blockSizeBytes: 1024, windowBlocks: 16, timeoutMs: 3000 });
  });

  it('caps block and window at its limits', () => {
    const got = negotiate({ blksize: '65464', windowsize: '65535' });
    expect(Object.fromEntries(got.accepted)).toEqual({ blksize: '1468', windowsize: '32' });
  });

  it.each([
    ['blksize', '7'],
    ['blksize', '65465'],
    ['blksize', '1e3'],
    ['blksize', '-8'],
    ['blksize', ''],
    ['windowsize', '0'],
    ['windowsize', '65536'],
    ['timeout', '0'],
    ['timeout', '256'],
    ['tsize', 'x'],
    ['blksize', '9'.repeat(40)],
  ])('leaves out %s=%s', (name, value) => {
    expect(negotiate({ [name]: value })).toEqual({ blockSizeBytes: 512, windowBlocks: 1, accepted: new Map() });
  });
});
