/**
 * Agents' connections: who may speak, what is kept, what is sent. Pure over MessageChannel; `agent-server.ts` brings the sockets.
 * What an agent reports is written into its run under the run's fence and acknowledged when it is durable, each message once.
 */
import {
  createAgentSession,
  PING_INTERVAL_MS,
  type AgentJournal,
  type AgentSession,
  type HelloMessage,
  type KeptMessage,
  type ProgressEvent,
  type SessionEffect,
  type SessionInput,
} from '@bessemer/agent-protocol';
import type { Config, Run } from '@bessemer/core';
import { coerceError } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Clock, Log, MessageChannel, Random, Timer } from '@bessemer/ports';
import { createAgentAuthenticator } from './agent-authentication.ts';
import { factsOf } from './agent-facts.ts';
import type { AgentLink, AgentLinks } from './agent-links.ts';
import { agentNoteOf } from './agent-phase.ts';
import { flowOf } from './flows/flows.ts';
import type { Session } from './session.ts';

export interface AgentGateway extends AgentLinks {
  /** Takes a connection that was just opened. `address`: where it comes from. */
  accept(channel: MessageChannel, peer: { readonly address: string }): void;
  /** Ends the connection of a run that has ended. */
  drop(runId: string): void;
  /** Closes all connections: agents go on and come back. */
  stop(): void;
}

export interface AgentGatewayOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly config: Config;
  /** The session of this conductor at this moment. */
  readonly session: () => Session;
  readonly wake: (runId: string) => void;
}

/** Progress is written at most once a second for each run. */
const PROGRESS_INTERVAL_MS = 1_000;

interface Connection {
  readonly session: AgentSession;
  readonly channel: MessageChannel;
  readonly address: string;
  runId: string | undefined;
  link: AgentLink | undefined;
  progressAtMs: number;
  /** When the agent was heard last, ms since the epoch. */
  heardAtMs: number;
  timer: Timer | undefined;
  /** Effects that wait for the database run one after the other. */
  chain: Promise<void>;
}

