/** The owner of the UDP socket: datagrams, timers and promises around the pure `step` of each endpoint. */
import { createHash } from 'node:crypto';
import { Secret } from '@bessemer/ports';
import type { Clock, DatagramPeer, Datagrams, DatagramSocket, Log, Random, Timer } from '@bessemer/ports';
import { readUint32 } from '../codec/bytes.ts';
import { decodePacket } from '../codec/packet.ts';
import type { Packet } from '../codec/packet.ts';
import type { Command } from '../commands/command.ts';
import { COMPLETION, describeCompletionCode } from '../commands/completion-codes.ts';
import { PRIVILEGE_NUMBER } from '../commands/privilege.ts';
import type { PrivilegeLevel } from '../commands/privilege.ts';
import { CIPHER_SUITES } from '../crypto/cipher-suites.ts';
import type { CipherSuiteId } from '../crypto/cipher-suites.ts';
import { keyOf } from '../crypto/rakp-keys.ts';
import { IpmiError } from '../errors.ts';
import { initialEndpointState } from './endpoint-state.ts';
import type { EndpointConfig, EndpointEffect, EndpointEvent, EndpointState } from './endpoint-state.ts';
import { step } from './endpoint-step.ts';

export interface IpmiClientOptions {
  /** Datagrams per command and per stage of session set-up. Default 4. */
  readonly tries?: number;
  /** Silence after which a held session is kept alive; 0 lets it die. Default 20,000: BMCs drop sessions after 30 to 60 s. */
  readonly keepAliveMs?: number;
  /** Silence after which a session is opened again before it is used. Default 25,000. */
  readonly sessionSilenceMs?: number;
  /** How long a BMC that refused the credentials is not asked again. Default 30,000. */
  readonly authenticationHoldMs?: number;
  /** Circuit breaker: time-outs in a row, and first and longest pause. Default 2, 15,000 and 120,000. */
  readonly breaker?: { readonly threshold?: number; readonly openMs?: number; readonly maxOpenMs?: number };
  /** Default 4 MiB: ten thousand BMCs may answer at once. */
  readonly receiveBufferBytes?: number;
}

export interface EndpointOptions {
  /** An IP address; names are the caller's to resolve. */
  readonly address: string;
  /** Default 623. */
  readonly port?: number;
  /** At most 16 bytes. */
  readonly username: string;
  /** At most 20 bytes. */
  readonly password: Secret;
  /** In order of preference; each is tried only after the BMC refused the one before. Default [17, 3]. */
  readonly cipherSuites?: readonly CipherSuiteId[];
  /** Default ADMINISTRATOR. */
  readonly privilege?: PrivilegeLevel;
  /** The BMC key K_G for two-key log-in, at most 20 bytes. */
  readonly kgKey?: Secret;
}

export interface SendOptions {
  /** Cancels the request: it is taken back, or its answer is no longer awaited. */
  readonly signal?: AbortSignal;
  /** Overrides what the command says of itself: true allows retransmission, false forbids it. */
  readonly idempotent?: boolean;
  /**
   * Monotonic time of the client's clock after which nothing of the request leaves any more: not from the queue, not after the
   * session set-up, not as a repeat. It is asked right at each transmission, so that a process that stood still sends nothing late.
   */
  readonly notAfterMs?: number;
}

/** One BMC as seen by its callers: requests go out one at a time, in order, over one held session. */
export interface IpmiEndpoint {
  /** "address:port". */
  readonly bmc: string;
  /**
   * Resolves with the decoded response. Rejects with IpmiError: COMPLETION_CODE, TIMEOUT (nothing more was heard),
   * OUTCOME_UNKNOWN (a command that must not be repeated went out and was not answered), CIRCUIT_OPEN,
   * AUTHENTICATION_FAILED, CIPHER_SUITE_REFUSED, PRIVILEGE_REFUSED, SESSION_LIMIT, MALFORMED, ABORTED or EXPIRED (`notAfterMs`
   * is over; `details.mayHaveBeenReceived` says whether an earlier try went out).
   */
  send<Req, Res>(command: Command<Req, Res>, request: Req, options?: SendOptions): Promise<Res>;
  /** Finishes the request in flight, rejects those behind it, closes the session. Resolves when that is done or given up. */
  close(): Promise<void>;
  /** Whether a session stands at this moment. */
  readonly hasSession: boolean;
}

