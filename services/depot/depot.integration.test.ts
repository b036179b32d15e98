import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Depot, type DepotConfig, ImageError, type ImageProgress, type ImageSource } from './index.ts';
import {
  configFor,
  depotFor,
  fetchImage,
  MIB,
  makeRaw,
  run,
  serveFolder,
  sha256Of,
  sourceOf,
  storedBytes,
} from './testing.ts';

const root = mkdtempSync(join(tmpdir(), 'depot-'));
const files = join(root, 'files');
const at = (name: string): string => join(files, name);
let raw: Buffer;
const depots: Depot[] = [];

beforeAll(() => {
  run('mkdir', files);
  makeRaw(at('disk.raw'), 40 * MIB + 512, [
    [0, 70_000],
    [5 * MIB, 9 * MIB],
    [40 * MIB, 512],
  ]);
  raw = readFileSync(at('disk.raw'));
  run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', at('disk.raw'), at('disk.qcow2'));
  run('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', at('disk.raw'), at('small.qcow2'));
  for (const name of ['disk.raw', 'disk.qcow2']) {
    run('gzip', '-k', at(name));
    run('xz', '-k', '-0', at(name));
    run('zstd', '-q', '-k', at(name));
  }
});
afterAll(async () => {
  for (const depot of depots) await depot.stop();
  rmSync(root, { recursive: true, force: true });
});

let count = 0;
async function start(changes: Partial<DepotConfig> = {}): Promise<{ depot: Depot; config: DepotConfig }> {
  const config = configFor(join(root, `data-${count++}`), { allowedRoots: [files], ...changes });
  const depot = depotFor(config);
  depots.push(depot);
  await depot.start();
  return { depot, config };
}
async function failure(depot: Depot, source: ImageSource): Promise<string> {
  return depot.ensure({ source }).then(
    () => 'no failure',
    (error: unknown) => (error instanceof ImageError ? `${error.code}: ${error.message}` : `OTHER: ${String(error)}`),
  );
}
const leftovers = (config: DepotConfig): string[] => readdirSync(join(config.dataDir, 'tmp'));

describe('every form of one image', () => {
  test.each([
    'disk.raw',
    'disk.raw.gz',
    'disk.raw.xz',
    'disk.raw.zst',
    'disk.qcow2',
    'small.qcow2',
    'disk.qcow2.gz',
    'disk.qcow2.xz',
    'disk.qcow2.zst',
  ])('%s by file and by HTTP is the same disk', async (name) => {
    const server = await serveFolder(files);
    const byFile = await start();
    const byHttp = await start();
    const phases = new Set<string>();
    const onProgress = (p: ImageProgress): void => void phases.add(p.phase);
    const image = await byFile.depot.ensure({ source: sourceOf(at(name)) });
    const again = await byHttp.depot.ensure({
      source: { href: `${server.url}/${name}`, checksum: sha256Of(at(name)) },
      onProgress,
    });
    // qcow2 rounds the size of a disk up to whole sectors, which this one has.
    expect(again).toEqual(image);
    expect(image).toMatchObject({ sizeBytes: raw.length, sectorSizeBytes: 512 });
    expect([...phases]).toEqual(expect.arrayContaining(['fetch', 'verify', 'map']));
    const exit = byHttp.depot.openExit({ imageId: image.imageId, deploymentId: 'd1' });
    const { disk, map } = await fetchImage(exit);
    expect(disk.equals(raw)).toBe(true);
    expect(map.sha256).toBe(image.mapSha256);
    expect(byHttp.depot.exitStats(exit.exitId)?.bytesServed).toBe(image.usedBytes);
    expect(storedBytes(join(byHttp.config.dataDir, 'images', image.imageId, 'disk.raw'))).toBeLessThan(12 * MIB);
    expect([...leftovers(byFile.config), ...leftovers(byHttp.config)]).toEqual([]);
    await server.close();
  });

  test('sixteen requests at once fetch and convert once; the next one asks nobody', async () => {
    const server = await serveFolder(files);
    const { depot } = await start();
    const source = { href: `${server.url}/disk.qcow2`, checksum: sha256Of(at('disk.qcow2')) };
    const all = await Promise.all(Array.from({ length: 16 }, () => depot.ensure({ source })));
    expect(new Set(all.map((image) => image.imageId)).size).toBe(1);
    expect(server.sent.get('/disk.qcow2')).toBe(readFileSync(at('disk.qcow2')).length);
    await server.close();
    expect(await depot.ensure({ source })).toEqual(all[0]);
  });

  test('sha512, sha1 and the algorithm by its name', async () => {
    const { depot } = await start();
    const sum = (tool: string): string => run(tool, at('disk.qcow2')).slice(0, 128).split(' ')[0] ?? '';
    const href = `file://${at('disk.qcow2')}`;
    const first = await depot.ensure({
      source: { href, checksum: sum('sha512sum'), checksumAlgorithm: 'sha512', diskFormat: 'qcow2' },
    });
    expect(await depot.ensure({ source: { href, checksum: sum('sha1sum') } })).toEqual(first);
    expect(await failure(depot, { href, checksum: sum('md5sum') })).toContain('MD5 checksums can be forged');
  });
});

