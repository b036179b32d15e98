import { describe, expect, it } from 'vitest';
import { silentLog } from '@bessemer/ports';
import type { DatagramPeer } from '@bessemer/ports';
import { ManualClock, memoryDatagrams, seededRandom, settle } from '@bessemer/ports/testing';
import { createTftpServer } from './server.ts';
import type { OpenedFile, TftpServerDeps, TransferReport } from './server.ts';
import { fetchFile, requestBytes } from './testing.ts';
import type { Fetched, FetchOptions } from './testing.ts';

const SERVER = '192.0.2.1';
const CLIENT = '192.0.2.2';

function memoryFile(bytes: Uint8Array): OpenedFile & { closed: boolean } {
  return {
    sizeBytes: bytes.length,
    closed: false,
    read: async (offset, length) => bytes.slice(offset, offset + length),
    close() {
      this.closed = true;
    },
  };
}

type Link = Parameters<typeof memoryDatagrams>[1];

async function world(content: Uint8Array, link?: Link, more: Partial<TftpServerDeps> = {}) {
  const clock = new ManualClock();
  const datagrams = memoryDatagrams(clock, link);
  const reports: TransferReport[] = [];
  const files: Array<{ closed: boolean }> = [];
  const server = await createTftpServer({
    datagrams,
    clock,
    log: silentLog,
    address: SERVER,
    async open(path) {
      if (path === 'secret') return { error: 'denied' };
      if (path !== 'file') return { error: 'not-found' };
      const file = memoryFile(content);
      files.push(file);
      return file;
    },
    onTransfer: (report) => reports.push(report),
    ...more,
  });
  /** Runs the clock until `promise` is settled. */
  async function drive<T>(promise: Promise<T>): Promise<T> {
    let pending = true;
    const settled = promise.finally(() => {
      pending = false;
    });
    for (;;) {
      await settle();
      if (!pending) return settled;
      if (!clock.step()) throw new Error('nothing is left to happen');
    }
  }
  const fetch = async (ask: Partial<FetchOptions> = {}): Promise<Fetched> => {
    const got = await drive(
      fetchFile(datagrams, clock, { server: server.local, address: CLIENT, path: 'file', ...ask }),
    );
    await clock.advance(10);
    return got;
  };
  return { clock, datagrams, server, reports, files, fetch, drive };
}

const content = (sizeBytes: number) => seededRandom(7).bytes(sizeBytes);
const WINDOW = ['blksize', '1468', 'windowsize', '16', 'tsize', '0'];

