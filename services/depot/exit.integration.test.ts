import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { digestOf } from '@bessemer/image-format';
import type { Depot, OpenedExit, ReadyImage } from './index.ts';
import { configFor, depotFor, fetchImage, MIB, makeRaw, sourceOf } from './testing.ts';

const root = mkdtempSync(join(tmpdir(), 'exit-'));
const disk = join(root, 'disk.raw');
const config = configFor(join(root, 'data'), { allowedRoots: [root] });
let depot: Depot;
let image: ReadyImage;
let exit: OpenedExit;

beforeAll(async () => {
  makeRaw(disk, 64 * MIB, [
    [0, 20 * MIB],
    [30 * MIB, 300_000],
    [50 * MIB, 65_536],
  ]);
  depot = depotFor(config);
  await depot.start();
  image = await depot.ensure({ source: sourceOf(disk) });
  exit = depot.openExit({ imageId: image.imageId, deploymentId: 'run-1' });
});
afterAll(async () => {
  await depot.stop();
  rmSync(root, { recursive: true, force: true });
});

async function ask(
  path: string,
  token: string | null = exit.token,
  method = 'GET',
): Promise<{ status: number; body: string }> {
  const response = await fetch(`${exit.baseUrl}${path}`, {
    method,
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  });
  return { status: response.status, body: await response.text() };
}

test('without a token nothing is told; with a wrong one every exit is unknown', async () => {
  const map = `/exits/${exit.exitId}/map`;
  const unknown = await ask(map.replace(exit.exitId, 'f'.repeat(32)));
  expect(unknown).toEqual({ status: 404, body: '{"error":"there is no such exit"}\n' });
  expect(await ask(map, 'x')).toEqual(unknown);
  expect(await ask(map, exit.token.toUpperCase())).toEqual(unknown);
  expect(await ask('/')).toEqual(unknown);
  expect(await ask('/exits/../../etc/passwd')).toEqual(unknown);
  expect((await ask(map, null)).status).toBe(401);
  expect((await ask('/nothing', null)).status).toBe(401);
  expect((await ask(map, exit.token, 'POST')).status).toBe(405);

  const other = depot.openExit({ imageId: image.imageId, deploymentId: 'run-2' });
  expect(other.token).not.toBe(exit.token);
  expect(await ask(map, other.token)).toEqual(unknown);
  depot.closeExit(other.exitId);
  expect(await ask(`/exits/${other.exitId}/map`, other.token)).toEqual(unknown);
  const elsewhere = depot.openExit({ imageId: image.imageId, deploymentId: 'run-3', allowAddress: '192.0.2.9' });
  expect(await ask(`/exits/${elsewhere.exitId}/map`, elsewhere.token)).toEqual(unknown);
  const here = depot.openExit({ imageId: image.imageId, deploymentId: 'run-3', allowAddress: '127.0.0.1' });
  expect((await ask(`/exits/${here.exitId}/map`, here.token)).status).toBe(200);
  expect(depot.closeExit('unknown')).toBeUndefined();
});

test('extents that are not there are refused', async () => {
  for (const query of [
    '',
    'from=0',
    'from=0&count=0',
    'from=-1&count=1',
    'from=0&count=9999',
    'from=99&count=1',
    'from=0x1&count=1',
    'from=1e1&count=1',
  ])
    expect((await ask(`/exits/${exit.exitId}/extents?${query}`)).status).toBe(416);
});

test('the whole image comes, many readers at once, compressed or not', async () => {
  const expected = readFileSync(disk);
  const before = depot.exitStats(exit.exitId)?.bytesServed ?? 0;
  const all = await Promise.all(Array.from({ length: 8 }, () => fetchImage(exit)));
  for (const seen of all) expect(seen.disk.equals(expected)).toBe(true);
  expect(depot.exitStats(exit.exitId)?.bytesServed).toBe(before + 8 * image.usedBytes);

  const squeezing = depotFor({
    ...configFor(join(root, 'other'), { allowedRoots: [root] }),
    http: { ...config.http, compress: true },
  });
  await squeezing.start();
  await squeezing.ensure({ source: sourceOf(disk) });
  const second = squeezing.openExit({ imageId: image.imageId, deploymentId: 'd' });
  const response = await fetch(`${second.baseUrl}/exits/${second.exitId}/extents?from=0&count=5`, {
    headers: { authorization: `Bearer ${second.token}`, 'accept-encoding': 'zstd' },
  });
  expect(response.headers.get('content-encoding')).toBe('zstd');
  expect(Buffer.from(await response.arrayBuffer()).equals(expected.subarray(0, 20 * MIB))).toBe(true);
  expect((await fetchImage(second, { 'accept-encoding': 'identity' })).disk.equals(expected)).toBe(true);
  await squeezing.stop();
});

test('a reader that stops reading costs no more than its buffers, and one that goes away is forgotten', async () => {
  const before = depot.exitStats(exit.exitId)?.bytesServed ?? 0;
  const socket = connect(Number(new URL(exit.baseUrl).port), '127.0.0.1');
  socket.pause();
  socket.write(
    `GET /exits/${exit.exitId}/extents?from=0&count=5 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${exit.token}\r\n\r\n`,
  );
  // Others are served meanwhile.
  const { map } = await fetchImage(exit);
  const [first] = map.extents;
  expect(digestOf('sha256', await depot.exit.readExtent(exit.exitId, 0))).toBe(first?.sha256);
  const served = (depot.exitStats(exit.exitId)?.bytesServed ?? 0) - before - image.usedBytes;
  expect(served).toBeLessThan(16 * MIB);
  socket.destroy();
  await expect(depot.exit.readExtent(exit.exitId, 999)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('the same request gives the same exit, and figures and exits survive a restart', async () => {
  await fetchImage(exit);
  const before = depot.exitStats(exit.exitId);
  await depot.stop();
  const port = Number(new URL(exit.baseUrl).port);
  depot = depotFor({ ...config, http: { ...config.http, port } });
  await depot.start();
  expect(depot.exitStats(exit.exitId)).toEqual(before);
  expect((await fetchImage(exit)).disk.equals(readFileSync(disk))).toBe(true);
  expect(depot.openExit({ imageId: image.imageId, deploymentId: 'run-1' })).toEqual(exit);
  const last = depot.closeExit(exit.exitId);
  expect(last?.bytesServed).toBe((before?.bytesServed ?? 0) + image.usedBytes);
  expect(depot.exitStats(exit.exitId)).toEqual(last);
});
