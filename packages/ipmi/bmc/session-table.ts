/** The BMC's side of RMCP+ session establishment (IPMI v2.0 sections 13.17 to 13.24) and its few session slots. */
import type { DatagramPeer, Random } from '@bessemer/ports';
import { readUint32 } from '../codec/bytes.ts';
import {
  decodeOpenSessionRequest,
  decodeRakp1,
  decodeRakp3,
  encodeOpenSessionResponse,
  encodeRakp2,
  encodeRakp4,
  encodeRakpFailure,
} from '../codec/rakp-messages.ts';
import { FRESH_WINDOW } from '../codec/sequence-window.ts';
import type { SequenceWindow } from '../codec/sequence-window.ts';
import { PRIVILEGE_NUMBER } from '../commands/privilege.ts';
import { CIPHER_SUITES, suiteOfAlgorithms } from '../crypto/cipher-suites.ts';
import type { CipherSuite, CipherSuiteId } from '../crypto/cipher-suites.ts';
import {
  keyOf,
  rakp2AuthCode,
  rakp3AuthCode,
  rakp4IntegrityCheck,
  sameBytes,
  sessionIntegrityKey,
  sessionKeys,
} from '../crypto/rakp-keys.ts';
import type { RakpExchange, SessionKeys } from '../crypto/rakp-keys.ts';
import type { BmcUser } from './options.ts';

export interface BmcSession {
  readonly bmcSessionId: number;
  readonly consoleSessionId: number;
  readonly openTag: number;
  readonly suite: CipherSuite;
  peer: DatagramPeer;
  lastHeardMs: number;
  exchange?: RakpExchange;
  user?: BmcUser;
  /** Highest privilege number of this session: the lower of what was asked for and what the user has. */
  maxPrivilege: number;
  /** Set once RAKP 3 has been accepted: the session is active. */
  keys?: SessionKeys;
  rakp4?: Uint8Array;
  /** Current privilege number; a session starts at USER. */
  privilege: number;
  window: SequenceWindow;
  outSequence: number;
}

export interface SessionTableOptions {
  readonly random: Random;
  readonly guid: Uint8Array;
  readonly users: readonly BmcUser[];
  readonly bmcKey: Uint8Array | undefined;
  readonly sessions: number;
  readonly idleTimeoutMs: number;
  readonly cipherSuites: readonly CipherSuiteId[];
  readonly answersRefusedSuites: boolean;
  /** Called when a session ends for whatever reason. */
  readonly onEnd: (session: BmcSession) => void;
  readonly onAuthenticationFailure: (username: string, peer: DatagramPeer) => void;
  readonly onActive: (session: BmcSession) => void;
}

/** Half-open sessions kept at most; the oldest goes, so that nobody can fill the table without a password. */
const MAX_HALF_OPEN = 16;

/** A payload to answer with, or undefined for silence. */
type Answer = Uint8Array | undefined;

