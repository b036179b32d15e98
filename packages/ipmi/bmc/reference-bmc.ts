/** The reference BMC itself: datagrams in, datagrams out. */
import type { DatagramPeer, DatagramSocket } from '@bessemer/ports';
import { decodeLanRequest, encodeLanResponse } from '../codec/lan-message.ts';
import type { LanRequest } from '../codec/lan-message.ts';
import { decodePacket } from '../codec/packet.ts';
import { encodeAsfPong } from '../codec/rmcp.ts';
import { acceptSequence, nextSequence } from '../codec/sequence-window.ts';
import { encodeSession15 } from '../codec/session15.ts';
import { encodeOutsideSession, PAYLOAD_TYPE } from '../codec/session20.ts';
import type { Session20Packet } from '../codec/session20.ts';
import { COMPLETION } from '../commands/completion-codes.ts';
import { PRIVILEGE_NUMBER } from '../commands/privilege.ts';
import { keyOf } from '../crypto/rakp-keys.ts';
import { seal, unseal } from '../crypto/seal.ts';
import { commandKey, createCommandTable } from './command-table.ts';
import type { Reply } from './command-table.ts';
import type { BmcStats, ReferenceBmcOptions } from './options.ts';
import { createSessionTable } from './session-table.ts';
import type { BmcSession } from './session-table.ts';

export interface ReferenceBmc {
  /** Binds the socket. Rejects with the socket's error. */
  start(): Promise<void>;
  /** Forgets all sessions and closes the socket. */
  stop(): Promise<void>;
  /** Where it listens, once started. */
  readonly local: DatagramPeer | undefined;
  readonly stats: BmcStats;
}

const DEFAULT_PORT = 623;

