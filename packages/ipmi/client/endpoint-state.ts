/**
 * The state of one endpoint (one BMC, one user): what `step` takes and returns. Plain values, nothing here acts.
 *
 * phase   closed    no session; `internal` is undefined
 *         opening   a handshake is on its way; `internal` is undefined
 *         open      a session stands; `internal` is what the session itself has in flight (privilege, keep-alive, close)
 * head    the request of a caller that is being worked on, in any phase; it survives a reopening
 * queue   the callers' requests behind it, first come first served
 * At most one message is in flight: `internal` if there is one, else `head` when `head.inFlight`.
 */
import type { Packet } from '../codec/packet.ts';
import type { IpmiErrorCode, IpmiErrorDetails } from '../errors.ts';
import { CLOSED_BREAKER } from './breaker.ts';
import type { Breaker, BreakerOptions } from './breaker.ts';
import type { Handshake, HandshakeConfig } from './handshake.ts';
import { UNKNOWN_ROUND_TRIP } from './rtt.ts';
import type { RoundTrip } from './rtt.ts';
import type { Session } from './session.ts';

export interface EndpointConfig extends HandshakeConfig {
  /** Keep-alive after so much silence; 0 never. */
  readonly keepAliveMs: number;
  /** A session silent for longer is taken for dead and opened again before it is used. */
  readonly sessionSilenceMs: number;
  /** After refused credentials nothing is sent for so long: BMCs lock accounts out. */
  readonly authenticationHoldMs: number;
  readonly breaker: BreakerOptions;
}

/** What a step may draw on: time, chance and a number nobody else uses come in with the event. */
export interface StepInput {
  readonly nowMs: number;
  /** 16 unpredictable bytes, used at most once in a step. */
  readonly entropy: Uint8Array;
  /** A console session id that no session of this client has. */
  readonly freshSessionId: number;
}

export interface Request {
  readonly id: number;
  readonly name: string;
  readonly netFn: number;
  readonly cmd: number;
  readonly data: Uint8Array;
  readonly isIdempotent: boolean;
  /** Not sent, and not sent again, after this moment; undefined: any time. */
  readonly notAfterMs?: number | undefined;
}

export interface Sent {
  readonly rqSeq: number;
  readonly atMs: number;
}

/** A request that is being worked on. */
export interface Pending {
  readonly request: Request;
  /** One entry per datagram of the present session: an answer to any of them will do. */
  readonly sent: readonly Sent[];
  /** Datagrams sent, over all sessions. */
  readonly attempts: number;
  readonly inFlight: boolean;
  /** In flight: when to give this attempt up. Otherwise: not to be sent before. */
  readonly deadlineMs: number;
}

export type InternalPurpose = 'privilege' | 'keepAlive' | 'close';

/** Why a request fails, as a value; the owner makes the IpmiError. */
export interface Failure {
  readonly code: IpmiErrorCode;
  readonly message: string;
  readonly details?: IpmiErrorDetails;
}

export type Phase =
  | { readonly kind: 'closed' }
  | { readonly kind: 'opening'; readonly handshake: Handshake }
  | {
      readonly kind: 'open';
      readonly session: Session;
      readonly internal: { readonly purpose: InternalPurpose; readonly pending: Pending } | undefined;
    };

export interface EndpointState {
  readonly config: EndpointConfig;
  readonly phase: Phase;
  readonly head: Pending | undefined;
  readonly queue: readonly Request[];
  readonly roundTrip: RoundTrip;
  readonly breaker: Breaker;
  /** Refused credentials: fail without asking until then. */
  readonly hold: { readonly failure: Failure; readonly untilMs: number } | undefined;
  /** The BMC has said that it speaks IPMI v2.0: it is not asked again. */
  readonly knowsCapabilities: boolean;
  readonly isClosing: boolean;
  /** When `tick` is wanted; undefined: not at all. */
  readonly wakeAtMs: number | undefined;
}

export type EndpointEvent =
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'datagram'; readonly packet: Packet; readonly datagram: Uint8Array }
  | { readonly kind: 'tick' }
  | { readonly kind: 'close' };

export type EndpointEffect =
  | { readonly kind: 'send'; readonly datagram: Uint8Array }
  | { readonly kind: 'resolve'; readonly id: number; readonly completionCode: number; readonly data: Uint8Array }
  | { readonly kind: 'reject'; readonly id: number; readonly failure: Failure }
  | { readonly kind: 'closed' };

export function initialEndpointState(config: EndpointConfig): EndpointState {
  return {
    config,
    phase: { kind: 'closed' },
    head: undefined,
    queue: [],
    roundTrip: UNKNOWN_ROUND_TRIP,
    breaker: CLOSED_BREAKER,
    hold: undefined,
    knowsCapabilities: false,
    isClosing: false,
    wakeAtMs: undefined,
  };
}
