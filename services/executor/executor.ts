/** The executor in this process: compiles plays, owns the connections, runs plays over them. */
import { createHash } from 'node:crypto';
import {
  checkPlayRequest,
  coerceExecutorError,
  createRunLog,
  type Executor,
  ExecutorError,
  PROTOCOL_VERSION,
  type PlayRequest,
  type PlayResult,
  playProblem,
  type RunLog,
  type Target,
} from '@bessemer/executor-protocol';
import type { Clock, Log } from '@bessemer/ports';
import { type Link, openLink } from './connections/link.ts';
import { createPool, type Lease, type PoolLimits, type Wanted } from './connections/pool.ts';
import type { RuntimeBundle } from './connections/runtime-bundle.ts';
import type { ModuleLibrary } from './modules/library.ts';
import { compilePlay } from './play/compile.ts';
import { runOverLink } from './play/play-run.ts';
import type { StartChild } from './process.ts';
import { localTransport } from './transports/local.ts';
import { createSshTransport } from './transports/ssh.ts';
import type { Transport } from './transports/transport.ts';

export interface ExecutorLimits extends PoolLimits {
  readonly connectTimeoutMs: number;
  /** How long an ended run's events and result are kept for a repeat of its request. */
  readonly keepRunsMs: number;
  readonly maxKeptRuns: number;
}

const DEFAULT_LIMITS: ExecutorLimits = {
  maxConnections: 200,
  maxPerTarget: 4,
  idleMs: 300_000,
  connectTimeoutMs: 30_000,
  keepRunsMs: 600_000,
  maxKeptRuns: 200,
};

export interface ExecutorDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly startChild: StartChild;
  readonly library: ModuleLibrary;
  readonly bundle: RuntimeBundle;
  /** A folder of mode 0700, for key files while a login lasts. */
  readonly stateDir: string;
  readonly limits?: Partial<ExecutorLimits>;
  /** What `ping` tells. */
  readonly pid: number;
}

interface Connection extends Link {
  readonly id: string;
  readonly target: Target;
  readonly description: string;
  readonly openedAtMs: number;
  plays: number;
}

interface KeptRun {
  readonly log: RunLog;
  readonly fingerprint: string;
}