describe('what is refused', () => {
  test('a wrong checksum, before anything is made of the image', async () => {
    const { depot, config } = await start();
    const server = await serveFolder(files);
    const wrong = 'ab'.repeat(32);
    for (const href of [`file://${at('disk.qcow2')}`, `${server.url}/disk.qcow2`])
      expect(await failure(depot, { href, checksum: wrong })).toMatch(
        /^CHECKSUM_MISMATCH: .*has the sha256 checksum [0-9a-f]{64}, (ab){32} was expected/,
      );
    expect([leftovers(config), readdirSync(join(config.dataDir, 'images'))]).toEqual([[], []]);
    await server.close();
  });

  test.each([
    ['gz', 'the gzip data is damaged'],
    ['xz', 'xz failed'],
    ['zst', 'zstd failed'],
  ])('a truncated .%s with the right checksum', async (suffix, said) => {
    const { depot } = await start();
    const path = at(`cut.${suffix}`);
    const whole = readFileSync(at(`disk.raw.${suffix}`));
    writeFileSync(path, whole.subarray(0, whole.length / 2));
    expect(await failure(depot, sourceOf(path))).toContain(`CORRUPT: ${said}`);
  });

  test('a truncated qcow2 with the right checksum', async () => {
    const { depot } = await start();
    writeFileSync(at('cut.qcow2'), readFileSync(at('disk.qcow2')).subarray(0, 5 * MIB));
    expect(await failure(depot, sourceOf(at('cut.qcow2')))).toContain('CORRUPT: the qcow2 image is damaged');
  });

  test('a qcow2 with a backing file, with external data, encrypted, or too large', async () => {
    const { depot, config } = await start({ maxImageBytes: 64 * MIB });
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', at('backed.qcow2'), '10M');
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', `data_file=${at('data.raw')}`, at('external.qcow2'), '10M');
    run('qemu-img', 'create', '-q', '-f', 'qcow2', at('huge.qcow2'), '1T');
    run(
      'qemu-img',
      'create',
      '-q',
      '--object',
      'secret,id=s,data=x',
      '-f',
      'qcow2',
      '-o',
      'encrypt.format=luks,encrypt.key-secret=s',
      at('luks.qcow2'),
      '1M',
    );
    expect(await failure(depot, sourceOf(at('backed.qcow2')))).toContain(
      'UNSUPPORTED_FORMAT: the qcow2 image has a backing file',
    );
    expect(await failure(depot, sourceOf(at('external.qcow2')))).toContain(
      'UNSUPPORTED_FORMAT: the qcow2 image keeps its data in another file',
    );
    expect(await failure(depot, sourceOf(at('luks.qcow2')))).toContain(
      'UNSUPPORTED_FORMAT: the qcow2 image is encrypted',
    );
    expect(await failure(depot, sourceOf(at('huge.qcow2')))).toContain(
      'TOO_LARGE: the image is a disk of 1099511627776 bytes',
    );
    run('gzip', at('backed.qcow2'));
    expect(await failure(depot, sourceOf(at('backed.qcow2.gz')))).toContain('has a backing file');
    expect(leftovers(config)).toEqual([]);
  });

  test.each(['gz', 'xz', 'zst'])('a bomb in .%s stops at the limit', async (suffix) => {
    const { depot, config } = await start({ maxImageBytes: 16 * MIB });
    expect(await failure(depot, sourceOf(at(`disk.raw.${suffix}`)))).toContain('TOO_LARGE');
    expect(leftovers(config)).toEqual([]);
  });

  test('other formats, and another format than declared', async () => {
    const { depot } = await start();
    for (const format of ['vmdk', 'vdi', 'vhdx']) {
      run('qemu-img', 'create', '-q', '-f', format, at(`x.${format}`), '10M');
      expect(await failure(depot, sourceOf(at(`x.${format}`)))).toContain(
        `UNSUPPORTED_FORMAT: the image is in format ${format}`,
      );
    }
    expect(await failure(depot, { ...sourceOf(at('disk.qcow2')), diskFormat: 'raw' })).toContain(
      'is declared as raw and is qcow2',
    );
    await depot.ensure({ source: { ...sourceOf(at('disk.qcow2')), diskFormat: 'QCOW2' } });
    expect(await failure(depot, { ...sourceOf(at('disk.qcow2')), diskFormat: 'raw' })).toContain(
      'is declared as raw and is qcow2',
    );
    writeFileSync(at('empty'), '');
    expect(await failure(depot, sourceOf(at('empty')))).toContain('CORRUPT');
    run('gzip', '-k', at('disk.raw.zst'));
    expect(await failure(depot, sourceOf(at('disk.raw.zst.gz')))).toContain('is in format zstd');
  });

  test('files out of bounds, by whatever way', async () => {
    const { depot } = await start({ allowedRoots: [files, '/dev', '/proc'] });
    const checksum = 'ab'.repeat(32);
    symlinkSync('/etc/passwd', at('link'));
    run('mkfifo', at('pipe'));
    const refused = [
      '/etc/passwd',
      '/dev/zero',
      '/proc/self/environ',
      '/proc/self/mem',
      `${files}/../outside`,
      `${files}/%2e%2e/outside`,
      at('link'),
      `${root}/data-0/exit-key`,
      files,
      at('pipe'),
      '/no/such/file',
    ];
    for (const path of refused)
      expect(await failure(depot, { href: `file://${path}`, checksum })).toMatch(/^FORBIDDEN_SOURCE/);
    expect(await failure(depot, { href: 'file://elsewhere/x', checksum })).toContain('names another machine');
    expect(await failure(depot, { href: `file://${at('absent')}`, checksum })).toContain('NOT_FOUND');
    for (const href of ['ftp://x/y', '/etc/passwd', 'glance-id', 'data:,x'])
      expect(await failure(depot, { href, checksum })).toContain('is no address of an image');
    expect(await failure(depot, { href: `file://${at('disk.raw')}` })).toContain('has no checksum');
  });
});