export function createSessionTable(options: SessionTableOptions) {
  const byId = new Map<number, BmcSession>();

  function end(session: BmcSession): void {
    if (byId.delete(session.bmcSessionId)) options.onEnd(session);
  }

  function expire(nowMs: number): void {
    for (const session of byId.values()) if (nowMs - session.lastHeardMs >= options.idleTimeoutMs) end(session);
  }

  function active(): BmcSession[] {
    return [...byId.values()].filter((session) => session.keys);
  }

  function freshId(): number {
    for (;;) {
      const id = readUint32(options.random.bytes(4), 0);
      if (id !== 0 && !byId.has(id)) return id;
    }
  }

  function offered(suite: CipherSuite | undefined): suite is CipherSuite {
    return suite !== undefined && options.cipherSuites.includes(suite.id);
  }

  /** Which of the three algorithms is to blame, as status code (section 13.24). */
  function refusal(request: { authentication: number; integrity: number }): number {
    const known = options.cipherSuites.map((id) => CIPHER_SUITES[id]);
    if (!known.some((suite) => suite.authentication === request.authentication)) return 0x04;
    if (!known.some((suite) => suite.integrity === request.integrity)) return 0x05;
    return 0x11;
  }

  return {
    /** Sections 13.17, 13.18. A repeat of the same request gets the same session again. */
    openSession(payload: Uint8Array, peer: DatagramPeer, nowMs: number): Answer {
      const request = decodeOpenSessionRequest(payload);
      if (!request.ok) return undefined;
      const { tag, consoleSessionId } = request.value;
      const suite = suiteOfAlgorithms(request.value);
      if (!offered(suite)) {
        if (!options.answersRefusedSuites) return undefined;
        return encodeRakpFailure({ tag, status: refusal(request.value), consoleSessionId });
      }
      expire(nowMs);
      const repeated = [...byId.values()].find(
        (s) =>
          s.consoleSessionId === consoleSessionId &&
          s.openTag === tag &&
          s.suite === suite &&
          !s.keys &&
          s.peer.address === peer.address &&
          s.peer.port === peer.port,
      );
      if (!repeated && active().length >= options.sessions)
        return encodeRakpFailure({ tag, status: 0x01, consoleSessionId });
      const halfOpen = [...byId.values()].filter((s) => !s.keys);
      if (!repeated && halfOpen.length >= MAX_HALF_OPEN) end(halfOpen[0]!);
      const session: BmcSession = repeated ?? {
        bmcSessionId: freshId(),
        consoleSessionId,
        openTag: tag,
        suite,
        peer,
        lastHeardMs: nowMs,
        maxPrivilege: PRIVILEGE_NUMBER.USER,
        privilege: PRIVILEGE_NUMBER.USER,
        window: FRESH_WINDOW,
        outSequence: 0,
      };
      byId.set(session.bmcSessionId, session);
      return encodeOpenSessionResponse({
        tag,
        status: 0,
        maxPrivilege: request.value.maxPrivilege || PRIVILEGE_NUMBER.ADMINISTRATOR,
        consoleSessionId,
        bmcSessionId: session.bmcSessionId,
        authentication: suite.authentication,
        integrity: suite.integrity,
        confidentiality: suite.confidentiality,
      });
    },

    /** Sections 13.20, 13.21. R_C is drawn once per session, so a repeated RAKP 1 gets the same RAKP 2. */
    rakp1(payload: Uint8Array, peer: DatagramPeer, nowMs: number): Answer {
      const message = decodeRakp1(payload);
      if (!message.ok) return undefined;
      const { tag, bmcSessionId, consoleRandom, role, username } = message.value;
      const session = byId.get(bmcSessionId);
      if (!session) return encodeRakpFailure({ tag, status: 0x02, consoleSessionId: undefined });
      const { consoleSessionId } = session;
      const name = new TextDecoder().decode(username);
      const user = options.users.find((candidate) => candidate.name === name);
      if (!user) {
        options.onAuthenticationFailure(name, peer);
        end(session);
        return encodeRakpFailure({ tag, status: 0x0d, consoleSessionId });
      }
      const asked = role & 0x0f;
      if (asked > PRIVILEGE_NUMBER[user.privilege]) {
        end(session);
        return encodeRakpFailure({ tag, status: 0x0a, consoleSessionId });
      }
      session.lastHeardMs = nowMs;
      if (!session.keys) {
        session.user = user;
        session.maxPrivilege = asked || PRIVILEGE_NUMBER[user.privilege];
        session.exchange = {
          suite: session.suite,
          consoleSessionId,
          bmcSessionId,
          consoleRandom,
          bmcRandom: session.exchange?.bmcRandom ?? options.random.bytes(16),
          bmcGuid: options.guid,
          role,
          username,
          userKey: keyOf(user.password.reveal()),
          bmcKey: options.bmcKey,
        };
      }
      const exchange = session.exchange!;
      return encodeRakp2({
        tag,
        status: 0,
        consoleSessionId,
        bmcRandom: exchange.bmcRandom,
        bmcGuid: options.guid,
        authCode: rakp2AuthCode(exchange),
      });
    },

    /** Sections 13.22, 13.23. A repeat after success gets the same RAKP 4. */
    rakp3(payload: Uint8Array, peer: DatagramPeer, nowMs: number): Answer {
      const message = decodeRakp3(payload);
      if (!message.ok) return undefined;
      const { tag, bmcSessionId, status, authCode } = message.value;
      const session = byId.get(bmcSessionId);
      if (!session?.exchange) return encodeRakpFailure({ tag, status: 0x02, consoleSessionId: undefined });
      const { consoleSessionId, exchange } = session;
      if (status !== 0) {
        end(session);
        return undefined;
      }
      if (!sameBytes(rakp3AuthCode(exchange), authCode)) {
        options.onAuthenticationFailure(session.user?.name ?? '', peer);
        if (!session.keys) end(session);
        return encodeRakpFailure({ tag, status: 0x0f, consoleSessionId });
      }
      if (!session.keys) {
        if (active().length >= options.sessions) {
          end(session);
          return encodeRakpFailure({ tag, status: 0x01, consoleSessionId });
        }
        const sik = sessionIntegrityKey(exchange);
        session.keys = sessionKeys(session.suite, sik);
        session.rakp4 = rakp4IntegrityCheck(exchange, sik);
        session.peer = peer;
        options.onActive(session);
      }
      session.lastHeardMs = nowMs;
      return encodeRakp4({ tag, status: 0, consoleSessionId, integrityCheck: session.rakp4! });
    },

    /** The active session of this id, if its idle time is not over. */
    find(bmcSessionId: number, nowMs: number): BmcSession | undefined {
      expire(nowMs);
      const session = byId.get(bmcSessionId);
      return session?.keys ? session : undefined;
    },

    activeCount(nowMs: number): number {
      expire(nowMs);
      return active().length;
    },

    end,

    endAll(): void {
      for (const session of byId.values()) end(session);
    },
  };
}
