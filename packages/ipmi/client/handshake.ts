/**
 * Opening a session (IPMI v2.0 section 13.14): Get Channel Authentication Capabilities, Open Session, RAKP 1 to 4, as values.
 * A lost datagram is repeated byte by byte; an answer counts only if it carries the message tag of the present stage, so a
 * late error for an old repeat harms nothing.
 */
import { BMC_ADDRESS, decodeLanResponse, encodeLanRequest, REMOTE_CONSOLE_ADDRESS } from '../codec/lan-message.ts';
import type { Packet } from '../codec/packet.ts';
import {
  decodeOpenSessionResponse,
  decodeRakp2,
  decodeRakp4,
  encodeOpenSessionRequest,
  encodeRakp1,
  encodeRakp3,
  RAKP_STATUS,
} from '../codec/rakp-messages.ts';
import { encodeSession15 } from '../codec/session15.ts';
import { encodeOutsideSession, PAYLOAD_TYPE } from '../codec/session20.ts';
import type { Session20Packet } from '../codec/session20.ts';
import { getChannelAuthenticationCapabilities } from '../commands/get-channel-authentication-capabilities.ts';
import { CIPHER_SUITES } from '../crypto/cipher-suites.ts';
import type { CipherSuite, CipherSuiteId } from '../crypto/cipher-suites.ts';
import {
  rakp2AuthCode,
  rakp3AuthCode,
  rakp4IntegrityCheck,
  sameBytes,
  sessionIntegrityKey,
  sessionKeys,
} from '../crypto/rakp-keys.ts';
import type { RakpExchange, SessionKeys } from '../crypto/rakp-keys.ts';
import type { Failure, StepInput } from './endpoint-state.ts';
import { retransmitAfterMs } from './rtt.ts';
import type { RoundTrip } from './rtt.ts';

export interface HandshakeConfig {
  /** "address:port", for messages. */
  readonly bmc: string;
  readonly username: Uint8Array;
  readonly userKey: Uint8Array;
  readonly bmcKey: Uint8Array | undefined;
  readonly privilege: number;
  /** In order of preference; the next is tried only after the BMC refused the one before. */
  readonly cipherSuites: readonly CipherSuiteId[];
  /** Datagrams per stage, and per command. */
  readonly tries: number;
}

export interface Handshake {
  readonly stage: 'capabilities' | 'openSession' | 'rakp1' | 'rakp3';
  readonly suiteIndex: number;
  readonly restarts: number;
  readonly tag: number;
  readonly consoleSessionId: number;
  readonly bmcSessionId: number;
  readonly consoleRandom: Uint8Array | undefined;
  readonly exchange: RakpExchange | undefined;
  /** What the present stage sends, and sends again. */
  readonly datagram: Uint8Array;
  readonly attempts: number;
  readonly sentAtMs: number;
  readonly deadlineMs: number;
}

export interface Established {
  readonly consoleSessionId: number;
  readonly bmcSessionId: number;
  readonly keys: SessionKeys;
}

export type HandshakeOutcome =
  | { readonly kind: 'ignored' }
  /** `handshake.datagram` is to be sent. `sampleMs` is the round trip of the stage that ended, when it is known. */
  | { readonly kind: 'send'; readonly handshake: Handshake; readonly sampleMs?: number | undefined }
  | { readonly kind: 'established'; readonly established: Established }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** The very first datagram may wait for ARP or a sleepy BMC: it is repeated early (a cold path loses it often). */
const FIRST_DATAGRAM_TIMEOUT_MS = 250;
const MAX_RESTARTS = 2;
/** "Look the user up by name alone" (section 13.20, bit 4 of the role). */
const NAME_ONLY_LOOKUP = 0x10;
const IGNORED = { kind: 'ignored' } as const;

const failed = (failure: Failure): HandshakeOutcome => ({ kind: 'failed', failure });

