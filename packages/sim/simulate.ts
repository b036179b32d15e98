/** A machine room in virtual time: shipped conductors, agents and BMCs, an operator who takes every node around, and what goes wrong. */
import { createHash } from 'node:crypto';
import { createDbDirectory } from '@bessemer/boot';
import { asNodeId, asPortId, asRunId, resolveConfig } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { memoryDb } from '@bessemer/db/testing';
import { type Clock, type Log, type Random } from '@bessemer/ports';
import { memoryDatagrams, seededRandom } from '@bessemer/ports/testing';
import { createChaos, type Chaos } from './chaos.ts';
import { allEvents, checkRecord, lookForStuck } from './checks.ts';
import { startConductor, type ConductorProcess } from './conductor-process.ts';
import { createDepot } from './depot.ts';
import { guardTimers } from './guard.ts';
import { createImage } from './image.ts';
import { createLedger } from './ledger.ts';
import { createMachine, type Machine } from './machine.ts';
import { createOperator, type Charge } from './operator.ts';
import { reportOf } from './report.ts';
import { createVirtualClock } from './virtual-clock.ts';

export interface SimulateOptions {
  readonly nodes: number;
  /** The same seed gives the same run, to the last datagram. */
  readonly seed: number;
  /** Whether things go wrong. Default true. */
  readonly faults?: boolean;
  /** Names of faults to leave out, as the report has them: to find out which one it takes. */
  readonly without?: readonly string[];
  /** False switches the database's check of fences off: the simulation must notice. Default true. */
  readonly fenceCheck?: boolean;
  /** Conductors on the one database. Default 3. */
  readonly conductors?: number;
  /** For tests: does harm once the world stands. */
  readonly tamper?: (world: { readonly db: Db; readonly clock: Clock; readonly nodes: readonly Machine[] }) => void;
  /** Where conductors log to. Default: nowhere. */
  readonly log?: Log;
  /** Sees each line of the trace as it comes. */
  readonly onTrace?: (line: string) => void;
}

export interface SimulationReport {
  readonly isWell: boolean;
  /** A table for people; when it is not well, what was violated and how to see it again. */
  readonly text: string;
  /** SHA-256 over everything that happened and when. */
  readonly traceSha256: string;
  readonly virtualMs: number;
  /** Runs that ended, by `verb outcome`. */
  readonly runs: Readonly<Record<string, number>>;
  /** Faults that were injected, by name. */
  readonly faults: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
}

const BAD_TIMES_MS = 12 * 60_000;
/** Nodes set out within the first minutes, so that they meet the faults in all stages. */
const START_WINDOW_MS = 3 * 60_000;
const LIMIT_MS = 12 * 3_600_000;
const LOOK_EVERY_MS = 20_000;
const LAST_WORDS_MS = 2_000;
const AFTERMATH_MS = 60_000;
const MAX_VIOLATIONS = 50;

const CONFIG = {
  'database.events_kept': '100000000',
  'conductor.power_sync_interval_ms': '300000',
  'conductor.boot_seen_timeout_ms': '60000',
  'conductor.boot_timeout_ms': '180000',
  'conductor.step_timeout_ms': '300000',
  'conductor.ssh_timeout_ms': '180000',
  'conductor.deploy_timeout_ms': '3600000',
};

