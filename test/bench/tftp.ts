/** Our TFTP server beside npm's `tftp`: rate on a good link, time and duplicates on one that loses packets. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DatagramPeer } from '@bessemer/ports';
import { systemClock, systemDatagrams } from '@bessemer/ports/node';
import { seededRandom } from '@bessemer/ports/testing';
import type { Benchmark } from './result.ts';

const run = promisify(execFile);
const ADDRESS = '127.0.0.1';
const PEERS = ['ours', 'npm tftp'] as const;
type Peer = (typeof PEERS)[number];
const MB = 1_000_000;
const GOOD = [
  { blksize: 512, windowsize: 1 },
  { blksize: 1468, windowsize: 1 },
  { blksize: 1468, windowsize: 16 },
] as const;
const LOSSY = [
  { loss: 0.01, windowsize: 1 },
  { loss: 0.01, windowsize: 16 },
  { loss: 0.05, windowsize: 16 },
] as const;
const GOOD_MB = 20;
const LOSSY_MB = 4;
/** A firmware's patience is shorter. */
const LIMIT_SECONDS = 40;

interface Fetched {
  readonly seconds: number;
  /** False: not finished in time, or not the bytes of the file. */
  readonly whole: boolean;
}

async function fetchByAtftp(
  port: number,
  file: string,
  want: Buffer,
  local: string,
  options: object,
): Promise<Fetched> {
  await rm(local, { force: true });
  const extra = Object.entries(options).flatMap(([name, value]) => ['--option', `${name} ${value}`]);
  const args = [...extra, '--option', 'timeout 1', '-g', '-r', file, '-l', local, ADDRESS, String(port)];
  const startedMs = systemClock.monotonicMs();
  const ended = await run('atftp', args, { timeout: LIMIT_SECONDS * 1000 }).then(
    () => true,
    () => false,
  );
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  return { seconds, whole: ended && (await readFile(local)).equals(want) };
}

/** Between client and server: passes datagrams on, loses some by a seeded choice, and counts the server's data packets. */
async function lossyRelay(serverPort: number, loss: number, seed: number) {
  const random = seededRandom(seed);
  const lost = () => random.float() < loss;
  const sockets = [await systemDatagrams.bind({ address: ADDRESS, port: 0 })];
  const seen = { dataPackets: 0 };
  const flows = new Map<number, Promise<(data: Uint8Array) => void>>();
  async function flow(client: DatagramPeer): Promise<(data: Uint8Array) => void> {
    const toServer = await systemDatagrams.bind({ address: ADDRESS, port: 0 });
    const toClient = await systemDatagrams.bind({ address: ADDRESS, port: 0 });
    sockets.push(toServer, toClient);
    let server: DatagramPeer = { address: ADDRESS, port: serverPort };
    toServer.onMessage((data, from) => {
      server = from;
      if (data[1] === 3) seen.dataPackets++;
      if (!lost()) toClient.send(data, client);
    });
    toClient.onMessage((data) => {
      if (!lost()) toServer.send(data, server);
    });
    return (data) => toServer.send(data, { address: ADDRESS, port: serverPort });
  }
  sockets[0]!.onMessage((data, from) => {
    const known = flows.get(from.port) ?? flow(from);
    flows.set(from.port, known);
    void known.then((send) => send(data));
  });
  return {
    port: sockets[0]!.local.port,
    seen,
    close: () => Promise.all(sockets.map((socket) => socket.close())),
  };
}