export interface IpmiClientStats {
  readonly sent: number;
  readonly received: number;
  /** Datagrams that were no IPMI or belonged to nobody. */
  readonly ignored: number;
  readonly endpoints: number;
}

export interface IpmiClient {
  /** The endpoint for these options: asked twice, the same one. Throws RangeError on a name or key that does not fit. */
  endpoint(options: EndpointOptions): IpmiEndpoint;
  /** Closes all sessions, then the socket. */
  close(): Promise<void>;
  readonly stats: IpmiClientStats;
}

export interface IpmiClientDeps {
  readonly datagrams: Datagrams;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly options?: IpmiClientOptions;
}

interface Waiter {
  readonly resolve: (completionCode: number, data: Uint8Array) => void;
  readonly reject: (error: Error) => void;
  readonly name: string;
}

/** An endpoint as the client drives it. */
interface Driven {
  readonly endpoint: IpmiEndpoint;
  onPacket(packet: Packet, datagram: Uint8Array): void;
}

const DEFAULT_PORT = 623;
const DEFAULT_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** Creates a client. The socket is bound at the first request, so creating one costs nothing. */
export function createIpmiClient(deps: IpmiClientDeps): IpmiClient {
  const { datagrams, clock, random, log, options = {} } = deps;
  const endpoints = new Map<string, Driven>();
  const bySessionId = new Map<number, Driven>();
  const byPeer = new Map<string, Set<Driven>>();
  const sockets = new Map<'ipv4' | 'ipv6', Promise<DatagramSocket>>();
  const counters = { sent: 0, received: 0, ignored: 0 };
  let nextRequestId = 1;
  let spareSessionId = 0;

  /** One socket for all BMCs of an address family. */
  function socketFor(address: string): Promise<DatagramSocket> {
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    let socket = sockets.get(family);
    if (!socket) {
      const receiveBufferBytes = options.receiveBufferBytes ?? DEFAULT_RECEIVE_BUFFER_BYTES;
      const wildcard = family === 'ipv6' ? { address: '::' } : {};
      socket = datagrams.bind({ ...wildcard, port: 0, receiveBufferBytes }).then((bound) => {
        bound.onMessage(onDatagram);
        bound.onError((error) => log.warn('UDP socket error', { error: error.message }));
        return bound;
      });
      sockets.set(family, socket);
      // A failed bind is not kept: the next request tries again.
      socket.catch(() => sockets.delete(family));
    }
    return socket;
  }

  function onDatagram(datagram: Uint8Array, from: DatagramPeer): void {
    counters.received++;
    const packet = decodePacket(datagram);
    if (!packet.ok) {
      counters.ignored++;
      return;
    }
    const sessionId = packet.value.kind === 'v20' ? packet.value.packet.sessionId : 0;
    if (sessionId !== 0) {
      const driven = bySessionId.get(sessionId);
      if (driven) driven.onPacket(packet.value, datagram);
      else counters.ignored++;
      return;
    }
    // Outside a session the tag and the console session id inside the payload say whose it is; each endpoint knows its own.
    const candidates = byPeer.get(peerKey(from.address, from.port));
    if (!candidates) counters.ignored++;
    for (const driven of candidates ?? []) driven.onPacket(packet.value, datagram);
  }

  function freshSessionId(): number {
    while (spareSessionId === 0 || bySessionId.has(spareSessionId)) spareSessionId = readUint32(random.bytes(4), 0);
    return spareSessionId;
  }

  function drive(key: string, config: EndpointConfig, peer: DatagramPeer): Driven {
    const waiters = new Map<number, Waiter>();
    let state: EndpointState = initialEndpointState(config);
    let sessionId: number | undefined;
    let timer: { readonly atMs: number; readonly timer: Timer } | undefined;
    let socket: DatagramSocket | undefined;
    let closing: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

    function handle(event: EndpointEvent): void {
      const nowMs = clock.monotonicMs();
      const result = step(state, event, { nowMs, entropy: random.bytes(16), freshSessionId: freshSessionId() });
      state = result.state;
      trackSession();
      setTimer(nowMs);
      for (const effect of result.effects) perform(effect);
    }

    function trackSession(): void {
      const { phase } = state;
      const current =
        phase.kind === 'opening'
          ? phase.handshake.consoleSessionId
          : phase.kind === 'open'
            ? phase.session.consoleSessionId
            : undefined;
      if (current === sessionId) return;
      if (sessionId !== undefined) bySessionId.delete(sessionId);
      if (current !== undefined) bySessionId.set(current, driven);
      sessionId = current;
    }

    /** A timer that fires too early asks again; so most answers need no timer call at all. */
    function setTimer(nowMs: number): void {
      const atMs = state.wakeAtMs;
      if (atMs === undefined) {
        timer?.timer.cancel();
        timer = undefined;
        return;
      }
      if (timer && timer.atMs <= atMs) return;
      timer?.timer.cancel();
      const fire = (): void => {
        timer = undefined;
        handle({ kind: 'tick' });
      };
      // Whole milliseconds, upwards: a timer that fires a fraction too early would only be set again.
      const delayMs = Math.max(0, Math.ceil(atMs - nowMs));
      timer = { atMs, timer: clock.setTimer(delayMs, fire, { background: waiters.size === 0 }) };
    }

    function perform(effect: EndpointEffect): void {
      switch (effect.kind) {
        case 'send':
          counters.sent++;
          socket?.send(effect.datagram, peer);
          return;
        case 'resolve':
          take(effect.id)?.resolve(effect.completionCode, effect.data);
          return;
        case 'reject': {
          const waiter = take(effect.id);
          const { code, message, details } = effect.failure;
          waiter?.reject(new IpmiError(code, message, { bmc: config.bmc, command: waiter.name, ...details }));
          return;
        }
        case 'closed':
          forgetPeer();
          closing?.resolve();
      }
    }

    function take(id: number): Waiter | undefined {
      const waiter = waiters.get(id);
      waiters.delete(id);
      return waiter;
    }

    function forgetPeer(): void {
      const known = byPeer.get(config.bmc);
      known?.delete(driven);
      if (known?.size === 0) byPeer.delete(config.bmc);
    }

    async function send<Req, Res>(command: Command<Req, Res>, request: Req, how: SendOptions = {}): Promise<Res> {
      const data = command.encode(request);
      const { signal } = how;
      const id = nextRequestId++;
      const aborted = (): IpmiError =>
        new IpmiError('ABORTED', `${command.name} to BMC ${config.bmc} was cancelled before it was sent`, {
          bmc: config.bmc,
          command: command.name,
          mayHaveBeenReceived: false,
        });
      if (signal?.aborted) throw aborted();
      socket = await socketFor(peer.address);
      if (signal?.aborted) throw aborted();
      const onAbort = (): void => handle({ kind: 'cancel', id });
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        const answer = await new Promise<{ completionCode: number; data: Uint8Array }>((resolve, reject) => {
          waiters.set(id, {
            name: command.name,
            reject,
            resolve: (completionCode, bytes) => resolve({ completionCode, data: bytes }),
          });
          const { name, netFn, cmd } = command;
          const isIdempotent = how.idempotent ?? command.isIdempotent(request);
          handle({
            kind: 'request',
            request: { id, name, netFn, cmd, data, isIdempotent, notAfterMs: how.notAfterMs },
          });
        });
        return readAnswer(command, config.bmc, answer.completionCode, answer.data);
      } finally {
        signal?.removeEventListener('abort', onAbort);
      }
    }

    function close(): Promise<void> {
      if (!closing) {
        const { promise, resolve } = Promise.withResolvers<void>();
        closing = { promise, resolve };
        // From here on the same options get an endpoint of their own.
        endpoints.delete(key);
        handle({ kind: 'close' });
      }
      return closing.promise;
    }

    const driven: Driven = {
      endpoint: {
        bmc: config.bmc,
        send,
        close,
        get hasSession() {
          return state.phase.kind === 'open' && state.phase.session.isRaised;
        },
      },
      onPacket: (packet, datagram) => handle({ kind: 'datagram', packet, datagram }),
    };
    const peers = byPeer.get(config.bmc) ?? new Set();
    byPeer.set(config.bmc, peers.add(driven));
    return driven;
  }

  return {
    endpoint(wanted) {
      const config = endpointConfig(wanted, options);
      const key = endpointKey(config);
      let driven = endpoints.get(key);
      if (!driven) {
        driven = drive(key, config, { address: wanted.address, port: wanted.port ?? DEFAULT_PORT });
        endpoints.set(key, driven);
      }
      return driven.endpoint;
    },
    async close() {
      const all = [...byPeer.values()].flatMap((set) => [...set]);
      await Promise.all(all.map((driven) => driven.endpoint.close()));
      const bound = [...sockets.values()];
      sockets.clear();
      await Promise.all(bound.map(async (socket) => (await socket).close()));
    },
    get stats() {
      return { ...counters, endpoints: endpoints.size };
    },
  };
}

