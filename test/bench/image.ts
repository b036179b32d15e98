/** The depot beside the tools it is made of: qcow2 to raw and map beside `qemu-img convert`, its exit beside a plain file from Node. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@bessemer/ports/node';
import { parseBlockMap } from '@bessemer/image-format';
import { configFor, depotFor, MIB, makeRaw, run } from '@bessemer/depot/testing';
import type { Benchmark, BenchOptions, BenchResult } from './result.ts';

const IMAGE_MIB = 2048;
const USED_MIB = 800;
const ROUNDS = 3;
const CLIENTS = [1, 4];

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const startedMs = systemClock.monotonicMs();
  await work();
  return (systemClock.monotonicMs() - startedMs) / 1000;
};
const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;
const shown = (value: number, digits = 2): string => value.toFixed(digits);

function child(command: string, args: readonly string[], input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const started = spawn(command, args, { stdio: ['pipe', 'ignore', 'inherit'] });
    started.once('error', reject);
    started.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`))));
    started.stdin.end(input);
  });
}

/** One curl that asks for all addresses over one connection. */
function curl(urls: readonly string[], header: string): Promise<void> {
  const lines = urls.map((url) => `url="${url}"\noutput="/dev/null"`);
  return child('curl', ['-sS', '--fail', '-K', '-'], `header="${header}"\n${lines.join('\n')}\n`);
}

