/**
 * The service's side of one connection, as a pure step function: what happened goes in, what is to be done comes out. No IO,
 * no time of its own, so that the conductor and the simulator run the same code.
 *
 *   awaitingHello -> authenticating -> open -> closed
 *
 * `authenticating` ends with the input `accept` or `refuse`, after the owner of the session has looked the credential up. In
 * `open`, kept messages come out as `keep` exactly once and in order; when their owner says `stored`, the `ack` goes out.
 */
import { MAX_MESSAGE_BYTES } from './check.ts';
import {
  isKept,
  PROTOCOL_VERSIONS,
  type AgentJournal,
  type HelloMessage,
  type KeptMessage,
  type LogEvent,
  type ProgressEvent,
  type RefuseMessage,
  type ServiceMessage,
  type VersionRange,
} from './messages.ts';
import { encodeMessage, negotiateProtocol, parseAgentMessage } from './parse.ts';

/** A connection that says no hello for this long is closed. */
export const HELLO_DEADLINE_MS = 10_000;
/** After this much silence the other side is asked with a ping. */
export const PING_INTERVAL_MS = 15_000;
/** After this much silence the connection counts as dead. */
export const SILENCE_LIMIT_MS = 45_000;

export type SessionState = 'awaitingHello' | 'authenticating' | 'open' | 'closed';

/** An order, as the owner of a run gives it. */
export type SessionOrder = Extract<
  ServiceMessage,
  { type: 'segment' | 'hold' | 'continue' | 'retry' | 'cancel' | 'power' | 'query' | 'shell' }
>;

export type SessionInput =
  /** A text arrived. */
  | { readonly kind: 'text'; readonly text: string }
  /** The credential is good. `lastSeq`: the highest seq stored for this bootId, 0 when none. */
  | {
      readonly kind: 'accept';
      readonly key: string;
      readonly node: { readonly uuid: string; readonly name?: string };
      readonly lastSeq: number;
    }
  /** The credential is not good, or nobody waits for this machine. */
  | { readonly kind: 'refuse'; readonly reason: string; readonly retry: boolean }
  /** All kept messages up to `seq` are stored for good. */
  | { readonly kind: 'stored'; readonly seq: number }
  | { readonly kind: 'order'; readonly message: SessionOrder }
  /** Time went by: to be given at least every PING_INTERVAL_MS / 3. */
  | { readonly kind: 'tick' }
  /** The connection is gone, or a newer one of the same bootId replaces it. */
  | { readonly kind: 'closed' };

export type SessionEffect =
  | { readonly kind: 'send'; readonly text: string }
  /** Look up the credential, then give `accept` or `refuse`. */
  | { readonly kind: 'authenticate'; readonly hello: HelloMessage; readonly protocol: number }
  /** The session is open; the journal says what the agent holds. */
  | { readonly kind: 'opened'; readonly hello: HelloMessage }
  /** Store this, then give `stored`. */
  | { readonly kind: 'keep'; readonly message: KeptMessage }
  /** Show this: it may be lost. */
  | { readonly kind: 'show'; readonly message: ProgressEvent | LogEvent }
  | { readonly kind: 'state'; readonly journal: AgentJournal }
  | { readonly kind: 'orderRefused'; readonly message: RefuseMessage }
  /** Close the connection; the session is closed already. */
  | { readonly kind: 'close'; readonly reason: string };

export interface AgentSession {
  readonly state: SessionState;
  /** Does what follows from one input. `nowMs` is monotonic time. */
  step(input: SessionInput, nowMs: number): SessionEffect[];
}