async function startServer(peer: Peer, root: string, prefix: string) {
  const probe = await systemDatagrams.bind({ address: ADDRESS, port: 0 });
  const { port } = probe.local;
  await probe.close();
  const program = new URL('tftp-server.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.stdin.end(JSON.stringify({ peer, root, port, prefix }));
  await Promise.race([
    new Promise((resolve) => child.stdout.once('data', resolve)),
    ended.then(() => Promise.reject(new Error(`${peer} did not start`))),
  ]);
  return {
    port,
    async residentMb() {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Math.round(Number(/VmHWM:\s+([0-9]+)/.exec(status)![1]) / 1024);
    },
    async stop() {
      child.kill();
      await ended;
    },
  };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

export const tftpBench: Benchmark = {
  name: 'tftp',
  summary: "our TFTP server beside npm's tftp: MB/s, and seconds under loss",
  async run({ say }) {
    const folder = await mkdtemp(join(tmpdir(), 'bessemer-bench-tftp-'));
    const figures: Record<string, number> = {};
    const table: Record<string, string[]> = {};
    const cell = (row: string, peer: Peer, key: string, value: number, shown: string) => {
      (table[row] ??= [row])[1 + PEERS.indexOf(peer)] = shown;
      figures[`${peer === 'ours' ? 'ours' : 'npm'}.${key}`] = value;
    };
    try {
      say('fetching npm package tftp 0.1.2');
      await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder, 'tftp@0.1.2']);
      const files = { good: seededRandom(1).bytes(GOOD_MB * MB), lossy: seededRandom(2).bytes(LOSSY_MB * MB) };
      for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
      const local = join(folder, 'got');
      for (const peer of PEERS) {
        const server = await startServer(peer, folder, folder);
        try {
          for (const { blksize, windowsize } of GOOD) {
            const rates: number[] = [];
            for (let i = 0; i < 3; i++) {
              const want = Buffer.from(files.good);
              const got = await fetchByAtftp(server.port, 'good', want, local, { blksize, windowsize });
              rates.push(got.whole ? GOOD_MB / got.seconds : 0);
            }
            const rate = median(rates);
            say(`${peer}, blocks of ${blksize}, window ${windowsize}: ${rate.toFixed(1)} MB/s`);
            cell(`${blksize} / ${windowsize}, MB/s`, peer, `mb_s_${blksize}_${windowsize}`, rate, rate.toFixed(1));
          }
          for (const { loss, windowsize } of LOSSY) {
            const runs: Array<Fetched & { sent: number }> = [];
            for (const seed of [1, 2, 3]) {
              const relay = await lossyRelay(server.port, loss, seed);
              const options = { blksize: 1468, windowsize };
              const got = await fetchByAtftp(relay.port, 'lossy', Buffer.from(files.lossy), local, options);
              runs.push({ ...got, sent: relay.seen.dataPackets / Math.ceil((LOSSY_MB * MB) / 1468) });
              await relay.close();
            }
            const finished = runs.filter((r) => r.whole).length;
            const seconds = median(runs.map((r) => r.seconds));
            const sent = median(runs.map((r) => r.sent));
            const row = `${loss * 100} % lost, window ${windowsize}: finished, s, packets sent per needed`;
            const key = `loss${loss * 100}_${windowsize}`;
            say(`${peer}, ${row}: ${finished}/3, ${seconds.toFixed(1)}, ${sent.toFixed(2)}`);
            cell(row, peer, `${key}_seconds`, seconds, `${finished}/3  ${seconds.toFixed(1)}  ${sent.toFixed(2)}`);
            cell(row, peer, `${key}_sent`, sent, table[row]![1 + PEERS.indexOf(peer)]!);
            cell(row, peer, `${key}_finished`, finished, table[row]![1 + PEERS.indexOf(peer)]!);
          }
          const residentMb = await server.residentMb();
          cell('peak memory, MB', peer, 'peak_mb', residentMb, String(residentMb));
        } finally {
          await server.stop();
        }
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    const ratio = (key: string) => Number((figures[`ours.${key}`]! / figures[`npm.${key}`]!).toFixed(2));
    return {
      table: [['blocks / window', ...PEERS], ...Object.values(table)],
      figures: Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, Number(value.toFixed(3))])),
      ratios: {
        mb_s_512_1: ratio('mb_s_512_1'),
        mb_s_1468_1: ratio('mb_s_1468_1'),
        mb_s_1468_16: ratio('mb_s_1468_16'),
        loss1_16_seconds: ratio('loss1_16_seconds'),
      },
      method:
        `One atftp client over loopback, each server a process of its own; ${GOOD_MB} MB on the good link, ${LOSSY_MB} MB through a relay ` +
        `that loses datagrams in both directions by a seeded choice; median of three. A read that takes more than ${LIMIT_SECONDS} s counts as not finished.`,
      versions: { 'npm tftp': '0.1.2', atftp: (await atftpVersion()) ?? 'unknown' },
    };
  },
};

async function atftpVersion(): Promise<string | undefined> {
  const { stdout } = await run('dpkg-query', ['-W', '-f', '${Version}', 'atftp']).catch(() => ({ stdout: '' }));
  return stdout || undefined;
}