/** Throws RangeError when a user name or password does not fit IPMI (16 and 20 bytes). */
export function createReferenceBmc(options: ReferenceBmcOptions): ReferenceBmc {
  const { clock, random, log, limits = {} } = options;
  for (const user of options.users) {
    if (Buffer.byteLength(user.name) > 16) throw new RangeError(`user name ${user.name}: at most 16 bytes`);
    if (Buffer.byteLength(user.password.reveal()) > 20)
      throw new RangeError(`password of user ${user.name}: at most 20 bytes`);
  }
  const counters = {
    datagrams: 0,
    malformed: 0,
    strangers: 0,
    outOfWindow: 0,
    authenticationFailures: 0,
    sessionsOpened: 0,
    commands: 0,
  };
  const window = limits.sequenceWindow ?? 16;
  const cipherSuites = limits.cipherSuites ?? [3, 17];
  const guid = options.guid ?? random.bytes(16);
  let socket: DatagramSocket | undefined;

  const sessions = createSessionTable({
    random,
    guid,
    users: options.users,
    bmcKey: options.kgKey && keyOf(options.kgKey.reveal()),
    sessions: limits.sessions ?? 4,
    idleTimeoutMs: limits.idleTimeoutMs ?? 60_000,
    cipherSuites,
    answersRefusedSuites: limits.answersRefusedSuites ?? true,
    onEnd: (session) => log.debug('session ended', { user: session.user?.name }),
    onAuthenticationFailure: (username, peer) => {
      counters.authenticationFailures++;
      log.warn('authentication failed', { username, from: peer.address });
    },
    onActive: (session) => {
      counters.sessionsOpened++;
      log.debug('session opened', { user: session.user?.name, suite: session.suite.id });
    },
  });

  const table = createCommandTable({
    clock,
    guid,
    users: options.users,
    hasBmcKey: options.kgKey !== undefined,
    address: options.address,
    cipherSuites,
    chassis: options.chassis,
    powerLagMs: limits.powerLagMs ?? 0,
    losesOneShotOnReset: limits.losesOneShotOnReset ?? false,
    closeSession: (session) => closing.add(session),
    findSession: (id) => sessions.find(id, clock.monotonicMs()),
    activeSessions: () => sessions.activeCount(clock.monotonicMs()),
    reset: () => sessions.endAll(),
  });
  /** Sessions to end once the reply to Close Session is on its way. */
  const closing = new Set<BmcSession>();

  function send(data: Uint8Array, to: DatagramPeer): void {
    socket?.send(data, to);
  }

  async function execute(request: LanRequest, session: BmcSession | undefined): Promise<Reply> {
    counters.commands++;
    const entry = table.get(commandKey(request.netFn, request.cmd));
    log.debug('command', { netFn: request.netFn, cmd: request.cmd, data: Buffer.from(request.data).toString('hex') });
    if (!entry || request.rsLun !== 0) {
      if (!session && !entry) return { code: COMPLETION.insufficientPrivilege };
      return { code: entry ? 0xc2 : COMPLETION.invalidCommand };
    }
    if (entry.privilege !== 'none' && (session?.privilege ?? 0) < PRIVILEGE_NUMBER[entry.privilege])
      return { code: COMPLETION.insufficientPrivilege };
    try {
      return await entry.handle(request.data, session);
    } catch (error) {
      log.warn('the chassis failed', { error: error instanceof Error ? error.message : String(error) });
      return { code: COMPLETION.unspecified };
    }
  }

  /** Carries a request out, truthfully or not, and hands the response message to `answer`. */
  async function serve(
    request: LanRequest,
    session: BmcSession | undefined,
    answer: (response: Uint8Array) => void,
  ): Promise<void> {
    const lie = options.lie?.({ ...request, bmcSessionId: session?.bmcSessionId });
    if (lie?.kind === 'drop') return;
    const { code, data } = lie?.kind === 'completion' ? { code: lie.code } : await execute(request, session);
    const response = encodeLanResponse({
      rqAddr: request.rqAddr,
      netFn: request.netFn | 1,
      rqLun: request.rqLun,
      rsAddr: request.rsAddr,
      rqSeq: request.rqSeq,
      rsLun: request.rsLun,
      cmd: request.cmd,
      completionCode: code,
      data: data ?? new Uint8Array(0),
    });
    if (lie?.kind === 'delay') clock.setTimer(lie.delayMs, () => answer(response));
    else if (lie?.kind !== 'dropReply') answer(response);
    for (const ended of closing) sessions.end(ended);
    closing.clear();
  }

  function onSessionPacket(packet: Session20Packet, datagram: Uint8Array, from: DatagramPeer): void {
    const nowMs = clock.monotonicMs();
    const session = sessions.find(packet.sessionId, nowMs);
    const payload = session?.keys && unseal(session.keys, packet, datagram);
    if (!session?.keys || !payload?.ok) {
      counters.strangers++;
      return;
    }
    const next = acceptSequence(session.window, packet.sequence, window);
    if (!next) {
      counters.outOfWindow++;
      return;
    }
    session.window = next;
    session.lastHeardMs = nowMs;
    session.peer = from;
    const request = packet.payloadType === PAYLOAD_TYPE.ipmi ? decodeLanRequest(payload.value) : undefined;
    if (!request?.ok) {
      counters.malformed++;
      return;
    }
    const { keys } = session;
    void serve(request.value, session, (response) => {
      session.outSequence = nextSequence(session.outSequence);
      const message = {
        payloadType: PAYLOAD_TYPE.ipmi,
        sessionId: session.consoleSessionId,
        sequence: session.outSequence,
        payload: response,
      };
      send(seal(keys, message, random.bytes(16)), session.peer);
    });
  }

  function onV20(packet: Session20Packet, datagram: Uint8Array, from: DatagramPeer): void {
    const nowMs = clock.monotonicMs();
    const { payloadType, payload } = packet;
    const answer = (type: number, bytes: Uint8Array | undefined): void => {
      if (bytes) send(encodeOutsideSession(type, bytes), from);
    };
    if (packet.sessionId !== 0) return onSessionPacket(packet, datagram, from);
    switch (payloadType) {
      case PAYLOAD_TYPE.openSessionRequest:
        return answer(PAYLOAD_TYPE.openSessionResponse, sessions.openSession(payload, from, nowMs));
      case PAYLOAD_TYPE.rakp1:
        return answer(PAYLOAD_TYPE.rakp2, sessions.rakp1(payload, from, nowMs));
      case PAYLOAD_TYPE.rakp3:
        return answer(PAYLOAD_TYPE.rakp4, sessions.rakp3(payload, from, nowMs));
      case PAYLOAD_TYPE.ipmi: {
        const request = decodeLanRequest(payload);
        if (!request.ok) counters.malformed++;
        else void serve(request.value, undefined, (response) => answer(PAYLOAD_TYPE.ipmi, response));
        return;
      }
      default:
        counters.malformed++;
    }
  }

  function onDatagram(datagram: Uint8Array, from: DatagramPeer): void {
    counters.datagrams++;
    const packet = decodePacket(datagram);
    if (!packet.ok) {
      counters.malformed++;
      return;
    }
    switch (packet.value.kind) {
      case 'asf':
        if (packet.value.type === 'ping') send(encodeAsfPong(packet.value.tag), from);
        return;
      case 'v15': {
        const request = decodeLanRequest(packet.value.packet.payload);
        if (!request.ok || packet.value.packet.sessionId !== 0) counters.malformed++;
        else
          void serve(request.value, undefined, (payload) =>
            send(encodeSession15({ sequence: 0, sessionId: 0, payload }), from),
          );
        return;
      }
      case 'v20':
        onV20(packet.value.packet, datagram, from);
    }
  }

  return {
    async start() {
      socket = await options.datagrams.bind({ address: options.address, port: options.port ?? DEFAULT_PORT });
      socket.onMessage(onDatagram);
      socket.onError((error) => log.warn('socket error', { error: error.message }));
    },
    async stop() {
      sessions.endAll();
      const closingSocket = socket;
      socket = undefined;
      await closingSocket?.close();
    },
    get local() {
      return socket?.local;
    },
    get stats() {
      return { ...counters, activeSessions: sessions.activeCount(clock.monotonicMs()) };
    },
  };
}
