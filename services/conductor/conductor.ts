/** The conductor: composes sessions, engine, queue, agents and periodics, and lives on with a new session when one is lost. */
import type { Config, DriverDescription, Run } from '@bessemer/core';
import { coerceError, ServiceError } from '@bessemer/core';
import { type Db, snapshotDb } from '@bessemer/db';
import type { IpmiClient } from '@bessemer/ipmi';
import type { Clock, Log, Random, Timer } from '@bessemer/ports';
import type { RpcHandlers, RpcServer, RpcTransport } from '@bessemer/rpc';
import { createAcceptor, type Acceptor } from './accept.ts';
import { createAllocator } from './allocations.ts';
import { createAgentArguments, exitIdOf } from './agent-arguments.ts';
import { createAgentGateway, type AgentGateway } from './agent-gateway.ts';
import { agentSegmentOf, createAgentPhase } from './agent-phase.ts';
import { createDriverTasks } from './driver-task.ts';
import { createDefaultRegistry } from './drivers/index.ts';
import type { DriverRegistry } from './drivers/registry.ts';
import { createEngine, type Engine } from './engine.ts';
import { createHandlers } from './handlers.ts';
import { createImageOrders } from './image-orders.ts';
import { createLeaseReturns } from './lease.ts';
import { startPeriodics } from './periodics.ts';
import type { Configurer, ImageDepot, SshProbe } from './ports.ts';
import { createPowerOrders, type PowerOrders } from './power-orders.ts';
import { createPowerSync } from './power-sync.ts';
import { createQueue, type Queue } from './queue.ts';
import { createRunRetry, type RunRetry } from './retry.ts';
import { createSession, type Session } from './session.ts';
import { createChildSteps } from './steps/children.ts';
import { createStepHandlers } from './steps/handlers.ts';
import { createTakeOver } from './takeover.ts';
import { createTaskWriter } from './task.ts';
import { createTimers } from './timers.ts';

export interface ConductorDeps {
  readonly db: Db;
  /** Where the handlers are served under `host`; without it the caller uses `handlers` itself. */
  readonly rpc?: RpcTransport;
  readonly ipmi: IpmiClient;
  /** Another set of drivers than the one that ships. */
  readonly drivers?: DriverRegistry;
  readonly depot: ImageDepot;
  readonly configurer: Configurer;
  readonly ssh: SshProbe;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly config: Config;
  /** Name of this conductor. */
  readonly host: string;
  /**
   * No other process of this host can be alive on this database (the lock on the data directory proves it): sessions of this
   * host that seem alive are ended at the start, so that nobody waits their life out. Default false.
   */
  readonly isOnlyProcess?: boolean;
}

export interface Conductor {
  /** Registers the session, takes over what was left, serves. */
  start(): Promise<void>;
  /** Finishes calls under way, ends the session: others, or the next start, go on at once. */
  stop(): Promise<void>;
  /** Stops as a crash does: nothing more is written or ordered, nothing is said to the database. For tests. */
  abandon(): void;
  readonly handlers: RpcHandlers;
  /** Where connections of agents are brought to. */
  readonly agents: AgentGateway;
  /** The hardware types that this conductor runs. */
  readonly drivers: readonly DriverDescription[];
  /** Runs that are being worked on at this moment. */
  readonly busy: number;
}

/** One session and everything that lives and dies with it. */
interface Life {
  readonly session: Session;
  readonly engine: Engine;
  readonly acceptor: Acceptor;
  readonly powerOrders: PowerOrders;
  readonly retry: RunRetry;
  readonly queue: Queue;
  stop(): Promise<void>;
}

/** How long after a lost session another one is tried. */
const REBIRTH_PAUSE_MS = 1_000;
const PURGE_INTERVAL_MS = 600_000;
/** Should a node ever be in work that nobody knows of, it fails within this time. */
const STRANDED_INTERVAL_MS = 600_000;
const ALLOCATION_SWEEP_MS = 30_000;
const REQUESTS_KEPT_MS = 24 * 3_600_000;
const SESSIONS_KEPT_MS = 30 * 24 * 3_600_000;