/** Builds an executor. Everything it starts ends with `close()`, and with the process. */
export function createExecutor(deps: ExecutorDeps): Executor {
  const limits: ExecutorLimits = { ...DEFAULT_LIMITS, ...deps.limits };
  const { clock, log, library, bundle } = deps;
  const pool = createPool<Connection>(clock, limits);
  const sshTransport = createSshTransport(deps.stateDir);
  const runs = new Map<string, KeptRun>();
  const cancels = new Set<(reason: ExecutorError) => void>();
  let closed = false;

  // Each transport is asked only about its own targets.
  const transportOf = (target: Target): Transport =>
    (target.transport === 'ssh' ? sshTransport : localTransport) as Transport;

  function wanted(target: Target, connectTimeoutMs: number): Wanted<Connection> {
    const transport = transportOf(target);
    const variables = Object.entries(transport.keyVariables(target)).sort();
    const key = createHash('sha256').update(JSON.stringify(variables)).digest('hex').slice(0, 16);
    return {
      key,
      limitKey: transport.limitKey(target),
      open: async () => {
        const description = transport.describe(target);
        const opening = await transport.open(target, bundle.shellCommand(target.python), connectTimeoutMs);
        try {
          const link = await openLink({
            clock,
            startChild: deps.startChild,
            bundle,
            opening,
            description,
            timeoutMs: connectTimeoutMs,
            explain: (end) => transport.explain(target, end),
          });
          log.info('connection opened', { connection: key, target: description, python: link.python });
          link.onBroken((error) =>
            log.info('connection ended', { connection: key, target: description, reason: error.message }),
          );
          // Kept as a prototype, so that its getters stay live.
          return Object.assign(Object.create(link) as Link, {
            id: key,
            target,
            description,
            openedAtMs: clock.nowMs(),
            plays: 0,
          });
        } finally {
          await opening.cleanUp();
        }
      },
    };
  }

  async function execute(request: PlayRequest, runLog: RunLog, signal: AbortSignal): Promise<PlayResult> {
    const startedMs = clock.monotonicMs();
    const { become } = request.target;
    const compiled = compilePlay(request.play, {
      library,
      ...(become?.user === undefined ? {} : { becomeUser: become.user }),
      ...(become?.always === undefined ? {} : { becomeAlways: become.always }),
    });
    if (request.resume && request.resume.startAt >= compiled.tasks.length)
      throw new ExecutorError(
        'BAD_REQUEST',
        `resume.startAt is ${request.resume.startAt}, and the play has ${compiled.tasks.length} tasks.`,
      );
    const modules = library.collect(compiled.modules);
    const lease = await acquire(request, runLog, signal, (link) => link.accepts(modules));
    let discard = true;
    try {
      const link = lease.connection;
      link.plays++;
      runLog.append({
        type: 'connected',
        reused: lease.reused,
        ...(link.hostKeyFingerprint === undefined ? {} : { hostKeyFingerprint: link.hostKeyFingerprint }),
        python: link.python,
        elapsedMs: Math.round(clock.monotonicMs() - startedMs),
      });
      const ended = await runOverLink({
        clock,
        link,
        request,
        compiled,
        modules,
        ansibleVersion: library.ansibleVersion,
        startedMs,
        emit: runLog.append,
        signal,
      });
      discard = ended.discard;
      return ended.result;
    } finally {
      lease.release({ discard });
    }
  }

  async function acquire(
    request: PlayRequest,
    runLog: RunLog,
    signal: AbortSignal,
    isUsable: (link: Link) => boolean,
  ): Promise<Lease<Connection>> {
    const want = wanted(request.target, request.connectTimeoutMs ?? limits.connectTimeoutMs);
    for (;;) {
      const lease = await pool.acquire(want, {
        signal,
        onQueued: (position) => runLog.append({ type: 'waiting', for: 'connection', position }),
      });
      if (isUsable(lease.connection)) return lease;
      // ansible-core was changed under a living connection: its interpreter holds the old texts.
      lease.release({ discard: true });
    }
  }

  function failedResult(error: ExecutorError, startedMs: number): PlayResult {
    const unreachable = ['UNREACHABLE', 'AUTHENTICATION_FAILED', 'HOST_KEY_CHANGED', 'PYTHON_MISSING', 'TIMEOUT'];
    return {
      status: 'failed',
      error: error.toBody(),
      recap: {
        ok: 0,
        changed: 0,
        failed: 0,
        skipped: 0,
        ignored: 0,
        unreachable: unreachable.includes(error.code) ? 1 : 0,
        durationMs: Math.round(clock.monotonicMs() - startedMs),
        bytesSent: 0,
        bytesReceived: 0,
      },
    };
  }

  function start(request: PlayRequest): RunLog {
    const abort = new AbortController();
    const startedMs = clock.monotonicMs();
    const cancel = (reason: ExecutorError) => abort.abort(reason);
    const runLog = createRunLog(() => cancel(new ExecutorError('CANCELLED')));
    const deadline =
      request.playTimeoutMs === undefined
        ? undefined
        : clock.setTimer(request.playTimeoutMs, () =>
            cancel(new ExecutorError('TIMEOUT', `The play did not end within ${request.playTimeoutMs} ms.`)),
          );
    cancels.add(cancel);
    execute(request, runLog, abort.signal)
      .catch((thrown) => {
        const result = failedResult(coerceExecutorError(thrown), startedMs);
        if (result.error?.code === 'INTERNAL')
          log.error('a play failed unexpectedly', { error: String((thrown as Error)?.stack) });
        runLog.append({ type: 'recap', recap: result.recap });
        return result;
      })
      .then((result) => {
        deadline?.cancel();
        cancels.delete(cancel);
        runLog.finish(result);
        log.info('play ended', { requestId: request.requestId, status: result.status, error: result.error?.code });
        clock.setTimer(limits.keepRunsMs, () => forget(request.requestId, runLog), { background: true });
      });
    return runLog;
  }

  function forget(requestId: string, runLog: RunLog): void {
    if (runs.get(requestId)?.log === runLog) runs.delete(requestId);
  }
  function keep(requestId: string, run: KeptRun): void {
    runs.set(requestId, run);
    for (const [id, kept] of runs) {
      if (runs.size <= limits.maxKeptRuns) break;
      if (kept.log.ended) runs.delete(id);
    }
  }
  function refused(error: ExecutorError): RunLog {
    const runLog = createRunLog(() => {});
    runLog.abandon(error);
    return runLog;
  }

  return {
    runPlay(request, options) {
      const checked = checkPlayRequest(request);
      if (!checked.ok) return refused(new ExecutorError('BAD_REQUEST', `The request is malformed: ${checked.error}.`));
      if (closed) return refused(new ExecutorError('MANAGER_LOST', 'The executor was closed.'));
      const fingerprint = createHash('sha256').update(JSON.stringify(request)).digest('hex');
      let run = runs.get(request.requestId);
      if (run && run.fingerprint !== fingerprint)
        return refused(
          new ExecutorError('BAD_REQUEST', `The request id ${request.requestId} was already used for another request.`),
        );
      if (!run) {
        run = { log: start(request), fingerprint };
        keep(request.requestId, run);
      }
      const { log: runLog } = run;
      const { signal } = options ?? {};
      if (signal?.aborted) runLog.cancel();
      else if (signal) {
        signal.addEventListener('abort', runLog.cancel, { once: true });
        const off = () => signal.removeEventListener('abort', runLog.cancel);
        runLog.result.then(off, off);
      }
      return runLog;
    },
    async checkPlay(play) {
      const problem = playProblem(play);
      if (problem) throw new ExecutorError('BAD_REQUEST', `The request is malformed: ${problem}.`);
      return { tasks: compilePlay(play, { library }).summaries };
    },
    async ping() {
      return {
        pid: deps.pid,
        protocol: PROTOCOL_VERSION,
        ansibleVersion: library.ansibleVersion,
        connections: pool.entries().length,
      };
    },
    async list() {
      return pool.entries().flatMap(({ connection, key, state, waiting }) =>
        connection
          ? [
              {
                id: key,
                transport: connection.target.transport,
                target: connection.description,
                state,
                waiting,
                plays: connection.plays,
                openedAtMs: connection.openedAtMs,
                bytesSent: connection.bytesSent,
                bytesReceived: connection.bytesReceived,
              },
            ]
          : [],
      );
    },
    stacks() {
      const connections = pool.entries().flatMap(({ connection }) => connection ?? []);
      return Promise.all(
        connections.map(async (connection) => {
          const answer = await connection
            .ask('stacks')
            .catch((error: unknown) => ({ error: coerceExecutorError(error).message }));
          const { event: _event, id: _id, ...stacks } = answer as Record<string, never>;
          return { id: connection.id, target: connection.description, stacks };
        }),
      );
    },
    async closeConnections(id) {
      return pool.closeIdle(id);
    },
    async close() {
      closed = true;
      const reason = new ExecutorError('MANAGER_LOST', 'The executor was closed.');
      for (const cancel of cancels) cancel(reason);
      await Promise.allSettled([...runs.values()].map((run) => run.log.result));
      pool.close(reason);
    },
  };
}
