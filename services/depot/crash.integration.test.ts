import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isRunning } from '@bessemer/ports/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OpenedExit, ReadyImage } from './index.ts';
import type { Orders } from './crash-test/main.ts';
import {
  configFor,
  fetchImage,
  type FileServer,
  MIB,
  makeRaw,
  run,
  serveFolder,
  sha256Of,
  sourceOf,
} from './testing.ts';

const root = mkdtempSync(join(tmpdir(), 'crash-'));
const files = join(root, 'files');
const program = fileURLToPath(new URL('./crash-test/main.ts', import.meta.url));
const children = new Set<ChildProcess>();
let server: FileServer;

beforeAll(async () => {
  mkdirSync(files);
  makeRaw(join(files, 'disk.raw'), 48 * MIB, [
    [0, 8 * MIB],
    [20 * MIB, 6 * MIB],
  ]);
  run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', join(files, 'disk.raw'), join(files, 'disk.qcow2'));
  run('xz', '-k', '-0', join(files, 'disk.qcow2'));
  run('zstd', '-q', '-k', join(files, 'disk.raw'));
  server = await serveFolder(files);
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await server.close();
  rmSync(root, { recursive: true, force: true });
});

type Line = {
  image?: ReadyImage;
  exit?: OpenedExit;
  stats?: { bytesServed: number };
  error?: string;
  message?: string;
};

/** Runs a depot in its own process and gives its lines; `onLine` may kill it. */
async function depotProcess(
  orders: Orders,
  options: { wrap?: string[]; onLine?: (line: Line, child: ChildProcess) => void } = {},
) {
  const [command = '', ...args] = [...(options.wrap ?? []), process.execPath, program, JSON.stringify(orders)];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  const lines: Line[] = [];
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('close', (_code, signal) => resolve(signal)),
  );
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    options.onLine?.(line, child);
  }
  const signal = await ended;
  children.delete(child);
  return { lines, signal };
}

describe('kill -9 of the depot', () => {
  test.each([
    ['fetch', 'disk.raw'],
    ['verify', 'disk.qcow2'],
    ['convert', 'disk.qcow2'],
    ['convert', 'disk.raw.zst'],
    ['map', 'disk.qcow2.xz'],
    ['map', 'disk.raw'],
    ['image-row', 'disk.qcow2'],
    ['image-row', 'disk.raw'],
    ['source-row', 'disk.raw.zst'],
  ])('at %s of %s: the next one goes on, and nothing is left over', async (killAt, name) => {
    const config = configFor(join(root, `${killAt}-${name}`));
    const sources = [{ href: `${server.url}/${name}`, checksum: sha256Of(join(files, name)) }];
    server.sent.clear();
    const killed = await depotProcess({ config, sources, killAt });
    expect(killed).toEqual({ lines: [], signal: 'SIGKILL' });
    const { lines } = await depotProcess({ config, sources });
    const imageId = lines[0]?.image?.imageId ?? 'none';
    expect(sha256Of(join(config.dataDir, 'images', imageId, 'disk.raw'))).toBe(sha256Of(join(files, 'disk.raw')));
    expect(readdirSync(join(config.dataDir, 'images'))).toEqual([imageId]);
    expect(readdirSync(join(config.dataDir, 'tmp'))).toEqual([]);
    // Whatever was fetched whole is not fetched again.
    if (killAt !== 'fetch') expect(server.sent.get(`/${name}`)).toBe(readFileSync(join(files, name)).length);
  });

  test('children of a killed process die with it', async () => {
    const adapter = new URL('./processes.ts', import.meta.url).href;
    const script = `import { createProcesses } from '${adapter}';
      createProcesses().run({ command: 'sh', args: ['-c', 'echo started; exec sleep 1000'], onStdout: console.log });`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.add(parent);
    await new Promise((resolve) => parent.stdout.once('data', resolve));
    const sleeper = run('ps', '-o', 'pid=', '--ppid', String(parent.pid)).trim();
    expect(sleeper).toMatch(/^\d+$/);
    const ended = new Promise((resolve) => parent.once('close', resolve));
    parent.kill('SIGKILL');
    await ended;
    await expect.poll(() => isRunning(Number(sleeper))).toBe(false);
  });

  test('while it serves: exits go on at the same address, and the figures lose less than a tenth of an image', async () => {
    const probe = await serveFolder(files);
    const port = Number(new URL(probe.url).port);
    await probe.close();
    const base = configFor(join(root, 'serving'), { allowedRoots: [files] });
    const config = { ...base, http: { ...base.http, port } };
    const orders: Orders = { config, sources: [sourceOf(join(files, 'disk.qcow2'))], serve: 'run-1' };
    let used = 0;
    let first: OpenedExit | undefined;
    await depotProcess(orders, {
      onLine(line, child) {
        used = line.image?.usedBytes ?? used;
        if (!line.exit) return;
        first = line.exit;
        void fetchImage(line.exit).then(() => child.kill('SIGKILL'));
      },
    });
    const { lines } = await depotProcess(orders, {
      onLine(line, child) {
        if (!line.exit) return;
        void fetchImage(first ?? line.exit).then(({ disk }) => {
          expect(disk.equals(readFileSync(join(files, 'disk.raw')))).toBe(true);
          child.kill('SIGKILL');
        });
      },
    });
    const after = lines.find((line) => line.exit);
    expect(after?.exit).toEqual(first);
    expect(after?.stats?.bytesServed).toBeLessThanOrEqual(used);
    expect(after?.stats?.bytesServed).toBeGreaterThan(used - 8 * MIB);
  });
});

test('a full disk is told, and the store goes on', async () => {
  const dataDir = join(root, 'full');
  mkdirSync(dataDir);
  makeRaw(join(files, 'large.raw'), 60 * MIB, [[0, 50 * MIB]]);
  makeRaw(join(files, 'little.raw'), 20 * MIB, [[0, 5 * MIB]], 5);
  run('zstd', '-q', join(files, 'large.raw'), '-o', join(files, 'large.raw.zst'));
  run('gzip', '-k', '-1', join(files, 'large.raw'));
  run('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', join(files, 'large.raw'), join(files, 'large.qcow2'));
  const names = ['large.raw', 'large.raw.zst', 'large.raw.gz', 'large.qcow2', 'little.raw'];
  const config = configFor(dataDir, { allowedRoots: [files] });
  const httpSource = { href: `${server.url}/large.raw`, checksum: sha256Of(join(files, 'large.raw')) };
  const mount = 'mount -t tmpfs -o size=40m none "$0" && exec "$@"';
  const { lines } = await depotProcess(
    { config, sources: [httpSource, ...names.map((name) => sourceOf(join(files, name)))] },
    { wrap: ['unshare', '-m', 'sh', '-c', mount, dataDir] },
  );
  expect(lines.slice(0, -1).map((line) => line.error)).toEqual(Array.from({ length: 5 }, () => 'NO_SPACE'));
  expect(lines.at(-1)?.image).toMatchObject({ sizeBytes: 20 * MIB, usedBytes: 5 * MIB });
});