export function createConductor(deps: ConductorDeps): Conductor {
  const { clock, random, log, config, host } = deps;
  // A run's notes are changed by its steps, its agent and by requests.
  const db = snapshotDb(deps.db);
  const registry =
    deps.drivers ??
    createDefaultRegistry({
      clock,
      enabledTypes: config.conductor.enabled_hardware_types,
      ipmi: {
        client: deps.ipmi,
        clock,
        cipherSuites: config.ipmi.default_cipher_suites,
        // An order that waits for its turn longer than this could leave when the lease belongs to another already.
        commandTimeoutMs: Math.min(config.ipmi.command_timeout_ms, config.conductor.session_ttl_ms / 2),
      },
    });
  const descriptions = registry.descriptions();
  const allocator = createAllocator({ db, clock, random, log });
  const leases = createLeaseReturns({ db, log });
  let life: Life | undefined;
  let server: RpcServer | undefined;
  let rebirth: Timer | undefined;
  let state: 'new' | 'running' | 'stopped' = 'new';

  function alive(): Life {
    if (!life?.session.isLive)
      throw new ServiceError('TEMPORARY_FAILURE', `Conductor ${host} is not at work at this moment: try again.`);
    return life;
  }
  const wake = (runId: string): void => life?.engine.wake(runId);
  const agents = createAgentGateway({ db, clock, random, log, config, session: () => alive().session, wake });

  /** A retry opens the exit again. */
  function closeExit(run: Run): void {
    const exitId = exitIdOf(run.notes);
    if (exitId === undefined) return;
    deps.depot.closeExit(exitId).catch((error: unknown) => {
      log.warn('an image exit was not closed', { run: run.id, error: coerceError(error).message });
    });
  }
  /**
   * A run has ended, well or not: its agent and the queue are told. A failed run keeps its agent, for a retry; one that failed
   * for another reason than the agent's own (its deadline) stops the agent, which would go on writing to a disk given up.
   */
  function onEnded(run: Run, outcome: 'done' | 'failed'): void {
    closeExit(run);
    if (outcome === 'done') agents.drop(run.id);
    else if (run.segments[run.cursor.segment]?.party === 'agent' && agentSegmentOf(run.notes)?.error === undefined)
      agents.order(run.id, { type: 'cancel', run: run.id, fence: run.fence });
    life?.queue.admit();
  }
  /** A run was ended by a request: its agent is to stop what it does. */
  function onEndedFromOutside(run: Run): void {
    closeExit(run);
    agents.order(run.id, { type: 'cancel', run: run.id, fence: run.fence });
    life?.engine.forget(run.id);
    life?.queue.admit();
  }

  async function beLiving(): Promise<void> {
    const session = createSession({
      db,
      clock,
      random,
      log,
      host,
      conductorGroup: config.service.conductor_group,
      drivers: descriptions,
      ttlMs: config.conductor.session_ttl_ms,
      onLost: () => {
        void stopLife();
        rebirthLater();
      },
    });
    const timers = createTimers(clock);
    const writer = createTaskWriter({ db, clock, random, session });
    const engine: Engine = createEngine({
      db,
      clock,
      log,
      config,
      session,
      timers,
      writer,
      drivers: registry,
      handlers: createStepHandlers(deps.depot),
      onChildren: createChildSteps({ db, log, session, drivers: registry, leases }),
      ssh: deps.ssh,
      configurer: deps.configurer,
      images: (jobs) => createImageOrders(jobs, { depot: deps.depot, writer, clock }),
      agentPhase: createAgentPhase({
        db,
        clock,
        random,
        log,
        config,
        session,
        writer,
        drivers: registry,
        links: agents,
        stepArguments: createAgentArguments({
          db,
          depot: deps.depot,
          configurer: deps.configurer,
          writer,
        }),
      }),
      onEnded,
    });
    const begin = (runId: string): void => {
      engine.markFresh(runId);
      engine.wake(runId);
    };
    const queue = createQueue({ db, clock, log, config, session, writer, onAdmitted: (run) => begin(run.id) });
    const acceptor = createAcceptor({
      db,
      clock,
      random,
      log,
      config,
      session,
      writer,
      drivers: registry,
      queue,
      onAccepted: (run) => begin(run.id),
      onEnded: onEndedFromOutside,
    });
    const powerOrders = createPowerOrders({
      db,
      clock,
      config: config.conductor,
      session,
      writer,
      tasks: createDriverTasks({ db, log, session: () => session, leases }),
      drivers: registry,
      agents,
      onRestarted: begin,
    });
    const retry = createRunRetry({ db, clock, random, config, session, writer, links: agents, onRetried: begin });
    const takeOver = createTakeOver({
      db,
      clock,
      log,
      config,
      session,
      drivers: registry,
      onTaken: (runId) => engine.wake(runId),
    });
    await session.start();
    try {
      if (deps.isOnlyProcess) await takeOver.endOwnPast();
      await takeOver.sweep();
      await takeOver.failStranded();
    } catch (error) {
      // Half a life would keep runs to itself that agents and requests do not find.
      timers.close();
      await Promise.all([queue.stop(), engine.stop()]);
      await session.end().catch(() => undefined);
      throw error;
    }
    const periodics = startPeriodics(
      [
        { name: 'take-over', intervalMs: config.conductor.session_ttl_ms / 2, run: () => takeOver.sweep() },
        { name: 'stranded', intervalMs: STRANDED_INTERVAL_MS, run: () => takeOver.failStranded() },
        { name: 'leases', intervalMs: config.conductor.session_ttl_ms / 2, run: leases.sweep },
        { name: 'overdue', intervalMs: config.conductor.session_ttl_ms / 2, run: wakeOverdue },
        {
          name: 'power-sync',
          intervalMs: config.conductor.power_sync_interval_ms,
          run: createPowerSync({ db, log, session, drivers: registry, leases, config: config.conductor }),
        },
        { name: 'allocations', intervalMs: ALLOCATION_SWEEP_MS, run: allocator.sweep },
        { name: 'purge', intervalMs: PURGE_INTERVAL_MS, run: purge },
      ],
      { clock, random, log },
    );
    async function wakeOverdue(): Promise<void> {
      for (const run of await db.read.runs.listOverdue(clock.nowMs(), 100)) engine.wake(run.id);
      engine.wakeForgotten(await db.read.runs.listRunningIds(session.id));
      queue.admit();
    }
    life = {
      session,
      engine,
      acceptor,
      powerOrders,
      retry,
      queue,
      async stop() {
        timers.close();
        await Promise.all([periodics.stop(), queue.stop(), engine.stop()]);
      },
    };
    queue.admit();
  }
  async function purge(): Promise<void> {
    await db.write('purge', async (tx) => {
      await tx.events.purge(config.database.events_kept);
      await tx.requests.purge(clock.nowMs() - REQUESTS_KEPT_MS);
      await tx.runs.purge(clock.nowMs() - REQUESTS_KEPT_MS);
      await tx.idempotency.purge(REQUESTS_KEPT_MS);
      await tx.boots.purgeTokens(clock.nowMs());
      await tx.boots.purgeAddresses();
      await tx.conductors.purge(clock.nowMs() - SESSIONS_KEPT_MS);
    });
  }
  async function stopLife(): Promise<void> {
    const dying = life;
    life = undefined;
    await dying?.stop();
  }
  function rebirthLater(): void {
    if (state !== 'running') return;
    rebirth = clock.setTimer(
      REBIRTH_PAUSE_MS,
      () => {
        beLiving().catch((error: unknown) => {
          log.error('no new conductor session could be begun', { error: coerceError(error).message });
          rebirthLater();
        });
      },
      { background: true },
    );
  }

  const handlers = createHandlers({
    db,
    log,
    session: () => alive().session,
    acceptor: () => alive().acceptor,
    powerOrders: () => alive().powerOrders,
    retry: () => alive().retry,
    allocator,
    leases,
    drivers: registry,
    configurer: deps.configurer,
    automatedClean: config.conductor.automated_clean,
    nowMs: () => clock.nowMs(),
    runLifeMs: config.conductor.deploy_timeout_ms,
    wake,
    onEnded: onEndedFromOutside,
  });

  return {
    async start() {
      state = 'running';
      await beLiving();
      server = await deps.rpc?.serve(host, handlers);
    },
    async stop() {
      state = 'stopped';
      rebirth?.cancel();
      await server?.close();
      agents.stop();
      const session = life?.session;
      await stopLife();
      await session?.end();
    },
    abandon() {
      state = 'stopped';
      rebirth?.cancel();
      life?.session.abandon();
      void stopLife();
      agents.stop();
    },
    handlers,
    agents,
    drivers: descriptions,
    get busy() {
      return life?.engine.busy ?? 0;
    },
  };
}
