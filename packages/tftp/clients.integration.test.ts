/** Stock clients read from our server over loopback: tftp-hpa, atftp, curl. */
import { execFile } from 'node:child_process';
import { mkdtemp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '@bessemer/ports';
import { systemClock, systemDatagrams } from '@bessemer/ports/node';
import { seededRandom } from '@bessemer/ports/testing';
import { createTftpServer, openFromFolder } from './index.ts';
import type { TftpServer, TransferReport } from './index.ts';

const run = promisify(execFile);
const ADDRESS = '127.0.0.1';
let top: string;
let server: TftpServer;
let port: string;
const reports: TransferReport[] = [];
/** 40 MB in blocks of 512 are 78,125 blocks: the number on the wire rolls over. */
const FILES = { empty: 0, one: 1, block: 512, nbp: 173_792, big: 40_000_000 };

beforeAll(async () => {
  top = await mkdtemp(join(tmpdir(), 'bessemer-tftp-'));
  await mkdir(join(top, 'root', 'sub'), { recursive: true });
  for (const [name, sizeBytes] of Object.entries(FILES))
    await writeFile(join(top, 'root', name), seededRandom(sizeBytes).bytes(sizeBytes));
  await writeFile(join(top, 'root', 'sub', 'inner'), 'inner');
  await writeFile(join(top, 'outside'), 'outside');
  await symlink('../outside', join(top, 'root', 'way-out'));
  server = await createTftpServer({
    datagrams: systemDatagrams,
    clock: systemClock,
    log: silentLog,
    address: ADDRESS,
    port: 0,
    open: openFromFolder(join(top, 'root')),
    onTransfer: (report) => reports.push(report),
  });
  port = String(server.local.port);
});

afterAll(async () => {
  await server.stop();
  await rm(top, { recursive: true });
});

type Client = (path: string, local: string, options?: { blksize?: number; windowsize?: number }) => Promise<unknown>;
const clients: Record<string, Client> = {
  'tftp-hpa': async (path, local) => {
    const { stdout } = await run('tftp', ['-m', 'binary', ADDRESS, port, '-c', 'get', path, local]);
    // It ends with 0 whatever happened, and says the error on its output.
    if (/^Error/m.test(stdout)) throw new Error(stdout);
  },
  atftp: (path, local, options = {}) => {
    const extra = Object.entries(options).flatMap(([name, value]) => ['--option', `${name} ${value}`]);
    return run('atftp', [...extra, '--option', 'tsize 0', '-g', '-r', path, '-l', local, ADDRESS, port]);
  },
  curl: (path, local, options = {}) => {
    const extra = options.blksize ? ['--tftp-blksize', String(options.blksize)] : ['--tftp-no-options'];
    return run('curl', ['-sS', '--path-as-is', '-m', '60', ...extra, '-o', local, `tftp://${ADDRESS}:${port}/${path}`]);
  },
};

async function fetched(client: string, path: string, options?: Parameters<Client>[2]): Promise<Buffer> {
  const local = join(top, 'got');
  await rm(local, { force: true });
  await clients[client]!(path, local, options);
  // No client makes a file for nothing.
  return readFile(local).catch(() => Buffer.alloc(0));
}

describe.each(Object.keys(clients))('%s', (client) => {
  it.each(Object.entries(FILES))('reads %s (%i bytes)', async (name) => {
    const got = await fetched(client, name);
    expect(got.equals(await readFile(join(top, 'root', name)))).toBe(true);
  });

  it('reads from a folder', async () => {
    expect(String(await fetched(client, 'sub/inner'))).toBe('inner');
  });

  it.each([
    ['no-such-file', /not found|no such file/i],
    ['way-out', /not served|violation|denied/i],
    ['../outside', /not served|violation|denied/i],
    ['sub/../../outside', /not served|violation|denied/i],
    ['sub', /not served|violation|denied/i],
  ])('is refused %s', async (path, why) => {
    const local = join(top, 'refused');
    const before = reports.length;
    await expect(clients[client]!(path, local)).rejects.toThrow();
    expect(reports.slice(before)).toMatchObject([{ outcome: 'refused', detail: expect.stringMatching(why) }]);
    expect((await readFile(local).catch(() => Buffer.alloc(0))).length).toBe(0);
  });
});

describe('options', () => {
  it.each([
    { client: 'atftp', blksize: 1428, windowsize: 16, blocks: 1428, window: 16 },
    { client: 'atftp', blksize: 8192, windowsize: 64, blocks: 1468, window: 32 },
    { client: 'atftp', blksize: 8, windowsize: 4, blocks: 8, window: 4 },
    { client: 'curl', blksize: 1468, windowsize: undefined, blocks: 1468, window: 1 },
  ])('$client with $blksize / $windowsize', async ({ client, blksize, windowsize, blocks, window }) => {
    const got = await fetched(client, 'nbp', { blksize, ...(windowsize ? { windowsize } : {}) });
    expect(got.equals(await readFile(join(top, 'root', 'nbp')))).toBe(true);
    await expect
      .poll(() => reports.at(-1))
      .toMatchObject({
        outcome: 'complete',
        bytes: FILES.nbp,
        blockSizeBytes: blocks,
        windowBlocks: window,
      });
  });

  it('serves forty clients at once', async () => {
    const want = await readFile(join(top, 'root', 'nbp'));
    const got = await Promise.all(
      Array.from({ length: 40 }, async (_x, i) => {
        const local = join(top, `many-${i}`);
        await clients['curl']!('nbp', local, { blksize: 1428 });
        return readFile(local);
      }),
    );
    expect(got.every((bytes) => bytes.equals(want))).toBe(true);
  });
});

it('refuses to be written to', async () => {
  const { stdout } = await run('tftp', ['-m', 'binary', ADDRESS, port, '-c', 'put', join(top, 'outside'), 'mine']);
  expect(stdout).toContain('this server only reads');
  await expect(readFile(join(top, 'root', 'mine'))).rejects.toThrow();
});
