/**
 * One conductor as an operating system sees it: the shipped code in a process that can be killed, also at its n-th write, or stand
 * still and come back. A process that comes back knows what it knew: until it has found out that its session is over, it reads
 * its own runs as they were, as from a cache or a replica that lags. So nothing but the fence in the database stands between it
 * and the work of its successor.
 */
import { type Config, type Run, ServiceError } from '@bessemer/core';
import { createConductor, type Conductor, type Configurer, type ImageDepot, type SshProbe } from '@bessemer/conductor';
import type { Db, Repositories } from '@bessemer/db';
import { createIpmiClient } from '@bessemer/ipmi';
import { silentLog, sleep, type Clock, type Datagrams, type Log, type Random } from '@bessemer/ports';
import { seededRandom } from '@bessemer/ports/testing';
import type { Chaos } from './chaos.ts';
import type { Ledger, Write } from './ledger.ts';
import { createParty, never, type Party } from './party.ts';

export interface ConductorProcess {
  readonly name: string;
  readonly host: string;
  readonly party: Party;
  readonly conductor: Conductor;
  /** Dies at once, as by kill -9. */
  kill(): void;
  /** Dies at its `writes`-th write from now, before or after it is durable. */
  killAtWrite(writes: number, when: 'before' | 'after'): void;
  /** Stands still for so long. */
  pause(ms: number): Promise<void>;
}

export interface ConductorProcessOptions {
  readonly name: string;
  readonly host: string;
  readonly address: string;
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: Config;
  readonly datagrams: Datagrams;
  readonly depot: ImageDepot;
  readonly ssh: SshProbe;
  readonly chaos: Chaos;
  readonly ledger: Ledger;
  /** Whether the database can be reached at this moment. */
  readonly isDbDown: () => boolean;
  readonly log?: Log;
  readonly onDeath: () => void;
}

/** There is no playbook in these scenarios. */
const configurer: Configurer = {
  servicePublicKey: async () => 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBessemer service',
  check: async () => ({ tasks: 0 }),
  run: async () => ({ ok: 0, changed: 0, failed: 0, skipped: 0, error: null, resume: null }),
};