/** Runs a whole simulation; resolves when it has ended, well or not. Never throws for what happens inside. */
export async function simulate(options: SimulateOptions): Promise<SimulationReport> {
  if (!Number.isInteger(options.nodes) || options.nodes < 1 || options.nodes > 50_000)
    throw new RangeError(`the number of nodes must be from 1 to 50000, not ${options.nodes}`);
  if (!Number.isInteger(options.seed) || options.seed < 0)
    throw new RangeError(`the seed must be a whole number from 0 on, not ${options.seed}`);
  const hash = createHash('sha256');
  const violations: string[] = [];
  const seen = new Set<string>();
  const clock = createVirtualClock((error) =>
    violate(`a timer threw: ${error instanceof Error ? error.stack : String(error)}`),
  );
  function trace(line: string): void {
    const text = `${clock.monotonicMs().toFixed(3)} ${line}`;
    hash.update(`${text}\n`);
    options.onTrace?.(text);
  }
  function violate(text: string): void {
    trace(`VIOLATION ${text}`);
    if (seen.has(text) || violations.length >= MAX_VIOLATIONS) return;
    seen.add(text);
    violations.push(`at ${(clock.monotonicMs() / 1000).toFixed(1)} s: ${text}`);
  }
  const random = seededRandom(options.seed);
  const branch = (): Random => seededRandom(Math.floor(random.float() * 0xffff_ffff));
  // Opened before the guard: making the schema takes turns of the real event loop.
  const db = await memoryDb({ clock, random: branch(), fenceCheck: options.fenceCheck ?? true });
  const onRejection = (reason: unknown): void =>
    violate(`a promise was rejected and nobody listened: ${reason instanceof Error ? reason.stack : String(reason)}`);
  process.on('unhandledRejection', onRejection);
  const guard = guardTimers((text) => {
    violate(text);
    clock.stop();
  });
  try {
    const untilMs = (options.faults ?? true) ? BAD_TIMES_MS : 0;
    const chaos = createChaos({ clock, random: branch(), untilMs, without: options.without ?? [], trace });
    const world = await buildWorld(options, { db, clock, chaos, branch, trace, violate });
    const look = (): void => {
      clock.setTimer(LOOK_EVERY_MS, () => {
        void lookForStuck(db, clock).then((found) => found.forEach(violate));
        look();
      });
    };
    look();
    options.tamper?.({ db, clock, nodes: world.machines });
    // Once all nodes are through, what is still under way gets the time to end; once something is violated, what follows from it.
    let overAtMs = Number.POSITIVE_INFINITY;
    const ending = await clock.run(() => {
      if (overAtMs === Number.POSITIVE_INFINITY && violations.length > 0) overAtMs = clock.monotonicMs() + AFTERMATH_MS;
      if (overAtMs === Number.POSITIVE_INFINITY && world.isThrough()) overAtMs = clock.monotonicMs() + LAST_WORDS_MS;
      return clock.monotonicMs() >= overAtMs;
    }, LIMIT_MS);
    if (ending === 'late' || ending === 'idle') for (const text of await world.leftBehind()) violate(text);
    const virtualMs = clock.monotonicMs();
    const events = await allEvents(db);
    if (ending === 'over' && world.isThrough()) {
      for (const text of await checkRecord(db, events)) violate(text);
      for (const text of world.checkMachines()) violate(text);
    }
    for (const event of events)
      hash.update(`${event.at} ${event.type} ${event.nodeUuid} ${event.runId} ${JSON.stringify(event.data)}\n`);
    world.end();
    const report = {
      options,
      events,
      violations,
      faults: Object.fromEntries(chaos.counts),
      virtualMs,
      traceSha256: hash.digest('hex'),
    };
    return reportOf(report);
  } finally {
    guard.release();
    process.off('unhandledRejection', onRejection);
    await db.close();
  }
}

interface Deps {
  readonly db: Db;
  readonly clock: ReturnType<typeof createVirtualClock>;
  readonly chaos: Chaos;
  readonly branch: () => Random;
  readonly trace: (line: string) => void;
  readonly violate: (text: string) => void;
}

