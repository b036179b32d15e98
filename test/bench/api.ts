/** The API and the life cycle on fake hardware, beside a real Ironic in the same run, both on SQLite. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { sleep } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import type { CycleResult } from './api-cycles.ts';
import type { LoadResult, Order, WireRequest } from './api-load.ts';
import { bessemerSide, ironicSide, type RunningSide, type Side } from './api-sides.ts';
import type { Benchmark } from './result.ts';

/** The newest microversion that both know. */
const MINOR = 82;
const CONNECTIONS = [1, 16] as const;
const CYCLES = 200;
const CYCLE_CLASS = 'cycles';
const CYCLE_PATIENCE_MS = 300_000;
/** What Nova's resource tracker asks for. */
const FIELDS =
  'uuid,power_state,target_power_state,provision_state,target_provision_state,last_error,maintenance,properties,instance_uuid,traits,resource_class';
const LISTS: ReadonlyArray<readonly [name: string, query: string]> = [
  ['summary', ''],
  ['detail', 'detail=true'],
  ['fields', `fields=${FIELDS}`],
  ['filters', 'resource_class=baremetal&provision_state=enroll&maintenance=false&associated=false'],
];
/** Least ratio of ours to Ironic's. */
const GOALS: ReadonlyArray<readonly [prefix: string, ratio: number]> = [
  ['list', 60],
  ['get', 40],
  ['create', 20],
  ['patch', 20],
  ['cycles', 25],
];
const P95_GOAL_MS = 20;
const CHANGED_ROUNDS = 10;

interface Plan {
  readonly durationMs: number;
  readonly nodes: number;
  readonly many: number;
}

/** Figures of one side by name; a larger one is better but for names that end in ms or mib. */
type Figures = Record<string, number>;

interface Loader {
  load(order: Omit<Extract<Order, { kind: 'load' }>, 'kind' | 'minor'>): Promise<LoadResult>;
  cycles(order: Omit<Extract<Order, { kind: 'cycles' }>, 'kind' | 'minor'>): Promise<CycleResult>;
  end(): void;
}

function createLoader(): Loader {
  const child: ChildProcess = fork(fileURLToPath(new URL('./api-load.ts', import.meta.url)));
  const ask = <T>(order: object): Promise<T> =>
    new Promise((resolve, reject) => {
      child.once('message', (answer: { result?: T; error?: string }) =>
        answer.error === undefined ? resolve(answer.result as T) : reject(new Error(answer.error)),
      );
      child.send({ ...order, minor: MINOR });
    });
  return {
    async load(order) {
      const result = await ask<LoadResult>({ ...order, kind: 'load' });
      const bad = Object.keys(result.statuses).filter((status) => !status.startsWith('2'));
      if (bad.length > 0)
        throw new Error(`${order.requests[0]!.method} ${order.requests[0]!.path}: ${JSON.stringify(result.statuses)}`);
      return result;
    },
    cycles: (order) => ask({ ...order, kind: 'cycles' }),
    end: () => void child.kill(),
  };
}

const creation = (name: string, uuid: string, resourceClass = 'baremetal'): WireRequest => ({
  method: 'POST',
  path: '/v1/nodes',
  body: JSON.stringify({
    uuid,
    name,
    driver: 'fake-hardware',
    resource_class: resourceClass,
    properties: { cpus: 8, memory_mb: 16_384, local_gb: 400, cpu_arch: 'x86_64', capabilities: 'boot_mode:uefi' },
    driver_info: { ipmi_address: '192.0.2.1', ipmi_username: 'admin', ipmi_password: 'secret' },
    extra: { rack: 'r1', unit: 7 },
  }),
});
const change = (uuid: string, round: number): WireRequest => ({
  method: 'PATCH',
  path: `/v1/nodes/${uuid}`,
  body: JSON.stringify([{ op: 'add', path: '/extra/unit', value: round }]),
});

