/**
 * The agent: one outbound connection at a time to any of the service's addresses, orders in, events out. The work does not
 * depend on the connection: it goes on while nobody listens.
 */
import {
  encodeMessage,
  parseServiceMessage,
  PING_INTERVAL_MS,
  PROTOCOL_VERSIONS,
  SILENCE_LIMIT_MS,
  type AgentJournal,
  type AgentMessage,
  type Inventory,
  type ServiceMessage,
} from '@bessemer/agent-protocol';
import { sleep, type Log, type MessageChannel } from '@bessemer/ports';
import type { AgentConfig } from './cmdline.ts';
import { createOutbox } from './outbox.ts';
import type { Connect, StepServices } from './ports.ts';
import { createSegmentRunner, type Refusal } from './segment-runner.ts';
import { reasonOf } from './step-failure.ts';
import { STEP_NAMES } from './steps/index.ts';

export const AGENT_VERSION = '0.1.0';
const WELCOME_DEADLINE_MS = 20_000;
const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 8_000;
/** After a refusal that will not pass by itself. */
const REFUSED_BACKOFF_MS = 60_000;
/** How long the last acknowledgements are waited for before the power goes. */
const POWER_PATIENCE_MS = 5_000;

export interface AgentDeps extends StepServices {
  readonly connect: Connect;
  readonly log: Log;
  readonly cmdline: AgentConfig;
}

export interface Agent {
  /** Begins to connect. Resolves when the agent has stopped: by `stop`, or because the machine goes down. */
  run(): Promise<void>;
  /** Aborts the running step, closes the connection. */
  stop(): Promise<void>;
  journal(): AgentJournal;
}

type SessionEnd = { readonly welcomed: boolean; readonly refusedForGood: boolean; readonly reason: string };