export function createAgentGateway(options: AgentGatewayOptions): AgentGateway {
  const { db, clock, log, config } = options;
  const authenticate = createAgentAuthenticator(options);
  const byRun = new Map<string, Connection>();
  const open = new Set<Connection>();
  const lost = new Map<string, number>();
  let isStopped = false;

  function feed(connection: Connection, input: SessionInput): void {
    for (const effect of connection.session.step(input, clock.monotonicMs())) act(connection, effect);
  }
  function act(connection: Connection, effect: SessionEffect): void {
    switch (effect.kind) {
      case 'send':
        return connection.channel.send(effect.text);
      case 'authenticate':
        return queue(connection, () => welcome(connection, effect.hello));
      case 'opened':
        return opened(connection, effect.hello.journal, effect.hello);
      case 'keep':
        return queue(connection, () => keep(connection, effect.message));
      case 'show':
        if (effect.message.kind === 'progress') progress(connection, effect.message);
        return;
      case 'state':
        if (connection.link) connection.link = Object.assign(connection.link, { journal: effect.journal });
        return;
      case 'orderRefused':
        log.warn('an agent refused an order', { run: connection.runId, ...effect.message });
        if (effect.message.of === 'segment' && effect.message.code !== 'OLD_FENCE')
          queue(connection, () => segmentRefused(connection, effect.message.message));
        return;
      case 'close':
        return connection.channel.close(effect.reason);
    }
  }
  function queue(connection: Connection, fn: () => Promise<void>): void {
    connection.chain = connection.chain.then(fn).catch((error: unknown) => {
      log.error('a message of an agent could not be kept', { run: connection.runId, error: coerceError(error).stack });
      connection.channel.close('try again');
    });
  }

  async function welcome(connection: Connection, hello: HelloMessage): Promise<void> {
    const verdict = await authenticate(hello, connection.address);
    if (!verdict.ok) {
      log.warn('an agent was refused', { address: connection.address, reason: verdict.reason });
      // What may change by itself is no refusal: an agent that is refused forgets its key.
      if (verdict.retry) return connection.channel.close(verdict.reason);
      return feed(connection, { kind: 'refuse', reason: verdict.reason, retry: false });
    }
    connection.runId = verdict.runId;
    feed(connection, { kind: 'accept', key: verdict.key, node: verdict.node, lastSeq: verdict.lastSeq });
  }
  function opened(connection: Connection, journal: AgentJournal, hello: HelloMessage): void {
    const runId = connection.runId!;
    const older = byRun.get(runId);
    connection.link = { bootId: hello.bootId, address: connection.address, journal, steps: hello.steps };
    byRun.set(runId, connection);
    lost.delete(runId);
    if (older && older !== connection) older.channel.close('a newer connection of this boot replaces this one');
    options.wake(runId);
  }

  /** The run of a connection, if what its agent says may still be written into it. */
  const isOurs = (run: Run | undefined, connection: Connection): run is Run =>
    run !== undefined &&
    run.finishedAt === null &&
    run.owner === options.session().id &&
    agentNoteOf(run.notes)?.bootId === connection.link?.bootId;

  /** What becomes of a message that may not be written: its sender hears why. True when it is to be acknowledged all the same. */
  function turnAway(run: Run | undefined, connection: Connection): boolean {
    if (run === undefined || run.state === 'aborted') {
      // Ended from outside, perhaps by another conductor: the disk is left alone from now on.
      const fence = Math.max(run?.fence ?? 0, connection.link?.journal.fence ?? 0);
      feed(connection, { kind: 'order', message: { type: 'cancel', run: connection.runId!, fence } });
      return true;
    }
    if (run.finishedAt !== null || run.owner === options.session().id) return true;
    // The agent keeps what its owner has not stored, and looks for it.
    connection.channel.close('another conductor goes on with this run');
    return false;
  }

  async function keep(connection: Connection, message: KeptMessage): Promise<void> {
    const runId = connection.runId as Run['id'];
    const isDone = await db.write('agent.keep', async (tx) => {
      const run = await tx.runs.get(runId);
      if (!isOurs(run, connection)) return { run };
      const agent = agentNoteOf(run.notes)!;
      if (message.seq <= agent.lastSeq) return true;
      const facts = factsOf(run, message);
      const node = (await tx.nodes.get(run.nodeUuid))!;
      for (const event of facts.events) await tx.events.append({ ...event, nodeUuid: node.uuid, runId });
      if (facts.inventory) await tx.nodes.setInventory(node.uuid, { inventory: facts.inventory, pluginData: {} });
      const { stepField } = flowOf(run.verb);
      const step =
        facts.cursorStep === undefined ? undefined : run.segments[run.cursor.segment]!.steps[facts.cursorStep];
      const shown =
        stepField && step
          ? { [stepField]: { interface: step.interface, step: step.step, priority: step.priority } }
          : {};
      const patch = { ...facts.nodePatch(node.driverInternalInfo), ...shown };
      if (Object.keys(patch).length > 0) await tx.nodes.update(node.uuid, patch);
      await tx.runs.update(runId, run.fence, {
        notes: { ...run.notes, ...facts.notes, agent: { ...agent, lastSeq: message.seq } },
        ...(facts.cursorStep === undefined ? {} : { cursor: { ...run.cursor, step: facts.cursorStep } }),
        ...laterUntil(run),
      });
      return true;
    });
    if (isDone !== true && !turnAway(isDone.run, connection)) return;
    feed(connection, { kind: 'stored', seq: message.seq });
    options.wake(runId);
  }
  /** A sign of the agent moves the deadline of the wait for it. */
  function laterUntil(run: Run): { waitingFor?: Run['waitingFor'] } {
    if (run.waitingFor?.what !== 'agent') return {};
    const until = Math.min(run.deadline, clock.nowMs() + config.conductor.step_timeout_ms);
    return { waitingFor: { ...run.waitingFor, until } };
  }
  function progress(connection: Connection, message: ProgressEvent): void {
    const nowMs = clock.monotonicMs();
    if (nowMs - connection.progressAtMs < PROGRESS_INTERVAL_MS) return;
    connection.progressAtMs = nowMs;
    const { phase, bytes, totalBytes, ratePerSecond } = message.data;
    queue(connection, async () => {
      const isDone = await db.write('agent.progress', async (tx) => {
        const run = await tx.runs.get(connection.runId as Run['id']);
        if (!isOurs(run, connection)) return { run };
        await tx.runs.update(run.id, run.fence, {
          progress: { phase, bytes, totalBytes, bytesPerSecond: ratePerSecond, at: clock.nowMs() },
          ...laterUntil(run),
        });
        return true;
      });
      if (isDone !== true) turnAway(isDone.run, connection);
    });
  }
  async function segmentRefused(connection: Connection, reason: string): Promise<void> {
    await db.write('agent.refused-order', async (tx) => {
      const run = await tx.runs.get(connection.runId as Run['id']);
      const note = run?.notes['agentSegment'];
      if (!isOurs(run, connection) || !note || typeof note !== 'object' || Array.isArray(note)) return;
      const error = { step: '', code: 'REFUSED', message: `The agent refused its work: ${reason}` };
      await tx.runs.update(run.id, run.fence, { notes: { ...run.notes, agentSegment: { ...note, error } } });
    });
    options.wake(connection.runId!);
  }

  function closed(connection: Connection, reason: string): void {
    connection.timer?.cancel();
    open.delete(connection);
    feed(connection, { kind: 'closed' });
    const { runId } = connection;
    if (runId === undefined || byRun.get(runId) !== connection) return;
    byRun.delete(runId);
    if (isStopped) return;
    // A machine that lost its power may have been back on the network for a while when its silence is noticed.
    lost.set(runId, connection.heardAtMs);
    queue(connection, async () => {
      await db.write('agent.lost', async (tx) => {
        const run = await tx.runs.get(runId as Run['id']);
        if (!isOurs(run, connection)) return void lost.delete(runId);
        if (run.segments[run.cursor.segment]?.party !== 'agent') return;
        await tx.events.append({
          type: 'agent.lost',
          nodeUuid: run.nodeUuid,
          runId: run.id,
          severity: 'warning',
          data: { reason },
        });
      });
      options.wake(runId);
    });
  }

  return {
    accept(channel, { address }) {
      if (isStopped) return channel.close('the service is stopping');
      const connection: Connection = {
        session: createAgentSession({ nowMs: clock.monotonicMs() }),
        channel,
        address,
        runId: undefined,
        link: undefined,
        progressAtMs: Number.NEGATIVE_INFINITY,
        heardAtMs: clock.nowMs(),
        timer: undefined,
        chain: Promise.resolve(),
      };
      open.add(connection);
      const tick = (): void => {
        connection.timer = clock.setTimer(
          PING_INTERVAL_MS / 3,
          () => {
            if (!open.has(connection)) return;
            feed(connection, { kind: 'tick' });
            tick();
          },
          { background: true },
        );
      };
      tick();
      channel.onMessage((message) => {
        connection.heardAtMs = clock.nowMs();
        feed(connection, { kind: 'text', text: message });
      });
      channel.onClose((reason) => closed(connection, reason));
    },
    link: (runId) => byRun.get(runId)?.link,
    lostAt: (runId) => lost.get(runId),
    order(runId, message) {
      const connection = byRun.get(runId);
      if (!connection) return false;
      feed(connection, { kind: 'order', message });
      return true;
    },
    drop(runId) {
      lost.delete(runId);
      const connection = byRun.get(runId);
      byRun.delete(runId);
      connection?.channel.close('the work is done');
    },
    stop() {
      isStopped = true;
      for (const connection of open) {
        connection.timer?.cancel();
        connection.channel.close('the service is stopping');
      }
      open.clear();
      byRun.clear();
    },
  };
}