/** Starts with the capabilities, or at once with Open Session when they are known. */
export function startHandshake(config: HandshakeConfig, input: StepInput, knowsCapabilities: boolean): Handshake {
  const first = { suiteIndex: 0, restarts: 0, tag: input.freshSessionId & 0x3f, deadlineMs: 0 };
  const deadlineMs = input.nowMs + FIRST_DATAGRAM_TIMEOUT_MS;
  if (knowsCapabilities) return { ...openSession(config, input, first), deadlineMs };
  const payload = encodeLanRequest({
    rsAddr: BMC_ADDRESS,
    netFn: getChannelAuthenticationCapabilities.netFn,
    rsLun: 0,
    rqAddr: REMOTE_CONSOLE_ADDRESS,
    rqSeq: first.tag,
    rqLun: 0,
    cmd: getChannelAuthenticationCapabilities.cmd,
    data: getChannelAuthenticationCapabilities.encode({ privilege: config.privilege }),
  });
  return {
    ...first,
    stage: 'capabilities',
    consoleSessionId: input.freshSessionId,
    bmcSessionId: 0,
    consoleRandom: undefined,
    exchange: undefined,
    datagram: encodeSession15({ sequence: 0, sessionId: 0, payload }),
    attempts: 1,
    sentAtMs: input.nowMs,
    deadlineMs,
  };
}

type Restart = Pick<Handshake, 'suiteIndex' | 'restarts' | 'tag' | 'deadlineMs'>;

/** Section 13.17. Each try has a console session id of its own, so that answers to an earlier one fall flat. */
function openSession(config: HandshakeConfig, input: StepInput, from: Restart): Handshake {
  const suite = CIPHER_SUITES[config.cipherSuites[from.suiteIndex]!];
  const tag = (from.tag + 1) & 0xff;
  const request = encodeOpenSessionRequest({
    tag,
    maxPrivilege: 0,
    consoleSessionId: input.freshSessionId,
    authentication: suite.authentication,
    integrity: suite.integrity,
    confidentiality: suite.confidentiality,
  });
  return {
    stage: 'openSession',
    suiteIndex: from.suiteIndex,
    restarts: from.restarts,
    tag,
    consoleSessionId: input.freshSessionId,
    bmcSessionId: 0,
    consoleRandom: undefined,
    exchange: undefined,
    datagram: encodeOutsideSession(PAYLOAD_TYPE.openSessionRequest, request),
    attempts: 1,
    sentAtMs: input.nowMs,
    deadlineMs: from.deadlineMs,
  };
}

/** The deadline of the present stage has passed. */
export function onHandshakeTimeout(
  config: HandshakeConfig,
  handshake: Handshake,
  input: StepInput,
  roundTrip: RoundTrip,
): HandshakeOutcome {
  if (handshake.attempts >= config.tries) {
    const what = { capabilities: 'the first request', openSession: 'Open Session', rakp1: 'RAKP 1', rakp3: 'RAKP 3' };
    return failed({
      code: 'TIMEOUT',
      message:
        `BMC ${config.bmc} did not answer ${what[handshake.stage]} (${handshake.attempts} tries): ` +
        'check that the address is right, that UDP port 623 is reachable and that IPMI over LAN is enabled',
      details: { attempts: handshake.attempts },
    });
  }
  return {
    kind: 'send',
    handshake: {
      ...handshake,
      attempts: handshake.attempts + 1,
      sentAtMs: input.nowMs,
      deadlineMs: input.nowMs + retransmitAfterMs(roundTrip),
    },
  };
}

/** A packet from the BMC while the session is being opened. */
export function onHandshakePacket(
  config: HandshakeConfig,
  handshake: Handshake,
  packet: Packet,
  input: StepInput,
  roundTrip: RoundTrip,
): HandshakeOutcome {
  const deadlineMs = input.nowMs + retransmitAfterMs(roundTrip);
  // A stage that was sent once has an unambiguous round trip (Karn).
  const sampleMs = handshake.attempts === 1 ? input.nowMs - handshake.sentAtMs : undefined;
  if (packet.kind === 'v15') {
    if (handshake.stage !== 'capabilities' || packet.packet.sessionId !== 0) return IGNORED;
    return onCapabilities(config, handshake, packet.packet.payload, input, deadlineMs, sampleMs);
  }
  if (packet.kind !== 'v20' || packet.packet.sessionId !== 0) return IGNORED;
  const context = { config, handshake, input, deadlineMs, sampleMs };
  switch (handshake.stage) {
    case 'capabilities':
      return IGNORED;
    case 'openSession':
      return onOpenSessionResponse(context, packet.packet);
    case 'rakp1':
      return onRakp2(context, packet.packet);
    case 'rakp3':
      return onRakp4(context, packet.packet);
  }
}

interface Context {
  readonly config: HandshakeConfig;
  readonly handshake: Handshake;
  readonly input: StepInput;
  readonly deadlineMs: number;
  readonly sampleMs: number | undefined;
}

function suiteOf({ config, handshake }: Context): CipherSuite {
  return CIPHER_SUITES[config.cipherSuites[handshake.suiteIndex]!];
}