describe('the server on a good network', () => {
  it.each([0, 1, 511, 512, 513, 1024, 100_000])('serves %i bytes as they are', async (sizeBytes) => {
    const w = await world(content(sizeBytes));
    for (const options of [[], WINDOW]) {
      const got = await w.fetch({ options });
      expect(got.error).toBeUndefined();
      expect(Buffer.from(got.bytes).equals(content(sizeBytes))).toBe(true);
      expect(got.duplicates).toBe(0);
    }
    await settle();
    expect(w.reports.map((r) => [r.outcome, r.bytes])).toEqual([
      ['complete', sizeBytes],
      ['complete', sizeBytes],
    ]);
    expect(w.files.every((f) => f.closed)).toBe(true);
    expect(w.server.runningTransfers).toBe(0);
  });

  it('answers the options it knows', async () => {
    const w = await world(content(3000));
    const got = await w.fetch({ options: ['tsize', '0', 'blksize', '9000', 'windowsize', '64', 'x-other', '1'] });
    expect(got.optionAck).toEqual(['tsize', '3000', 'blksize', '1468', 'windowsize', '32']);
  });

  it('says what is missing, denied, not to be written, and not octet', async () => {
    const w = await world(content(10));
    expect((await w.fetch({ path: 'other' })).error).toBe('1 no such file');
    expect((await w.fetch({ path: 'secret' })).error).toBe('2 this path is not served');
    const socket = await w.datagrams.bind({ address: CLIENT, port: 0 });
    const answers: string[] = [];
    socket.onMessage((data) => answers.push(Buffer.from(data).subarray(2, -1).toString('latin1')));
    socket.send(requestBytes(2, 'file', 'octet'), w.server.local);
    socket.send(requestBytes(1, 'file', 'netascii'), w.server.local);
    socket.send(Buffer.from([0, 4, 0, 1]), w.server.local);
    await w.clock.advance(1000);
    expect(answers).toEqual([
      '\0\x02writing is refused: this server only reads',
      '\0\x04this server knows only mode octet (binary)',
    ]);
    expect(w.reports.map((r) => r.outcome)).toEqual(['refused', 'refused', 'refused', 'refused']);
  });

  it('serves an asker once though it asks twice, and refuses a stranger on its port', async () => {
    const w = await world(content(3000));
    const socket = await w.datagrams.bind({ address: CLIENT, port: 2070 });
    const stranger = await w.datagrams.bind({ address: '192.0.2.66', port: 0 });
    let tid: DatagramPeer | undefined;
    let strangerGot = '';
    const tids = new Set<number>();
    socket.onMessage((_data, from) => {
      tid = from;
      tids.add(from.port);
    });
    stranger.onMessage((data) => {
      strangerGot = Buffer.from(data).toString('latin1');
    });
    socket.send(requestBytes(1, 'file', 'octet'), w.server.local);
    socket.send(requestBytes(1, 'file', 'octet'), w.server.local);
    await w.clock.advance(10);
    expect(tids.size).toBe(1);
    stranger.send(Buffer.from([0, 4, 0, 1]), tid!);
    await w.clock.advance(10);
    expect(strangerGot).toContain('\0\x05\0\x05');
    expect(w.server.runningTransfers).toBe(1);
    await w.drive(w.server.stop());
    expect(w.reports.at(-1)).toMatchObject({ outcome: 'stopped' });
  });

  it('lets firmware that was reset ask again from the same port', async () => {
    const w = await world(content(3000));
    const socket = await w.datagrams.bind({ address: CLIENT, port: 2070 });
    socket.send(requestBytes(1, 'file', 'octet'), w.server.local);
    await w.clock.advance(1500);
    await socket.close();
    const got = await w.fetch({ port: 2070 });
    expect(got.bytes.length).toBe(3000);
    expect(w.reports.map((r) => r.outcome)).toEqual(['aborted', 'complete']);
  });

  it('reports a client that went away, and forgets it', async () => {
    const w = await world(content(3000));
    const socket = await w.datagrams.bind({ address: CLIENT, port: 0 });
    socket.send(requestBytes(1, 'file', 'octet'), w.server.local);
    await w.clock.advance(60_000);
    expect(w.reports).toMatchObject([{ outcome: 'timed-out', bytes: 0 }]);
    expect(w.reports[0]!.blocksSent).toBeLessThan(15);
    expect(w.server.runningTransfers).toBe(0);
    expect(w.clock.pendingTimers).toBe(0);
  });

  it('drops requests beyond its limit', async () => {
    const w = await world(content(3000), undefined, { maxTransfers: 1 });
    const socket = await w.datagrams.bind({ address: CLIENT, port: 0 });
    socket.send(requestBytes(1, 'file', 'octet'), w.server.local);
    await w.clock.advance(1);
    const got = await w.fetch({ tries: 2 });
    expect(got.error).toBe('gave up');
  });

  it('tells the client when a file cannot be opened or read', async () => {
    const broken = await world(content(10), undefined, { open: async () => Promise.reject(new Error('disk on fire')) });
    expect((await broken.fetch()).error).toBe('0 the server failed to open the file');
    const short = { sizeBytes: 2000, read: async () => new Uint8Array(5), close() {} };
    const cut = await world(content(10), undefined, { open: async () => short });
    expect((await cut.fetch()).error).toBe('0 the file could not be read');
    expect(cut.reports).toMatchObject([{ outcome: 'failed' }]);
  });

  it('does not take its own slow disk for a silent client', async () => {
    const bytes = content(400_000);
    const w = await world(bytes, undefined, {
      open: async () => ({
        sizeBytes: bytes.length,
        read: (offset: number, length: number) =>
          new Promise<Uint8Array>((resolve) => {
            w.clock.setTimer(900, () => resolve(bytes.slice(offset, offset + length)));
          }),
        close() {},
      }),
    });
    const got = await w.fetch({ options: WINDOW, timeoutMs: 5000 });
    expect(Buffer.from(got.bytes).equals(bytes)).toBe(true);
    expect(got.duplicates).toBe(0);
  });
});

describe('the server on a bad network', () => {
  const bad = (seed: number, loss: number, double: number): Link => {
    const random = seededRandom(seed);
    return () => {
      // One packet in a hundred is overtaken by the next few.
      const delayMs = () => (random.float() < 0.01 ? 0.9 : 0.5);
      const copy = () => (random.float() < loss ? [] : [delayMs()]);
      return random.float() < double ? [...copy(), ...copy()] : copy();
    };
  };
  const cases = [1, 2, 3].flatMap((seed) => [
    { seed, loss: 0.01, double: 0, options: WINDOW },
    { seed, loss: 0.05, double: 0, options: WINDOW },
    { seed, loss: 0.05, double: 0.05, options: WINDOW },
    { seed, loss: 0, double: 0.5, options: WINDOW },
    { seed, loss: 0.01, double: 0.05, options: ['blksize', '1468'] },
  ]);
  it.each(cases)('delivers 1 MB whole, without a storm: %o', async ({ seed, loss, double, options }) => {
    const bytes = content(1_000_000);
    const w = await world(bytes, bad(seed, loss, double));
    const got = await w.fetch({ options });
    expect(got.error).toBeUndefined();
    expect(Buffer.from(got.bytes).equals(bytes)).toBe(true);
    await w.clock.advance(60_000);
    expect(w.reports).toHaveLength(1);
    const { blocksSent, blockSizeBytes } = w.reports[0]!;
    const needed = Math.ceil(bytes.length / blockSizeBytes);
    const windowed = options.includes('windowsize');
    expect(blocksSent).toBeLessThan(needed * (windowed ? (loss >= 0.05 ? 3 : 2) : 1.1));
  });
});