export const imageBenchmark: Benchmark = {
  name: 'image',
  summary: 'convert and map a qcow2 image, and read it from the HTTP exit',
  async run({ say }: BenchOptions): Promise<BenchResult> {
    const dir = await mkdtemp(join(tmpdir(), 'bench-image-'));
    try {
      return await measure(dir, say);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
};

async function measure(dir: string, say: (line: string) => void): Promise<BenchResult> {
  say(`making an image of ${IMAGE_MIB} MiB with ${USED_MIB} MiB in use`);
  const pieces = Array.from(
    { length: USED_MIB / 8 },
    (_, i) => [i * Math.floor(IMAGE_MIB / (USED_MIB / 8)) * MIB, 8 * MIB] as const,
  );
  const raw = makeRaw(join(dir, 'disk.raw'), IMAGE_MIB * MIB, pieces);
  const qcow2 = join(dir, 'disk.qcow2');
  await child('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2]);
  const checksum = await digest(qcow2);

  const ours: number[] = [];
  const direct: number[] = [];
  const cached: number[] = [];
  const phases = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    say(`conversion, round ${round + 1} of ${ROUNDS}`);
    const target = join(dir, 'target.raw');
    const convert = (...cache: string[]): Promise<void> =>
      child('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', '-W', ...cache, qcow2, target]);
    direct.push(await seconds(() => convert('-t', 'none')));
    await rm(target);
    cached.push(await seconds(() => convert()));
    await rm(target);
    const depot = depotFor(configFor(join(dir, `data-${round}`), { allowedRoots: [dir] }));
    await depot.start();
    let at = systemClock.monotonicMs();
    let phase = 'start';
    const next = (name: string): void => {
      if (name === phase) return;
      const nowMs = systemClock.monotonicMs();
      phases.set(phase, (phases.get(phase) ?? 0) + (nowMs - at) / 1000 / ROUNDS);
      [phase, at] = [name, nowMs];
    };
    ours.push(
      await seconds(() =>
        depot.ensure({ source: { href: `file://${qcow2}`, checksum }, onProgress: (p) => next(p.phase) }),
      ),
    );
    next('end');
    await depot.stop();
    if (round < ROUNDS - 1) await rm(join(dir, `data-${round}`), { recursive: true });
  }

  const rates = await exitRates(dir, say, { href: `file://${qcow2}`, checksum });
  const usedMb = (USED_MIB * MIB) / 1e6;
  const [convertSeconds, directSeconds, cachedSeconds] = [median(ours), median(direct), median(cached)];
  const phaseText = ['verify', 'convert', 'map'].map((name) => `${name} ${shown(phases.get(name) ?? 0)}`).join(', ');
  return {
    table: [
      ['', 'seconds', 'MB/s of used data'],
      [`depot: verify, check, convert, map (${phaseText})`, shown(convertSeconds), shown(usedMb / convertSeconds, 0)],
      ['qemu-img convert -W -t none', shown(directSeconds), shown(usedMb / directSeconds, 0)],
      ['qemu-img convert -W', shown(cachedSeconds), shown(usedMb / cachedSeconds, 0)],
      ...CLIENTS.flatMap((n) => [
        [`HTTP exit, ${n} curl`, shown((n * usedMb) / (rates.exit[n] ?? 1)), shown(rates.exit[n] ?? 0, 0)],
        [`plain file from Node, ${n} curl`, shown((n * usedMb) / (rates.plain[n] ?? 1)), shown(rates.plain[n] ?? 0, 0)],
      ]),
    ],
    figures: {
      ensureSeconds: convertSeconds,
      qemuDirectSeconds: directSeconds,
      qemuCachedSeconds: cachedSeconds,
      ...Object.fromEntries(
        CLIENTS.flatMap((n) => [
          [`exitMbPerSecond${n}`, rates.exit[n] ?? 0],
          [`plainMbPerSecond${n}`, rates.plain[n] ?? 0],
        ]),
      ),
    },
    ratios: {
      ensureToQemuDirect: convertSeconds / directSeconds,
      ...Object.fromEntries(CLIENTS.map((n) => [`exitToPlain${n}`, (rates.exit[n] ?? 0) / (rates.plain[n] ?? 1)])),
    },
    method: `A qcow2 image of ${IMAGE_MIB} MiB with ${USED_MIB} MiB in use, page cache warm, medians of ${ROUNDS} rounds that take turns. The depot also checks the SHA-256 of the source, runs qemu-img info and check, and takes a SHA-256 of every extent. The exits are read by curl into /dev/null on the same machine; the plain file is the used data alone, by createReadStream in pieces of 1 MiB.`,
    versions: {
      'qemu-img': run('qemu-img', '--version').split('\n')[0] ?? '',
      curl: run('curl', '--version').split('\n')[0] ?? '',
    },
  };
}

type Rates = Record<number, number>;

async function exitRates(
  dir: string,
  say: (line: string) => void,
  source: { href: string; checksum: string },
): Promise<{ exit: Rates; plain: Rates }> {
  const depot = depotFor(configFor(join(dir, `data-${ROUNDS - 1}`), { allowedRoots: [dir] }));
  await depot.start();
  const image = await depot.ensure({ source });
  const exit = depot.openExit({ imageId: image.imageId, deploymentId: 'bench' });
  const headers = { authorization: `Bearer ${exit.token}` };
  const map = parseBlockMap(await (await fetch(`${exit.baseUrl}/exits/${exit.exitId}/map`, { headers })).text());
  if (!map.ok) throw new Error(map.error.message);
  const count = map.value.extents.length;
  const urls = Array.from(
    { length: Math.ceil(count / 4) },
    (_, i) => `${exit.baseUrl}/exits/${exit.exitId}/extents?from=${i * 4}&count=${Math.min(4, count - i * 4)}`,
  );

  const plainPath = makeRaw(join(dir, 'plain'), USED_MIB * MIB, [[0, USED_MIB * MIB]]);
  const plainBytes = (await stat(plainPath)).size;
  const server = http.createServer((_request, response) => {
    response.setHeader('content-length', plainBytes);
    createReadStream(plainPath, { highWaterMark: MIB }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const plainUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

  const rates = { exit: {} as Rates, plain: {} as Rates };
  for (const clients of CLIENTS) {
    const [exitRounds, plainRounds]: [number[], number[]] = [[], []];
    const many = (one: () => Promise<void>): Promise<number> =>
      seconds(() => Promise.all(Array.from({ length: clients }, one)));
    for (let round = 0; round < ROUNDS; round++) {
      say(`reading by ${clients} clients, round ${round + 1} of ${ROUNDS}`);
      plainRounds.push((clients * plainBytes) / 1e6 / (await many(() => curl([plainUrl], 'x-none: 1'))));
      exitRounds.push(
        (clients * image.usedBytes) / 1e6 / (await many(() => curl(urls, `Authorization: Bearer ${exit.token}`))),
      );
    }
    rates.exit[clients] = median(exitRounds);
    rates.plain[clients] = median(plainRounds);
  }
  await depot.stop();
  server.closeAllConnections();
  server.close();
  return rates;
}

function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  return new Promise((resolve, reject) => {
    createReadStream(path, { highWaterMark: MIB })
      .on('data', (chunk) => hash.update(chunk))
      .once('error', reject)
      .once('end', () => resolve(hash.digest('hex')));
  });
}