/** A session for a connection that was opened at `nowMs` (monotonic). */
export function createAgentSession(options: { nowMs: number; versions?: VersionRange }): AgentSession {
  const versions = options.versions ?? PROTOCOL_VERSIONS;
  let state: SessionState = 'awaitingHello';
  let hello: HelloMessage | undefined;
  let protocol = 0;
  let seenSeq = 0;
  let storedSeq = 0;
  let lastHeardMs = options.nowMs;
  let pingedMs = options.nowMs;

  const send = (message: ServiceMessage): SessionEffect => ({ kind: 'send', text: encodeMessage(message) });
  const close = (reason: string): SessionEffect[] => {
    state = 'closed';
    return [{ kind: 'close', reason }];
  };
  const refuse = (reason: string, retry: boolean): SessionEffect[] => [
    send({ type: 'refused', reason, retry }),
    ...close(reason),
  ];

  function onText(source: string): SessionEffect[] {
    const parsed = parseAgentMessage(source);
    if (!parsed.ok)
      return state === 'open' ? close(`bad message: ${parsed.error}`) : refuse(`bad message: ${parsed.error}`, false);
    const message = parsed.value;
    if (message.type === 'ping') return [send({ type: 'pong' })];
    if (message.type === 'pong') return [];
    if (state === 'awaitingHello') {
      if (message.type !== 'hello') return refuse(`expected hello, got ${message.type}`, false);
      const version = negotiateProtocol(message.protocol, versions);
      if (!version.ok) return refuse(version.error, false);
      hello = message;
      protocol = version.value;
      state = 'authenticating';
      return [{ kind: 'authenticate', hello, protocol }];
    }
    if (state === 'authenticating') return close(`got ${message.type} before the welcome`);
    if (message.type === 'hello') return close('a second hello on one connection');
    if (message.type === 'state') return [{ kind: 'state', journal: message.journal }];
    if (message.type === 'refuse') return [{ kind: 'orderRefused', message }];
    if (!isKept(message)) return [{ kind: 'show', message }];
    if (message.seq <= storedSeq) return [send({ type: 'ack', seq: storedSeq })];
    if (message.seq <= seenSeq) return [];
    if (message.seq > seenSeq + 1) return close(`message ${message.seq} came after ${seenSeq}`);
    seenSeq = message.seq;
    return [{ kind: 'keep', message }];
  }

  function onTick(nowMs: number): SessionEffect[] {
    const silentMs = nowMs - lastHeardMs;
    if (state === 'awaitingHello' && silentMs >= HELLO_DEADLINE_MS) return close('no hello');
    if (silentMs >= SILENCE_LIMIT_MS) return close(`nothing heard for ${Math.round(silentMs / 1000)} s`);
    if (state !== 'open' || silentMs < PING_INTERVAL_MS || nowMs - pingedMs < PING_INTERVAL_MS) return [];
    pingedMs = nowMs;
    return [send({ type: 'ping' })];
  }

  function step(input: SessionInput, nowMs: number): SessionEffect[] {
    if (state === 'closed') return [];
    switch (input.kind) {
      case 'text':
        lastHeardMs = nowMs;
        return onText(input.text);
      case 'accept':
        if (state !== 'authenticating' || !hello) return [];
        state = 'open';
        // A service that lost its last rows believes the agent: what it was told to forget cannot come again.
        storedSeq = seenSeq = Math.max(input.lastSeq, hello.journal.ackedSeq);
        return [
          send({ type: 'welcome', protocol, key: input.key, node: input.node, lastSeq: storedSeq }),
          { kind: 'opened', hello },
        ];
      case 'refuse':
        return state === 'authenticating' ? refuse(input.reason, input.retry) : [];
      case 'stored':
        if (state !== 'open' || input.seq <= storedSeq || input.seq > seenSeq) return [];
        storedSeq = input.seq;
        return [send({ type: 'ack', seq: storedSeq })];
      case 'order': {
        if (state !== 'open') return [];
        const effect = send(input.message);
        if (effect.kind === 'send' && Buffer.byteLength(effect.text) > MAX_MESSAGE_BYTES)
          return [
            {
              kind: 'orderRefused',
              message: {
                type: 'refuse',
                of: input.message.type,
                code: 'BAD_ORDER',
                message: `the order is larger than ${MAX_MESSAGE_BYTES} bytes`,
              },
            },
          ];
        return [effect];
      }
      case 'tick':
        return onTick(nowMs);
      case 'closed':
        state = 'closed';
        return [];
    }
  }

  return {
    get state() {
      return state;
    },
    step,
  };
}