/** Everything that is measured on one side. */
async function measure(side: Side, loader: Loader, plan: Plan, say: (line: string) => void): Promise<Figures> {
  const figures: Figures = {};
  const starts: number[] = [];
  let running: RunningSide = await side.start();
  figures['first_start_ms'] = running.startMs;
  for (let i = 0; i < 3; i++) {
    await running.stop();
    running = await side.start();
    starts.push(running.startMs);
  }
  figures['start_ms'] = starts.toSorted((a, b) => a - b)[1]!;
  const { port } = running;
  await sleep(systemClock, 3_000);
  figures['idle_mib'] = running.memoryMib();
  const uuids = (count: number) => Array.from({ length: count }, () => systemRandom.uuid());
  const rate = async (name: string, connections: number, requests: readonly WireRequest[], isOnce = false) => {
    const beforeMs = running.cpuMs();
    const result = await loader.load({
      port,
      connections,
      requests,
      ...(isOnce ? {} : { durationMs: plan.durationMs }),
    });
    figures[`${name}_c${connections}`] = (result.count * 1000) / result.elapsedMs;
    figures[`${name}_c${connections}_cpu_ms`] = (running.cpuMs() - beforeMs) / result.count;
    figures[`${name}_c${connections}_p50_ms`] = result.p50Ms;
    figures[`${name}_c${connections}_p95_ms`] = result.p95Ms;
    if (name.startsWith('list')) figures[`${name}_bytes`] = result.bytes;
    say(
      `${side.name}: ${name}, ${connections} connections: ${figures[`${name}_c${connections}`]!.toFixed(1)}/s, p95 ${result.p95Ms.toFixed(1)} ms`,
    );
  };

  const cycled = uuids(CYCLES);
  await loader.load({ port, connections: 16, requests: cycled.map((u, i) => creation(`c${i}`, u, CYCLE_CLASS)) });
  const cycles = await loader.cycles({
    port,
    connections: 16,
    uuids: cycled,
    resourceClass: CYCLE_CLASS,
    patienceMs: CYCLE_PATIENCE_MS,
  });
  figures['cycles'] = (CYCLES * 1000) / cycles.elapsedMs;
  say(`${side.name}: ${CYCLES} cycles, ${figures['cycles'].toFixed(1)}/s, refused ${cycles.refused}`);
  const removal = (uuid: string): WireRequest => ({ method: 'DELETE', path: `/v1/nodes/${uuid}` });
  await rate('delete', 1, cycled.slice(0, 50).map(removal), true);
  await rate('delete', 16, cycled.slice(50).map(removal), true);

  const nodes = uuids(plan.nodes);
  const creations = nodes.map((uuid, i) => creation(`node-${i}`, uuid));
  const alone = Math.floor(plan.nodes * 0.3);
  await rate('create', 1, creations.slice(0, alone), true);
  await rate('create', 16, creations.slice(alone), true);
  figures['memory_1000_mib'] = running.memoryMib();
  const shuffled = nodes.toSorted(() => systemRandom.float() - 0.5);
  for (const connections of CONNECTIONS) {
    for (const [name, query] of LISTS)
      await rate(`list_1000_${name}`, connections, [{ method: 'GET', path: `/v1/nodes?${query}` }]);
    await rate(
      'get',
      connections,
      shuffled.map((uuid) => ({ method: 'GET', path: `/v1/nodes/${uuid}` })),
    );
    await rate(
      'patch',
      connections,
      shuffled.map((uuid, i) => change(uuid, i + connections * plan.nodes)),
    );
  }
  let listMs = 0;
  for (let round = 0; round < CHANGED_ROUNDS; round++) {
    if (side.keepsViews)
      await loader.load({ port, connections: 16, requests: nodes.map((uuid, i) => change(uuid, i * (round + 2))) });
    const list = { method: 'GET', path: '/v1/nodes?detail=true' };
    listMs += (await loader.load({ port, connections: 1, requests: [list] })).elapsedMs;
  }
  figures['detail_all_changed_c1'] = (CHANGED_ROUNDS * 1000) / listMs;
  say(`${side.name}: detail after all nodes changed, ${figures['detail_all_changed_c1'].toFixed(1)}/s`);
  figures['memory_1000_after_load_mib'] = running.memoryMib();

  if (side.fill) await side.fill('node-0', plan.many);
  else
    await loader.load({
      port,
      connections: 16,
      requests: uuids(plan.many - plan.nodes).map((uuid, i) => creation(`more-${i}`, uuid)),
    });
  const markers = await pageMarkers(port, plan.many);
  for (const connections of CONNECTIONS)
    for (const [name, query] of LISTS)
      await rate(
        `list_10000_${name}`,
        connections,
        markers.map((marker) => ({
          method: 'GET',
          path: `/v1/nodes?${[query, 'limit=1000', ...(marker ? [`marker=${marker}`] : [])].filter(Boolean).join('&')}`,
        })),
      );
  figures['memory_10000_after_load_mib'] = running.memoryMib();
  await running.stop();
  return figures;
}