/** An agent; all that it touches comes as parameters. */
export function createAgent(deps: AgentDeps): Agent {
  const { clock, random, log, hardware, cmdline } = deps;
  const outbox = createOutbox(clock);
  const runner = createSegmentRunner({ ...deps, outbox });
  const stopping = new AbortController();
  let key: string | undefined;
  let current: MessageChannel | undefined;

  const journal = (): AgentJournal => ({ ...runner.journal(), lastSeq: outbox.lastSeq, ackedSeq: outbox.ackedSeq });

  async function run(): Promise<void> {
    try {
      const bootId = await hardware.bootId();
      const inventory = await hardware.inventory();
      for (let attempt = 0, address = 0; !stopping.signal.aborted; address++) {
        const url = cmdline.urls[address % cmdline.urls.length]!;
        const end = await connectOnce(url, bootId, inventory);
        if (stopping.signal.aborted) break;
        log.warn('not connected to the service', { url, reason: end.reason });
        attempt = end.welcomed ? 0 : attempt + 1;
        const limitMs = end.refusedForGood
          ? REFUSED_BACKOFF_MS
          : Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
        // Half of it is chance, so that a thousand machines do not come back in step.
        await sleep(clock, limitMs * (0.5 + random.float() / 2), stopping.signal);
      }
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    }
  }

  async function connectOnce(url: string, bootId: string, inventory: Inventory): Promise<SessionEnd> {
    let channel: MessageChannel;
    try {
      channel = await deps.connect(url);
    } catch (error) {
      return { welcomed: false, refusedForGood: false, reason: reasonOf(error) };
    }
    if (stopping.signal.aborted) {
      channel.close('the agent stops');
      return { welcomed: false, refusedForGood: false, reason: 'the agent stops' };
    }
    return new Promise((resolve) => session(channel, bootId, inventory, resolve));
  }

  function session(
    channel: MessageChannel,
    bootId: string,
    inventory: Inventory,
    ended: (end: SessionEnd) => void,
  ): void {
    let welcomed = false;
    let refusedForGood = false;
    let reason: string | undefined;
    let heardMs = clock.monotonicMs();
    const send = (message: AgentMessage): void => channel.send(encodeMessage(message));
    current = channel;

    const watch = (): void => {
      const silentMs = clock.monotonicMs() - heardMs;
      if (!welcomed && silentMs >= WELCOME_DEADLINE_MS) return channel.close('no welcome');
      if (silentMs >= SILENCE_LIMIT_MS) return channel.close('the service is silent');
      if (welcomed && silentMs >= PING_INTERVAL_MS) send({ type: 'ping' });
      watcher = clock.setTimer(PING_INTERVAL_MS / 3, watch, { background: true });
    };
    let watcher = clock.setTimer(PING_INTERVAL_MS / 3, watch, { background: true });

    channel.onClose((why) => {
      watcher.cancel();
      outbox.detach();
      current = undefined;
      ended({ welcomed, refusedForGood, reason: reason ?? why });
    });
    channel.onMessage((text) => {
      heardMs = clock.monotonicMs();
      const parsed = parseServiceMessage(text);
      if (!parsed.ok) {
        log.warn('a message of the service was not understood', { error: parsed.error });
        return send({ type: 'refuse', of: 'message', code: 'BAD_MESSAGE', message: parsed.error });
      }
      const message = parsed.value;
      if (message.type === 'welcome') {
        welcomed = true;
        key = message.key;
        log.info('connected to the service', { node: message.node.uuid });
        outbox.attach(channel, message.lastSeq);
      } else if (message.type === 'refused') {
        reason = `refused: ${message.reason}`;
        // A service that lost the key still knows the boot's token.
        refusedForGood = !message.retry && key === undefined;
        // The work was ended while we were not connected: nothing more is erased or written for it.
        if (refusedForGood) runner.giveUp();
        key = undefined;
        channel.close('refused');
      } else if (message.type === 'ping') send({ type: 'pong' });
      else if (welcomed && message.type !== 'pong') onOrder(message, send);
    });

    const credential = key === undefined ? { token: cmdline.token } : { key };
    send({
      type: 'hello',
      protocol: PROTOCOL_VERSIONS,
      ...credential,
      bootId,
      agentVersion: AGENT_VERSION,
      inventory,
      journal: journal(),
      steps: STEP_NAMES,
    });
  }

  function onOrder(
    message: Exclude<ServiceMessage, { type: 'welcome' | 'refused' | 'ping' | 'pong' }>,
    send: (message: AgentMessage) => void,
  ): void {
    if (message.type === 'ack') return outbox.acknowledge(message.seq);
    if (message.type === 'query') return send({ type: 'state', journal: journal() });
    if (message.type === 'shell')
      return send({ type: 'refuse', of: 'shell', code: 'SHELL_DISABLED', message: 'this ramdisk offers no shell' });
    const refusal = followOrder(message);
    if (refusal) {
      log.warn(`order ${message.type} refused: ${refusal.message}`);
      return send({ type: 'refuse', of: message.type, run: message.run, fence: message.fence, ...refusal });
    }
    if (message.type === 'power') powerSoon(message.action);
    send({ type: 'state', journal: journal() });
  }

  function followOrder(message: Extract<ServiceMessage, { run: string }>): Refusal {
    switch (message.type) {
      case 'segment':
        return runner.segment(message);
      case 'hold':
        return runner.hold(message);
      case 'continue':
        return runner.continue(message);
      case 'retry':
        return runner.retry(message);
      case 'cancel':
        return runner.cancel(message);
      case 'power':
        return runner.mayPower(message);
    }
  }

  /** Does it when everything is acknowledged, or when that takes too long. */
  function powerSoon(action: 'reboot' | 'poweroff'): void {
    let ordered = false;
    const act = (): void => {
      if (ordered || stopping.signal.aborted) return;
      ordered = true;
      deadline.cancel();
      hardware.power(action).then(
        () => stop(),
        (error: unknown) => log.error(`${action} failed: ${reasonOf(error)}`),
      );
    };
    const deadline = clock.setTimer(POWER_PATIENCE_MS, act);
    outbox.whenEmpty(act);
  }

  async function stop(): Promise<void> {
    stopping.abort(new Error('the agent stops'));
    await runner.stop();
    outbox.stop();
    current?.close('the agent stops');
  }

  return { run, stop, journal };
}