export function startConductor(options: ConductorProcessOptions): ConductorProcess {
  const { db, clock, chaos, ledger, name } = options;
  const party = createParty(clock);
  const sessions = new Set<string>();
  let remembered = new Map<string, Run>();
  let deathIn: { writes: number; when: 'before' | 'after' } | undefined;

  const dbDown = (): Error =>
    new ServiceError('TEMPORARY_FAILURE', 'The database cannot be reached at the moment. Try again.');
  function readsOf<R extends object>(repository: R): R {
    const wrapped: Record<string, unknown> = {};
    for (const [key, fn] of Object.entries(repository) as Array<[string, (...args: unknown[]) => Promise<unknown>]>)
      wrapped[key] = async (...args: unknown[]) => {
        if (party.state === 'dead') return never();
        if (options.isDbDown()) throw dbDown();
        const result = await fn(...args);
        return isDead() ? never() : result;
      };
    return wrapped as R;
  }
  const isDead = (): boolean => party.state === 'dead';
  const asRemembered = (runs: Repositories['runs']): Repositories['runs'] => ({
    ...runs,
    get: async (id) => remembered.get(id) ?? runs.get(id),
  });
  const read = Object.fromEntries(
    Object.entries(db.read).map(([key, repository]) => [key, readsOf(repository)]),
  ) as unknown as Repositories;

  /** The transaction with a witness. */
  function witnessed(tx: Repositories, writes: Write[]): Repositories {
    const runs = asRemembered(tx.runs);
    return {
      ...tx,
      conductors: {
        ...tx.conductors,
        async heartbeat(row, ttlMs) {
          const alive = await tx.conductors.heartbeat(row, ttlMs);
          writes.push({ kind: 'session', id: row.session, fence: 0 });
          return alive;
        },
      },
      nodes: {
        ...tx.nodes,
        async reserve(uuid, session, conductor, purpose) {
          const lease = await tx.nodes.reserve(uuid, session, conductor, purpose);
          if (lease) writes.push({ kind: 'reserve', id: uuid, fence: lease.fence, session });
          return lease;
        },
      },
      runs: {
        ...runs,
        async create(run) {
          const made = await tx.runs.create(run);
          writes.push({ kind: 'take', id: run.id, fence: run.fence });
          return made;
        },
        async takeOver(id, session, fence) {
          const taken = await tx.runs.takeOver(id, session, fence);
          writes.push({ kind: 'take', id, fence });
          return taken;
        },
        async update(id, fence, patch) {
          const updated = await tx.runs.update(id, fence, patch);
          writes.push({ kind: 'write', id, fence });
          return updated;
        },
      },
    };
  }

  const processDb: Db = {
    engine: db.engine,
    read: { ...read, runs: asRemembered(read.runs) },
    async write(writeName, fn) {
      if (isDead()) return never();
      if (chaos.strikes('slow answer of the database', 0.02)) await sleep(party.clock, chaos.between(1, 300));
      if (options.isDbDown()) throw dbDown();
      const dies = deathIn !== undefined && --deathIn.writes <= 0 ? deathIn.when : undefined;
      if (dies === 'before') kill();
      if (isDead()) return never();
      const writes: Write[] = [];
      const result = await db.write(writeName, (tx) => {
        writes.length = 0;
        return fn(witnessed(tx, writes));
      });
      ledger.committed(name, writeName, writes);
      for (const write of writes)
        if (write.kind === 'session' && !sessions.has(write.id)) {
          // Another life: what was remembered belonged to the last one.
          sessions.add(write.id);
          remembered = new Map();
        }
      if (dies === 'after') kill();
      if (isDead()) return never();
      if (chaos.strikes('lost answer of a commit', 0.01)) throw dbDown();
      return result;
    },
    now: () => db.now(),
    onEvents: (listener) => db.onEvents(listener),
    close: async () => {},
  };

  /** Its own sockets, through its gate. */
  const datagrams: Datagrams = {
    async bind(wanted) {
      const socket = await options.datagrams.bind({ ...wanted, address: options.address });
      return {
        ...socket,
        send: (data, to) => (party.state === 'dead' ? undefined : socket.send(data, to)),
        onMessage: (listener) => socket.onMessage((data, from) => party.enter(() => listener(data, from))),
      };
    },
  };
  const log = options.log ?? silentLog;
  const conductor = createConductor({
    db: processDb,
    ipmi: createIpmiClient({ datagrams, clock: party.clock, random: seededRandom(seedOf(options.random)), log }),
    depot: options.depot,
    configurer,
    ssh: options.ssh,
    clock: party.clock,
    random: seededRandom(seedOf(options.random)),
    log,
    config: options.config,
    host: options.host,
  });

  function kill(): void {
    if (isDead()) return;
    party.kill();
    conductor.abandon();
    options.onDeath();
  }
  /** A database that is away at the start is tried again, as a supervisor would. */
  function start(): void {
    conductor.start().catch((error: unknown) => {
      log.warn('the conductor did not start', { error: String(error) });
      party.clock.setTimer(1_000, start);
    });
  }
  start();

  return {
    name,
    host: options.host,
    party,
    conductor,
    kill,
    killAtWrite(writes, when) {
      deathIn = { writes, when };
    },
    async pause(ms) {
      const own = (await db.read.runs.listUnfinished()).filter((run) => run.owner !== null && sessions.has(run.owner));
      if (party.state !== 'running') return;
      party.pause();
      clock.setTimer(ms, () => void goOn(own));
    },
  };

  async function goOn(own: readonly Run[]): Promise<void> {
    const lost: Run[] = [];
    for (const run of own) {
      const now = await db.read.runs.get(run.id);
      if (now?.fence !== run.fence || now.owner !== run.owner) lost.push(run);
    }
    remembered = new Map(lost.map((run) => [run.id, run]));
    party.resume();
  }
}

const seedOf = (random: Random): number => Math.floor(random.float() * 0xffff_ffff);