function onCapabilities(
  config: HandshakeConfig,
  handshake: Handshake,
  payload: Uint8Array,
  input: StepInput,
  deadlineMs: number,
  sampleMs: number | undefined,
): HandshakeOutcome {
  const { netFn, cmd, decode } = getChannelAuthenticationCapabilities;
  const response = decodeLanResponse(payload);
  if (!response.ok || response.value.netFn !== (netFn | 1) || response.value.cmd !== cmd) return IGNORED;
  if (response.value.rqSeq !== handshake.tag) return IGNORED;
  // A BMC that refuses the question may still speak v2.0: Open Session will tell.
  if (response.value.completionCode === 0) {
    const capabilities = decode(response.value.data);
    if (capabilities.ok && !capabilities.value.supportsV20)
      return failed({
        code: 'CIPHER_SUITE_REFUSED',
        message: `BMC ${config.bmc} speaks IPMI v1.5 only: RMCP+ (IPMI v2.0) must be enabled on it`,
      });
  }
  return { kind: 'send', handshake: openSession(config, input, { ...handshake, deadlineMs }), sampleMs };
}

/** Whether a payload of an answer is for this stage; a short failure has no session id to compare. */
function isOurs(handshake: Handshake, message: { tag: number; consoleSessionId: number | undefined }): boolean {
  return (
    message.tag === handshake.tag &&
    (message.consoleSessionId === undefined || message.consoleSessionId === handshake.consoleSessionId)
  );
}

function onOpenSessionResponse(context: Context, packet: Session20Packet): HandshakeOutcome {
  const { config, handshake, input, deadlineMs, sampleMs } = context;
  if (packet.payloadType !== PAYLOAD_TYPE.openSessionResponse) return IGNORED;
  const response = decodeOpenSessionResponse(packet.payload);
  if (!response.ok || !isOurs(handshake, response.value)) return IGNORED;
  const suite = suiteOf(context);
  if (response.value.status !== 0) return onRefusal(context, response.value.status, 'Open Session');
  const answer = response.value as Extract<typeof response.value, { status: 0 }>;
  if (
    answer.authentication !== suite.authentication ||
    answer.integrity !== suite.integrity ||
    answer.confidentiality !== suite.confidentiality
  )
    return failed({
      code: 'CIPHER_SUITE_REFUSED',
      message: `BMC ${config.bmc} answered cipher suite ${suite.id} with other algorithms: that downgrade is not accepted`,
    });
  const tag = (handshake.tag + 1) & 0xff;
  const consoleRandom = input.entropy;
  const rakp1 = encodeRakp1({
    tag,
    bmcSessionId: answer.bmcSessionId,
    consoleRandom,
    role: NAME_ONLY_LOOKUP | config.privilege,
    username: config.username,
  });
  return {
    kind: 'send',
    sampleMs,
    handshake: {
      ...handshake,
      stage: 'rakp1',
      tag,
      bmcSessionId: answer.bmcSessionId,
      consoleRandom,
      datagram: encodeOutsideSession(PAYLOAD_TYPE.rakp1, rakp1),
      attempts: 1,
      sentAtMs: input.nowMs,
      deadlineMs,
    },
  };
}

function onRakp2(context: Context, packet: Session20Packet): HandshakeOutcome {
  const { config, handshake, input, deadlineMs, sampleMs } = context;
  if (packet.payloadType !== PAYLOAD_TYPE.rakp2) return IGNORED;
  const response = decodeRakp2(packet.payload);
  if (!response.ok || !isOurs(handshake, response.value)) return IGNORED;
  if (response.value.status !== 0) return onRefusal(context, response.value.status, 'RAKP 1');
  const answer = response.value as Extract<typeof response.value, { status: 0 }>;
  const suite = suiteOf(context);
  const exchange: RakpExchange = {
    suite,
    consoleSessionId: handshake.consoleSessionId,
    bmcSessionId: handshake.bmcSessionId,
    consoleRandom: handshake.consoleRandom!,
    bmcRandom: answer.bmcRandom,
    bmcGuid: answer.bmcGuid,
    role: NAME_ONLY_LOOKUP | config.privilege,
    username: config.username,
    userKey: config.userKey,
    bmcKey: config.bmcKey,
  };
  if (!sameBytes(rakp2AuthCode(exchange), answer.authCode.subarray(0, suite.authCodeBytes)))
    return failed({
      code: 'AUTHENTICATION_FAILED',
      message: `BMC ${config.bmc} does not know this password: check the user name and the password (not tried again, so that the BMC does not lock the user out)`,
    });
  const tag = (handshake.tag + 1) & 0xff;
  const rakp3 = encodeRakp3({
    tag,
    status: 0,
    bmcSessionId: handshake.bmcSessionId,
    authCode: rakp3AuthCode(exchange),
  });
  return {
    kind: 'send',
    sampleMs,
    handshake: {
      ...handshake,
      stage: 'rakp3',
      tag,
      exchange,
      datagram: encodeOutsideSession(PAYLOAD_TYPE.rakp3, rakp3),
      attempts: 1,
      sentAtMs: input.nowMs,
      deadlineMs,
    },
  };
}