async function buildWorld(options: SimulateOptions, deps: Deps) {
  const { db, clock, chaos, branch, trace, violate } = deps;
  const config = resolveConfig([CONFIG]);
  const hosts = Array.from({ length: options.conductors ?? 3 }, (_, i) => `conductor-${i + 1}`);
  const processes = new Map<string, ConductorProcess>();
  const byAddress = new Map<string, string>();
  const machinesByBmc = new Map<string, Machine>();
  const machinesByAddress = new Map<string, Machine>();
  const ledger = createLedger(violate);
  const random = branch();
  let dbDownUntilMs = 0;
  let started = 0;

  const datagrams = memoryDatagrams(clock, (_data, from, to) => {
    const machine = machinesByBmc.get(from.address) ?? machinesByBmc.get(to.address);
    if (machine?.isBmcSilent) return [];
    if (chaos.isOver) return [1];
    if (chaos.strikes('datagram lost', 0.01)) return [];
    const delayMs = chaos.between(1, 15);
    if (chaos.strikes('datagram doubled', 0.01)) return [delayMs, delayMs + chaos.between(0, 300)];
    if (chaos.strikes('datagram overtaken', 0.01)) return [delayMs + chaos.between(100, 600)];
    return [delayMs];
  });
  const images = ['debian', 'alpine'].map((name, i) => createImage(name, options.seed * 2 + i + 1));
  const depot = createDepot(images, clock, chaos);
  const directory = createDbDirectory({
    db,
    clock,
    random: branch(),
    kernel: 'vmlinuz',
    initrd: 'initrd',
  });

  function launch(host: string): void {
    const number = ++started;
    const name = `${host}#${number}`;
    const address = `198.51.${100 + Math.floor(number / 250)}.${number % 250}`;
    byAddress.set(address, name);
    trace(`process ${name} starts`);
    const process = startConductor({
      name,
      host,
      address,
      db,
      clock,
      random: branch(),
      config,
      datagrams,
      depot: depot.forConductor,
      ssh: { answers: async (at) => machinesByAddress.get(at)?.doing === 'system' },
      chaos,
      ledger,
      isDbDown: () => clock.monotonicMs() < dbDownUntilMs,
      ...(options.log ? { log: options.log.child({ process: name }) } : {}),
      onDeath: () => {
        trace(`process ${name} dies`);
        clock.setTimer(chaos.between(1_000, 25_000), () => launch(host));
      },
    });
    processes.set(host, process);
  }

  const charges: Charge[] = [];
  for (let i = 0; i < options.nodes; i++) {
    const uuid = asNodeId(random.uuid());
    const number = i + 1;
    const name = `n${number}`;
    const at = `${Math.floor(number / 65_025)}.${Math.floor(number / 255) % 255}.${(number % 255) + 1}`;
    const mac = `52:54:00:${[number >> 16, (number >> 8) & 0xff, number & 0xff].map((b) => b.toString(16).padStart(2, '0')).join(':')}`;
    const mustStayOn = i % 8 === 7;
    const hasWrongPassword = chaos.strikes('wrong BMC password', 0.03);
    const machine = createMachine({
      name,
      nodeUuid: uuid,
      mac,
      address: `172.${16 + Math.floor(number / 65_025)}.${at.split('.').slice(1).join('.')}`,
      bmcAddress: `10.${at}`,
      password: 'right-password',
      mustStayOn,
      clock,
      random: branch(),
      chaos,
      datagrams,
      directory,
      depot,
      verbOf: async (runId) => (await db.read.runs.get(asRunId(runId)))?.verb ?? 'none',
      hosts: [...hosts.slice(i % hosts.length), ...hosts.slice(0, i % hosts.length)],
      conductorAt: (host) => processes.get(host),
      onOrder: (from, order) => {
        const process = byAddress.get(from.address) ?? from.address;
        trace(`bmc of ${name}: ${order} from ${process}`);
        ledger.ordered(process, uuid, order);
      },
      trace,
      violate,
    });
    await machine.start();
    machinesByBmc.set(`10.${at}`, machine);
    machinesByAddress.set(`172.${16 + Math.floor(number / 65_025)}.${at.split('.').slice(1).join('.')}`, machine);
    await db.write('operator', async (tx) => {
      await tx.nodes.create({
        uuid,
        name,
        driver: 'ipmi',
        driverInfo: {
          ipmi_address: `10.${at}`,
          ipmi_username: 'admin',
          ipmi_password: hasWrongPassword ? 'wrong-password' : 'right-password',
        },
        properties: { root_device: { serial: machine.rootSerial } },
        disablePowerOff: mustStayOn,
      });
      await tx.ports.create({ uuid: asPortId(random.uuid()), nodeUuid: uuid, address: mac });
    });
    charges.push({
      uuid,
      machine,
      image: images[i % images.length]!,
      password: 'right-password',
      hasWrongPassword,
      startsAtMs: random.float() * START_WINDOW_MS,
    });
  }
  const machines = charges.map((charge) => charge.machine);
  const conductorAt = (host: string): ConductorProcess | undefined => processes.get(host);
  const operator = createOperator({ db, clock, random: branch(), chaos, charges, conductorAt, trace, violate });
  for (const host of hosts) launch(host);
  operator.start();
  unleash();

  /** Faults that come by themselves. Those of single machines come the more often the more machines there are. */
  function unleash(): void {
    const share = 100 / options.nodes;
    const running = (): ConductorProcess[] => [...processes.values()].filter((p) => p.party.state === 'running');
    const inRamdisk = (): Machine | undefined => chaos.pick(machines.filter((m) => m.doing === 'ramdisk'));
    const onProcess = (name: string, meanMs: number, fn: (process: ConductorProcess) => void): void =>
      chaos.every(name, meanMs, () => {
        const candidates = running();
        const process = chaos.pick(candidates);
        // One of them is left to notice.
        if (!process || candidates.length < 2) return false;
        fn(process);
        return true;
      });
    onProcess('conductor killed', 70_000, (p) => p.kill());
    onProcess('conductor killed at a write', 70_000, (p) =>
      p.killAtWrite(1 + Math.floor(chaos.between(0, 100)), chaos.between(0, 1) < 0.5 ? 'before' : 'after'),
    );
    onProcess('conductor paused', 50_000, (p) => void p.pause(chaos.between(2_000, 60_000)));
    chaos.every('database away', 100_000, () => {
      dbDownUntilMs = clock.monotonicMs() + chaos.between(200, 20_000);
      return true;
    });
    chaos.every('depot away', 90_000, () => {
      depot.goDark(chaos.between(1_000, 40_000));
      return true;
    });
    const onMachine = (name: string, meanMs: number, pick: () => Machine | undefined, fn: (m: Machine) => void): void =>
      chaos.every(name, meanMs * share, () => {
        const machine = pick();
        if (machine) fn(machine);
        return machine !== undefined;
      });
    const any = (): Machine | undefined => chaos.pick(machines);
    onMachine('BMC silent', 12_000, any, (m) => m.silenceBmc(chaos.between(2_000, 60_000)));
    const isOn = (): Machine | undefined => chaos.pick(machines.filter((m) => m.isOn));
    onMachine('power cut', 40_000, isOn, (m) => m.cutPower());
    onMachine('power cut ordered for a write', 30_000, inRamdisk, (m) =>
      m.cutPowerAtWrite(1 + Math.floor(chaos.between(0, 12))),
    );
    onMachine('agent crashed', 25_000, inRamdisk, (m) => m.crashAgent());
    onMachine('connection cut', 12_000, inRamdisk, (m) => m.cutConnection(false));
    onMachine('connection gone dark', 20_000, inRamdisk, (m) => m.cutConnection(true));
  }

  return {
    machines,
    isThrough: () => operator.done === charges.length,
    /** Nodes that have not been through everything, with what they hang on. */
    async leftBehind(): Promise<string[]> {
      const found: string[] = [];
      for (const { uuid } of charges) {
        const node = (await db.read.nodes.get(uuid))!;
        const run = await db.read.runs.latest(uuid);
        found.push(
          `node ${node.name} did not come through: it is "${node.provisionState}", last error ${node.lastError}, ` +
            `last run ${run?.verb} ${run?.state} waiting for ${run?.waitingFor?.what ?? 'nothing'}${node.maintenance ? `, in maintenance: ${node.maintenanceReason}` : ''}`,
        );
      }
      return found.filter((text) => !text.includes('it is "available"'));
    },
    checkMachines(): string[] {
      return machines
        .filter((m) => m.isOn && !m.mustStayOn)
        .map((m) => `node ${m.name} is available and its machine is on (${m.doing})`);
    },
    end(): void {
      for (const process of processes.values()) process.party.kill();
      for (const process of processes.values()) process.conductor.abandon();
    },
  };
}
