/** What a reference BMC is made of: its users, its limits, and the lies it can be told to tell. */
import type { Clock, Datagrams, Log, Random, Secret } from '@bessemer/ports';
import type { PrivilegeLevel } from '../commands/privilege.ts';
import type { CipherSuiteId } from '../crypto/cipher-suites.ts';
import type { ChassisBackend } from './chassis-backend.ts';

export interface BmcUser {
  readonly name: string;
  readonly password: Secret;
  readonly privilege: PrivilegeLevel;
}

/** A real BMC's limits. */
export interface BmcLimits {
  /** Active sessions at a time; one more is answered with status 01h. Default 4. */
  readonly sessions?: number;
  /** A session without a valid packet for so long is gone, in silence. Default 60,000 (section 6.12.15: 60 s ± 3). */
  readonly idleTimeoutMs?: number;
  /** A sequence number so far in front is dropped in silence. Default 16. */
  readonly sequenceWindow?: number;
  /** Get Chassis Status shows the former power state for so long after it was changed. Default 0; real ones lag by 2,000. */
  readonly powerLagMs?: number;
  /** Reset and cycle throw a one-shot boot override away before it is used, as some BMCs do. Default false. */
  readonly losesOneShotOnReset?: boolean;
  /** Default both. */
  readonly cipherSuites?: readonly CipherSuiteId[];
  /** When false, an Open Session Request for another suite gets no answer at all instead of a status. Default true. */
  readonly answersRefusedSuites?: boolean;
}

/** One request inside or outside a session, as a liar sees it. */
export interface BmcRequest {
  readonly netFn: number;
  readonly cmd: number;
  readonly data: Uint8Array;
  /** Undefined outside a session. */
  readonly bmcSessionId: number | undefined;
}

/** What the BMC does wrong with one request. */
export type BmcLie =
  /** Not carried out, not answered. */
  | { readonly kind: 'drop' }
  /** Carried out, not answered. */
  | { readonly kind: 'dropReply' }
  /** Carried out, answered late. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Not carried out, answered with this completion code. */
  | { readonly kind: 'completion'; readonly code: number };

export interface ReferenceBmcOptions {
  readonly datagrams: Datagrams;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly address: string;
  /** Default 623; 0 picks a free one (see `local` after `start`). */
  readonly port?: number;
  readonly users: readonly BmcUser[];
  /** K_G: a second key for every log-in. Default none. */
  readonly kgKey?: Secret;
  readonly chassis: ChassisBackend;
  readonly limits?: BmcLimits;
  /** Asked before each request is carried out. */
  readonly lie?: (request: BmcRequest) => BmcLie | undefined;
  /** 16 bytes; default random. */
  readonly guid?: Uint8Array;
}

export interface BmcStats {
  readonly datagrams: number;
  readonly malformed: number;
  /** Packets of a session that does not exist, is not active, or whose AuthCode is wrong. */
  readonly strangers: number;
  /** Repeated or out-of-window sequence numbers. */
  readonly outOfWindow: number;
  readonly authenticationFailures: number;
  readonly sessionsOpened: number;
  readonly activeSessions: number;
  readonly commands: number;
}