/** The markers of all pages of a list of `count` nodes; the first page has none. */
async function pageMarkers(port: number, count: number): Promise<Array<string | undefined>> {
  const markers: Array<string | undefined> = [undefined];
  for (let seen = 1000; seen < count; seen += 1000) {
    const marker = markers.at(-1);
    const path = `/v1/nodes?fields=uuid&limit=1000${marker ? `&marker=${marker}` : ''}`;
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { 'X-OpenStack-Ironic-API-Version': `1.${MINOR}` },
    });
    const { nodes } = (await answer.json()) as { nodes: Array<{ uuid: string }> };
    markers.push(nodes.at(-1)!.uuid);
  }
  return markers;
}

const isLessBetter = (name: string) => /_(ms|mib)$/.test(name);
const rounded = (value: number) => Number(value.toPrecision(4));

export const api: Benchmark = {
  name: 'api',
  summary:
    'the API and provision cycles on fake hardware, beside a real Ironic (`-- api ours`: without it; `quick`: short)',
  async run({ say, args }) {
    const plan: Plan = args.includes('quick')
      ? { durationMs: 1_000, nodes: 1_000, many: 3_000 }
      : { durationMs: 4_000, nodes: 1_000, many: 10_000 };
    const found: Figures[] = [];
    const sides: Side[] = [];
    const loader = createLoader();
    try {
      for (const make of args.includes('ours') ? [bessemerSide] : [bessemerSide, ironicSide]) {
        const side = await make(say);
        sides.push(side);
        found.push(await measure(side, loader, plan, say));
      }
    } finally {
      loader.end();
      for (const side of sides) side.remove();
    }
    const [ours, theirs] = found;
    const table: string[][] = [['figure', 'Bessemer', 'Ironic', 'ratio', 'goal', '']];
    const figures: Figures = {};
    const ratios: Figures = {};
    for (const [name, value] of Object.entries(ours!)) {
      figures[name] = rounded(value);
      const theirValue = theirs?.[name];
      if (theirValue !== undefined) figures[`ironic_${name}`] = rounded(theirValue);
      if (name.endsWith('_p50_ms') || name.endsWith('_bytes')) continue;
      const isRate = !isLessBetter(name);
      const ratio = theirValue === undefined ? undefined : isRate ? value / theirValue : theirValue / value;
      if (ratio !== undefined) ratios[name] = Number(ratio.toFixed(1));
      const isListTail = /^list_1000_.*_c1_p95_ms$/.test(name);
      const goal = isRate ? GOALS.find(([prefix]) => name.startsWith(prefix))?.[1] : undefined;
      const isMet = isListTail ? value < P95_GOAL_MS : goal === undefined || ratio === undefined || ratio >= goal;
      if (goal !== undefined || isListTail) figures[`is_met_${name}`] = Number(isMet);
      const digits = name.endsWith('_cpu_ms') ? 2 : 1;
      table.push([
        name,
        value.toFixed(digits),
        theirValue?.toFixed(digits) ?? '',
        ratio === undefined ? '' : `${ratio.toFixed(1)}x`,
        isListTail ? `< ${P95_GOAL_MS} ms` : goal === undefined ? '' : `${goal}x`,
        isMet ? '' : 'NOT MET',
      ]);
    }
    return {
      isTrial: args.length > 0,
      table,
      figures,
      ratios,
      method: `One side after the other on loopback, SQLite both, at microversion 1.${MINOR}; Bessemer as packed, Ironic in its one-process form with debugging off. Requests per second over ${plan.durationMs} ms from one client process over 1 or 16 kept connections (c1, c16), creations and deletions each node once; every write is answered when it is on disk. A request of list_10000 is one page of 1,000, taken in turn from all pages; detail_all_changed is the list of 1,000 where each of Bessemer's nodes was changed since the list before, so that no view that was kept holds (Ironic keeps none); Ironic's ${plan.many} nodes were copied in its database. cycles: ${CYCLES} nodes at once, manage, provide with automated cleaning, active, deleted, driven by one poller that takes at most a third of the time. cpu_ms: processor time of the service per request, which other work on the machine changes little. start_ms: median of three with a database that exists; memory: Pss of all processes of the service.`,
      versions: Object.fromEntries(sides.map((side) => [side.name, side.version])),
    };
  },
};