describe('downloads', () => {
  test('a cut transfer is resumed where it ended', async () => {
    const server = await serveFolder(files, { cutAt: 3 * MIB });
    const { depot } = await start();
    await depot.ensure({ source: { href: `${server.url}/disk.qcow2`, checksum: sha256Of(at('disk.qcow2')) } });
    expect(server.ranges).toHaveLength(1);
    expect(server.sent.get('/disk.qcow2')).toBeLessThanOrEqual(readFileSync(at('disk.qcow2')).length + MIB);
    await server.close();
  });

  test('without a validator it starts again', async () => {
    const server = await serveFolder(files, { cutAt: 3 * MIB, etag: false });
    const { depot } = await start();
    await depot.ensure({ source: { href: `${server.url}/disk.qcow2`, checksum: sha256Of(at('disk.qcow2')) } });
    expect(server.ranges).toEqual([]);
    await server.close();
  });

  test('what servers answer is told', async () => {
    const server = await serveFolder(files);
    const { depot } = await start({ fetchRetries: 0, maxSourceBytes: MIB });
    const checksum = 'ab'.repeat(32);
    const said = (path: string): Promise<string> => failure(depot, { href: `${server.url}${path}`, checksum });
    expect(await said('/absent')).toContain('NOT_FOUND');
    expect(await said('/status/403')).toContain('UNREACHABLE');
    expect(await said('/status/503')).toContain('UNREACHABLE');
    expect(await said('/disk.raw')).toContain('TOO_LARGE');
    expect(await said('/redirect/file%3A%2F%2F%2Fetc%2Fpasswd')).toContain(
      'redirects to where nothing can be fetched from',
    );
    expect(await said('/redirect/http%3A%2F%2F169.254.169.254%2Flatest')).toContain('FORBIDDEN_SOURCE');
    for (const host of ['localhost', '[::]', '0.0.0.0', '[::ffff:127.0.0.1]'])
      expect(await said(`/redirect/${encodeURIComponent(`http://${host}:1/x`)}`)).toContain('FORBIDDEN_SOURCE');
    await server.close();
    expect(await said('/disk.raw')).toContain('UNREACHABLE');
    expect(await failure(depot, { href: 'http://169.254.169.254/latest', checksum })).toContain('FORBIDDEN_SOURCE');
    expect(await failure(depot, { href: 'http://user:secret@[fe80::1]/x?token=secret', checksum })).not.toContain(
      'secret',
    );
  });

  test('the last caller who leaves ends the work, earlier ones do not', async () => {
    let release = (): void => {};
    const hold = new Promise<void>((resolve) => {
      release = resolve;
    });
    const server = await serveFolder(files, { hold });
    const { depot, config } = await start();
    const source = { href: `${server.url}/disk.qcow2`, checksum: sha256Of(at('disk.qcow2')) };
    const [first, second] = [new AbortController(), new AbortController()];
    let fetching = (): void => {};
    const seen = new Promise<void>((resolve) => {
      fetching = resolve;
    });
    const onProgress = (p: ImageProgress): void => void (p.phase === 'fetch' && p.bytes > 0 && fetching());
    const waits = [
      depot.ensure({ source, signal: first.signal, onProgress }),
      depot.ensure({ source, signal: second.signal }),
    ];
    const outcomes = Promise.allSettled(waits);
    await seen;
    first.abort(new Error('first left'));
    await expect(waits[0]).rejects.toThrow('first left');
    second.abort(new Error('second left'));
    await expect(waits[1]).rejects.toThrow('second left');
    await outcomes;
    release();
    // Asked again at once, it waits for the old work to be gone, and goes on from its bytes.
    expect(await depot.ensure({ source })).toMatchObject({ sizeBytes: raw.length });
    expect(leftovers(config)).toEqual([]);
    await server.close();
  });
});

describe('the store', () => {
  async function three(depot: Depot): Promise<string[]> {
    const ids: string[] = [];
    for (const seed of [1, 2, 3]) {
      makeRaw(at(`lru-${seed}`), 8 * MIB, [[0, 8 * MIB]], seed + 10);
      ids.push((await depot.ensure({ source: sourceOf(at(`lru-${seed}`)) })).imageId);
    }
    return ids;
  }

  test('evicts what was unused the longest', async () => {
    const { depot, config } = await start({ maxStoreBytes: 22 * MIB });
    const ids = await three(depot);
    expect(readdirSync(join(config.dataDir, 'images')).sort()).toEqual(ids.slice(1).sort());
  });

  test('never evicts an image in use, and says so when there is no room', async () => {
    const { depot, config } = await start({ maxStoreBytes: 22 * MIB });
    makeRaw(at('first'), 8 * MIB, [[0, 8 * MIB]], 21);
    makeRaw(at('second'), 8 * MIB, [[0, 8 * MIB]], 22);
    makeRaw(at('third'), 8 * MIB, [[0, 8 * MIB]], 23);
    const first = await depot.ensure({ source: sourceOf(at('first')) });
    const second = await depot.ensure({ source: sourceOf(at('second')) });
    const exit = depot.openExit({ imageId: first.imageId, deploymentId: 'd' });
    const other = depot.openExit({ imageId: second.imageId, deploymentId: 'd' });
    expect(await failure(depot, sourceOf(at('third')))).toContain('NO_SPACE: no space left for images');
    depot.closeExit(other.exitId);
    const third = await depot.ensure({ source: sourceOf(at('third')) });
    expect(readdirSync(join(config.dataDir, 'images')).sort()).toEqual([first.imageId, third.imageId].sort());
    expect((await fetchImage(exit)).disk.equals(readFileSync(at('first')))).toBe(true);
    expect(() => depot.openExit({ imageId: second.imageId, deploymentId: 'd' })).toThrow('ensure it first');
  });

  test('an image that was harmed while nobody looked is made again', async () => {
    const { depot, config } = await start();
    const image = await depot.ensure({ source: sourceOf(at('disk.raw')) });
    await depot.stop();
    truncateSync(join(config.dataDir, 'images', image.imageId, 'disk.raw'), 5);
    writeFileSync(join(config.dataDir, 'rows', 'images', 'broken.json'), '{');
    const again = depotFor(config);
    depots.push(again);
    await again.start();
    expect(await again.ensure({ source: sourceOf(at('disk.raw')) })).toEqual(image);
    const exit = again.openExit({ imageId: image.imageId, deploymentId: 'd' });
    expect((await fetchImage(exit)).disk.equals(raw)).toBe(true);
  });

  test('a file that changes under the reader is refused', async () => {
    const { depot } = await start();
    makeRaw(at('moving'), 8 * MIB, [[0, 8 * MIB]], 41);
    const source = sourceOf(at('moving'));
    const outcome = depot.ensure({
      source,
      onProgress: (p) => {
        if (p.phase !== 'map') return;
        // Another file under the same name is no harm; this one is written to.
        truncateSync(at('moving'), 8 * MIB - 4096);
        renameSync(at('moving'), at('moved'));
      },
    });
    await expect(outcome).rejects.toMatchObject({ code: 'CORRUPT' });
  });
});