function onRakp4(context: Context, packet: Session20Packet): HandshakeOutcome {
  const { config, handshake } = context;
  if (packet.payloadType !== PAYLOAD_TYPE.rakp4) return IGNORED;
  const response = decodeRakp4(packet.payload);
  if (!response.ok || !isOurs(handshake, response.value)) return IGNORED;
  if (response.value.status !== 0) return onRefusal(context, response.value.status, 'RAKP 3');
  const answer = response.value as Extract<typeof response.value, { status: 0 }>;
  const exchange = handshake.exchange!;
  const sik = sessionIntegrityKey(exchange);
  const expected = rakp4IntegrityCheck(exchange, sik);
  if (!sameBytes(expected, answer.integrityCheck.subarray(0, expected.length)))
    return failed({
      code: 'AUTHENTICATION_FAILED',
      message: `BMC ${config.bmc} uses another BMC key (K_G): the user's password is right, check the K_G key`,
    });
  return {
    kind: 'established',
    established: {
      consoleSessionId: handshake.consoleSessionId,
      bmcSessionId: handshake.bmcSessionId,
      keys: sessionKeys(exchange.suite, sik),
    },
  };
}

const OUT_OF_RESOURCES = new Set([0x01, 0x0b]);
const SUITE_REFUSED = new Set([0x04, 0x05, 0x06, 0x07, 0x10, 0x11]);
const ROLE_REFUSED = new Set([0x09, 0x0a]);
const NAME_REFUSED = new Set([0x0c, 0x0d, 0x0e]);

/** A status other than 0 (section 13.24): what it means, and whether another try makes sense. */
function onRefusal(context: Context, status: number, stage: string): HandshakeOutcome {
  const { config, handshake, input, deadlineMs } = context;
  const hex = `0x${status.toString(16).padStart(2, '0')}`;
  const said = `BMC ${config.bmc} answered ${stage} with status ${hex} (${RAKP_STATUS[status] ?? 'unknown'})`;
  const suite = suiteOf(context);
  const details = { status };
  if (OUT_OF_RESOURCES.has(status))
    return failed({
      code: 'SESSION_LIMIT',
      message: `${said}: all its session slots are taken; close other sessions or wait a minute for abandoned ones to expire`,
      details,
    });
  if (ROLE_REFUSED.has(status))
    return failed({
      code: 'PRIVILEGE_REFUSED',
      message: `${said}: the user may not have this privilege level; raise it on the BMC or ask for a lower one`,
      details,
    });
  if (NAME_REFUSED.has(status))
    return failed({
      code: 'AUTHENTICATION_FAILED',
      message: `${said}: the BMC does not know this user; check the user name (not tried again, so that the BMC does not lock out)`,
      details,
    });
  if (SUITE_REFUSED.has(status) && handshake.stage === 'openSession') {
    const suiteIndex = handshake.suiteIndex + 1;
    if (suiteIndex < config.cipherSuites.length)
      return { kind: 'send', handshake: openSession(config, input, { ...handshake, suiteIndex, deadlineMs }) };
    return failed({
      code: 'CIPHER_SUITE_REFUSED',
      message: `${said}: it refuses cipher suite ${suite.id}; allow another of 17 and 3 for this BMC, or enable it there`,
      details,
    });
  }
  // Anything else may be the answer to a repeat that the BMC no longer understands: begin again, with a bound.
  if (handshake.restarts < MAX_RESTARTS) {
    const restarts = handshake.restarts + 1;
    return { kind: 'send', handshake: openSession(config, input, { ...handshake, restarts, deadlineMs }) };
  }
  return failed({
    code: status === 0x0f ? 'AUTHENTICATION_FAILED' : 'MALFORMED',
    message: `${said}, ${handshake.restarts + 1} times: check the credentials, and restart the BMC if they are right`,
    details,
  });
}
