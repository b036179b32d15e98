/** A power query over a held session beside a process per query: `ipmitool` and FreeIPMI's `ipmipower`. */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { promisify } from 'node:util';
import { createIpmiClient, getPowerState } from '@bessemer/ipmi';
import type { CipherSuiteId, IpmiClient } from '@bessemer/ipmi';
import { Secret, silentLog } from '@bessemer/ports';
import { systemClock, systemDatagrams, systemRandom } from '@bessemer/ports/node';
import type { Benchmark } from './result.ts';

const execute = promisify(execFile);
const ROUNDS = 5;
const HELD_QUERIES = 1000;
const FRESH_QUERIES = 100;
const PROCESSES = 20;
const FARM = 500;
const FARM_PARALLELISM = 64;
const PORT = 6231;
const ADDRESSES = Array.from({ length: FARM }, (_, i) => `127.77.${Math.floor(i / 250)}.${(i % 250) + 1}`);
const SUITES: readonly CipherSuiteId[] = [3, 17];

interface Cost {
  /** Per query, milliseconds. */
  readonly wallMs: number;
  readonly cpuMs: number;
}

function startFarm(): Promise<ChildProcess> {
  const script = new URL('./ipmi-farm.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify({ addresses: ADDRESSES, port: PORT }));
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => resolve(child));
    child.once('exit', (code) => reject(new Error(`the BMCs ended with code ${code}`)));
  });
}

function newClient(): IpmiClient {
  return createIpmiClient({
    datagrams: systemDatagrams,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
}

function options(suite: CipherSuiteId, address = ADDRESSES[0]!) {
  return {
    address,
    port: PORT,
    username: 'admin',
    password: new Secret('password'),
    cipherSuites: [suite],
  };
}

/** Wall time and this process's CPU time of `work`, per query. */
async function measure(queries: number, work: () => Promise<void>): Promise<Cost> {
  const cpu = process.cpuUsage();
  const startMs = systemClock.monotonicMs();
  await work();
  const wallMs = (systemClock.monotonicMs() - startMs) / queries;
  const used = process.cpuUsage(cpu);
  return { wallMs, cpuMs: (used.user + used.system) / 1000 / queries };
}

async function held(suite: CipherSuiteId): Promise<Cost> {
  const client = newClient();
  const endpoint = client.endpoint(options(suite));
  await getPowerState(endpoint);
  const cost = await measure(HELD_QUERIES, async () => {
    for (let i = 0; i < HELD_QUERIES; i++) await getPowerState(endpoint);
  });
  await client.close();
  return cost;
}

async function fresh(suite: CipherSuiteId): Promise<Cost> {
  const client = newClient();
  const cost = await measure(FRESH_QUERIES, async () => {
    for (let i = 0; i < FRESH_QUERIES; i++) {
      const endpoint = client.endpoint(options(suite));
      await getPowerState(endpoint);
      await endpoint.close();
    }
  });
  await client.close();
  return cost;
}

/** Runs a program again and again from one shell, whose `times` tells what its children used. */
async function processes(program: string): Promise<Cost> {
  const script = `i=0; while [ $i -lt ${PROCESSES} ]; do ${program} >/dev/null || exit 1; i=$((i+1)); done; times`;
  const startMs = systemClock.monotonicMs();
  const { stdout } = await execute('bash', ['-c', script]);
  const wallMs = (systemClock.monotonicMs() - startMs) / PROCESSES;
  const children = stdout.trim().split('\n').at(-1) ?? '';
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, m) => sum + Number(m[1]) * 60 + Number(m[2]),
    0,
  );
  return { wallMs, cpuMs: (seconds * 1000) / PROCESSES };
}

