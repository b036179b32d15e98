/** An open session as a value: its keys, its sequence numbers both ways, and the request numbers (rqSeq) in use. */
import { BMC_ADDRESS, decodeLanResponse, encodeLanRequest, REMOTE_CONSOLE_ADDRESS } from '../codec/lan-message.ts';
import type { LanResponse } from '../codec/lan-message.ts';
import { malformed, ok } from '../codec/result.ts';
import type { Result } from '../codec/result.ts';
import { acceptSequence, FRESH_WINDOW, nextSequence } from '../codec/sequence-window.ts';
import type { SequenceWindow } from '../codec/sequence-window.ts';
import { PAYLOAD_TYPE } from '../codec/session20.ts';
import type { Session20Packet } from '../codec/session20.ts';
import { seal, unseal } from '../crypto/seal.ts';
import type { Request } from './endpoint-state.ts';
import type { Established } from './handshake.ts';

export interface Session extends Established {
  readonly outSequence: number;
  readonly window: SequenceWindow;
  /** Set Session Privilege Level has succeeded. */
  readonly isRaised: boolean;
  readonly lastHeardMs: number;
  /** Time-outs in a row. */
  readonly silences: number;
  /** Datagrams sent since the BMC was last heard: at 16 its sequence window is behind us and it drops all in silence. */
  readonly unanswered: number;
  readonly lastRqSeq: number;
  /** Numbers of requests that were given up, and until when a late answer could still come. */
  readonly blockedRqSeqs: ReadonlyMap<number, number>;
}

/** One less than the window of 16 that BMCs keep. */
export const MAX_UNANSWERED = 15;
const RQ_SEQ_BLOCKED_MS = 30_000;
const RQ_SEQS = 64;
/** The AuthCode proves who sent it, so any number in front is taken: the network may have eaten those between. */
const ANY_AHEAD = 0x8000_0000;

export function openedSession(established: Established, nowMs: number): Session {
  return {
    ...established,
    outSequence: 0,
    window: FRESH_WINDOW,
    isRaised: false,
    lastHeardMs: nowMs,
    silences: 0,
    unanswered: 0,
    lastRqSeq: 0,
    blockedRqSeqs: new Map(),
  };
}

function freeRqSeq(session: Session, nowMs: number): number {
  for (let i = 1; i < RQ_SEQS; i++) {
    const candidate = (session.lastRqSeq + i) % RQ_SEQS;
    if ((session.blockedRqSeqs.get(candidate) ?? 0) <= nowMs) return candidate;
  }
  return (session.lastRqSeq + 1) % RQ_SEQS;
}

/** A datagram with the request under new numbers: a BMC drops a repeated session sequence number. */
export function sealRequest(
  session: Session,
  request: Request,
  nowMs: number,
  iv: Uint8Array,
): { readonly session: Session; readonly datagram: Uint8Array; readonly rqSeq: number } {
  const rqSeq = freeRqSeq(session, nowMs);
  const outSequence = nextSequence(session.outSequence);
  const payload = encodeLanRequest({
    rsAddr: BMC_ADDRESS,
    netFn: request.netFn,
    rsLun: 0,
    rqAddr: REMOTE_CONSOLE_ADDRESS,
    rqSeq,
    rqLun: 0,
    cmd: request.cmd,
    data: request.data,
  });
  const message = {
    payloadType: PAYLOAD_TYPE.ipmi,
    sessionId: session.bmcSessionId,
    sequence: outSequence,
    payload,
  };
  return {
    session: { ...session, outSequence, lastRqSeq: rqSeq, unanswered: session.unanswered + 1 },
    datagram: seal(session.keys, message, iv),
    rqSeq,
  };
}

/** A packet of this session: checked, decrypted, seen for the first time; and the session that has heard it. */
export function unsealResponse(
  session: Session,
  packet: Session20Packet,
  datagram: Uint8Array,
  nowMs: number,
): Result<{ readonly session: Session; readonly response: LanResponse }> {
  if (packet.payloadType !== PAYLOAD_TYPE.ipmi)
    return malformed(`payload type ${packet.payloadType} was not asked for`);
  const payload = unseal(session.keys, packet, datagram);
  if (!payload.ok) return payload;
  const window = acceptSequence(session.window, packet.sequence, ANY_AHEAD);
  if (!window) return malformed(`sequence number ${packet.sequence} was seen before`);
  const response = decodeLanResponse(payload.value);
  if (!response.ok) return response;
  return ok({
    session: { ...session, window, lastHeardMs: nowMs, silences: 0, unanswered: 0 },
    response: response.value,
  });
}

/** Keeps these numbers out of use while a late answer to them may still come. */
export function blockRqSeqs(session: Session, rqSeqs: readonly number[], nowMs: number): Session {
  if (rqSeqs.length === 0) return session;
  const blocked = new Map([...session.blockedRqSeqs].filter(([, untilMs]) => untilMs > nowMs));
  for (const rqSeq of rqSeqs) blocked.set(rqSeq, nowMs + RQ_SEQ_BLOCKED_MS);
  return { ...session, blockedRqSeqs: blocked };
}