function readAnswer<Req, Res>(command: Command<Req, Res>, bmc: string, completionCode: number, data: Uint8Array): Res {
  const details = { bmc, command: command.name, completionCode };
  if (completionCode !== COMPLETION.ok) {
    const meaning = describeCompletionCode(completionCode, command.completionCodes);
    const said = `BMC ${bmc} answered ${command.name} with completion code 0x${completionCode.toString(16).padStart(2, '0')} (${meaning})`;
    if (completionCode === COMPLETION.insufficientPrivilege)
      throw new IpmiError('PRIVILEGE_REFUSED', `${said}: use a user or a session of a higher level`, details);
    throw new IpmiError('COMPLETION_CODE', said, details);
  }
  const decoded = command.decode(data);
  if (!decoded.ok)
    throw new IpmiError(
      'MALFORMED',
      `BMC ${bmc} answered ${command.name} with bytes that cannot be read (${decoded.error}): its firmware may need an update`,
      details,
    );
  return decoded.value;
}

function peerKey(address: string, port: number): string {
  return `${address}:${port}`;
}

function endpointConfig(wanted: EndpointOptions, options: IpmiClientOptions): EndpointConfig {
  const username = new TextEncoder().encode(wanted.username);
  if (username.length > 16) throw new RangeError(`IPMI user name of ${username.length} bytes: at most 16 are possible`);
  for (const [what, secret] of [
    ['password', wanted.password],
    ['K_G key', wanted.kgKey],
  ] as const) {
    const length = secret ? Buffer.byteLength(secret.reveal()) : 0;
    if (length > 20) throw new RangeError(`IPMI ${what} of ${length} bytes: at most 20 are possible`);
  }
  const cipherSuites = wanted.cipherSuites ?? [17, 3];
  if (cipherSuites.length === 0) throw new RangeError('no cipher suite allowed: list 17, 3 or both');
  for (const id of cipherSuites)
    if (!(id in CIPHER_SUITES)) throw new RangeError(`cipher suite ${id} is not supported: 17 and 3 are`);
  return {
    bmc: peerKey(wanted.address, wanted.port ?? DEFAULT_PORT),
    username,
    userKey: keyOf(wanted.password.reveal()),
    bmcKey: wanted.kgKey && keyOf(wanted.kgKey.reveal()),
    privilege: PRIVILEGE_NUMBER[wanted.privilege ?? 'ADMINISTRATOR'],
    cipherSuites,
    tries: options.tries ?? 4,
    keepAliveMs: options.keepAliveMs ?? 20_000,
    sessionSilenceMs: options.sessionSilenceMs ?? 25_000,
    authenticationHoldMs: options.authenticationHoldMs ?? 30_000,
    breaker: {
      threshold: options.breaker?.threshold ?? 2,
      openMs: options.breaker?.openMs ?? 15_000,
      maxOpenMs: options.breaker?.maxOpenMs ?? 120_000,
    },
  };
}

/** What makes an endpoint the same. The keys go in as a digest: a changed password is another endpoint. */
function endpointKey(config: EndpointConfig): string {
  const secrets = createHash('sha256')
    .update(config.userKey)
    .update(config.bmcKey ?? new Uint8Array(0))
    .digest('hex');
  const name = Buffer.from(config.username).toString('hex');
  return [config.bmc, name, config.privilege, config.cipherSuites.join('+'), secrets].join(' ');
}