/** Sessions to all BMCs, then one query to each, some at a time. */
async function sweep(): Promise<{ openMs: number; queryMs: number; cpuMs: number }> {
  const client = newClient();
  async function all(): Promise<void> {
    const waiting = [...ADDRESSES];
    const worker = async (): Promise<void> => {
      for (let address = waiting.pop(); address; address = waiting.pop())
        await getPowerState(client.endpoint(options(17, address)));
    };
    await Promise.all(Array.from({ length: FARM_PARALLELISM }, worker));
  }
  const open = await measure(1, all);
  const query = await measure(1, all);
  await client.close();
  return { openMs: open.wallMs, queryMs: query.wallMs, cpuMs: query.cpuMs };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const medianCost = (costs: readonly Cost[]): Cost => ({
  wallMs: median(costs.map((cost) => cost.wallMs)),
  cpuMs: median(costs.map((cost) => cost.cpuMs)),
});
const round = (value: number): number => Number(value.toPrecision(3));

export const ipmi: Benchmark = {
  name: 'ipmi',
  summary: 'a power query over a held IPMI session beside a process per query (ipmitool, ipmipower)',
  async run({ say }) {
    const { address, port } = options(3);
    const ways = SUITES.flatMap((suite) => [
      { name: `held session, suite ${suite}`, key: `held${suite}`, go: () => held(suite) },
      { name: `session per query, suite ${suite}`, key: `fresh${suite}`, go: () => fresh(suite) },
      {
        name: `ipmitool, suite ${suite}`,
        key: `ipmitool${suite}`,
        go: () =>
          processes(`ipmitool -I lanplus -H ${address} -p ${port} -U admin -P password -C ${suite} power status`),
      },
      {
        name: `ipmipower, suite ${suite}`,
        key: `ipmipower${suite}`,
        go: () => processes(`ipmipower -D LAN_2_0 -I ${suite} -h ${address}:${port} -u admin -p password --stat`),
      },
    ]);
    const farm = await startFarm();
    try {
      const costs = new Map<string, Cost[]>(ways.map(({ key }) => [key, []]));
      const sweeps: Awaited<ReturnType<typeof sweep>>[] = [];
      for (let i = 0; i < ROUNDS; i++) {
        say(`round ${i + 1} of ${ROUNDS}`);
        for (const { key, go } of ways) costs.get(key)!.push(await go());
        sweeps.push(await sweep());
      }
      const results = ways.map((way) => ({ ...way, cost: medianCost(costs.get(way.key)!) }));
      const of = (key: string): Cost => results.find((result) => result.key === key)!.cost;
      const openMs = median(sweeps.map((s) => s.openMs));
      const queryMs = median(sweeps.map((s) => s.queryMs));
      const sweepCpuMs = median(sweeps.map((s) => s.cpuMs));
      const figures: Record<string, number> = {};
      for (const { key, cost } of results) {
        figures[`${key}WallMs`] = round(cost.wallMs);
        figures[`${key}CpuMs`] = round(cost.cpuMs);
      }
      figures[`open${FARM}SessionsMs`] = round(openMs);
      figures[`query${FARM}BmcsMs`] = round(queryMs);
      figures[`query${FARM}BmcsCpuMs`] = round(sweepCpuMs);
      const row = (name: string, wallMs: number, cpuMs: string): string[] => [name, String(round(wallMs)), cpuMs];
      return {
        table: [
          ['power query', 'wall ms', 'client CPU ms'],
          ...results.map(({ name, cost }) => row(name, cost.wallMs, String(round(cost.cpuMs)))),
          row(`${FARM} BMCs: open all sessions, one query each`, openMs, '-'),
          row(`${FARM} BMCs: one query each`, queryMs, String(round(sweepCpuMs))),
        ],
        figures,
        ratios: {
          ipmitoolToHeldWall: round(of('ipmitool17').wallMs / of('held17').wallMs),
          ipmitoolToHeldCpu: round(of('ipmitool17').cpuMs / of('held17').cpuMs),
          ipmipowerToHeldWall: round(of('ipmipower17').wallMs / of('held17').wallMs),
          ipmitoolToFreshWall: round(of('ipmitool17').wallMs / of('fresh17').wallMs),
        },
        method:
          `Median of ${ROUNDS} rounds, all ways in turn in each: ${HELD_QUERIES} queries over one session, ${FRESH_QUERIES} with a ` +
          `session each, ${PROCESSES} processes one after the other; ${FARM} BMCs with ${FARM_PARALLELISM} queries at a time (suite 17). ` +
          'The BMCs are our reference BMC in one process of its own on loopback. CPU is that of the client alone.',
        versions: {
          ipmitool: (await execute('ipmitool', ['-V'])).stdout.trim().replace('ipmitool version ', ''),
          freeipmi: (await execute('ipmipower', ['--version'])).stdout.split('\n')[0]!.replace(/^.* - /, ''),
        },
      };
    } finally {
      farm.removeAllListeners('exit');
      farm.kill();
    }
  },
};
