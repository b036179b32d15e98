/**
 * One read transfer as a pure step function: (state, event) -> state and effects. No IO, no clock; the time comes with
 * the event.
 *
 * Phases:
 * - `options`: the OACK is out, ACK 0 is awaited. `acked` and `sent` are 0.
 * - `sending`: blocks `acked + 1 .. sent` are out and unacknowledged; `sent - acked` is at most the window.
 * - `ended`: a `finish` effect was given; every event leaves it as it is.
 *
 * Rules that keep a lossy link from turning into a storm:
 * - An ACK that acknowledges nothing that was not acknowledged before is never answered with data (the sorcerer's
 *   apprentice, RFC 1123 section 4.2.3.1): only the timer sends a window again from the same place.
 * - An ACK inside the window (RFC 7440 section 4: the receiver saw a gap) moves the window there and sends it, at most
 *   once per gap interval: two learned round trips. Between, the ACK only counts, and the end of the interval sends.
 *   Without that limit loss and duplication together make every block cost a window.
 * - The first time-out is 200 ms and doubles until something new is acknowledged.
 */
import { decodePacket, encodePacket } from './codec.ts';
import type { Negotiated } from './options.ts';

export interface TransferState {
  readonly phase: 'options' | 'sending' | 'ended';
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly windowBlocks: number;
  readonly options: ReadonlyMap<string, string>;
  /** The number of the last block, counted from 1 without rollover: it is shorter than a block, perhaps empty. */
  readonly lastBlock: number;
  /** Blocks 1 to `acked` are at the client. */
  readonly acked: number;
  readonly sent: number;
  readonly timeoutMs: number;
  readonly maxTimeoutMs: number;
  /** When something new was last acknowledged. */
  readonly progressAtMs: number;
  /** When the current window went out, unless part of it went out before (Karn: no round trip is learned from it). */
  readonly timedSinceMs: number | undefined;
  readonly roundTripMs: number | undefined;
  /** No window is sent again for a gap before this. */
  readonly gapNotBeforeMs: number;
  /** A gap was seen too early; the running timer ends the gap interval. */
  readonly gapDeferred: boolean;
  /** Every sending of a block, repeats included. */
  readonly blocksSent: number;
}

export type TransferEvent = { kind: 'datagram'; bytes: Uint8Array; nowMs: number } | { kind: 'timeout'; nowMs: number };

export type TransferEffect =
  | { kind: 'send'; bytes: Uint8Array }
  /** Blocks `first` to `last`, counted from 1: block n holds the bytes from (n - 1) * blockSizeBytes; on the wire n modulo 65536. */
  | { kind: 'send-blocks'; first: number; last: number }
  /** Replaces the timer that runs. */
  | { kind: 'timer'; delayMs: number }
  | { kind: 'finish'; outcome: TransferOutcome; detail: string };

/** `aborted`: the client said ERROR, which is also how firmware ends a question for the size alone. */
export type TransferOutcome = 'complete' | 'aborted' | 'timed-out' | 'refused' | 'failed' | 'stopped';

export interface Step {
  readonly state: TransferState;
  readonly effects: readonly TransferEffect[];
}

const FIRST_TIMEOUT_MS = 200;
const MAX_TIMEOUT_MS = 5_000;
/** Silence after which a client is taken for gone: firmware gives up or starts again earlier. */
const GIVE_UP_AFTER_MS = 30_000;
/** Below this a gap interval is shorter than what timers and a busy sender resolve. */
const MIN_GAP_INTERVAL_MS = 4;

/** A new transfer, and its first effects: the OACK when options were accepted, else the first block. */
export function startTransfer(sizeBytes: number, negotiated: Negotiated, nowMs: number): Step {
  const withOptions = negotiated.accepted.size > 0;
  const maxTimeoutMs = Math.min(MAX_TIMEOUT_MS, negotiated.timeoutMs ?? MAX_TIMEOUT_MS);
  const state: TransferState = {
    phase: withOptions ? 'options' : 'sending',
    sizeBytes,
    blockSizeBytes: negotiated.blockSizeBytes,
    windowBlocks: negotiated.windowBlocks,
    options: negotiated.accepted,
    lastBlock: Math.floor(sizeBytes / negotiated.blockSizeBytes) + 1,
    acked: 0,
    sent: 0,
    timeoutMs: FIRST_TIMEOUT_MS,
    maxTimeoutMs,
    progressAtMs: nowMs,
    timedSinceMs: nowMs,
    roundTripMs: undefined,
    gapNotBeforeMs: nowMs,
    gapDeferred: false,
    blocksSent: 0,
  };
  return withOptions ? { state, effects: [optionAck(state), timer(state)] } : sendWindow(state, nowMs);
}

export function stepTransfer(state: TransferState, event: TransferEvent): Step {
  if (state.phase === 'ended') return { state, effects: [] };
  if (event.kind === 'timeout') return onTimeout(state, event.nowMs);
  const decoded = decodePacket(event.bytes);
  if (!decoded.ok) return { state, effects: [] };
  const { packet } = decoded;
  if (packet.kind === 'error') return end(state, 'aborted', packet.message || `error code ${packet.code}`);
  if (packet.kind !== 'ack') return { state, effects: [] };
  return state.phase === 'options'
    ? onOptionsAcked(state, packet.block, event.nowMs)
    : onAck(state, packet.block, event.nowMs);
}

function onOptionsAcked(state: TransferState, block: number, nowMs: number): Step {
  if (block !== 0) return { state, effects: [] };
  return sendWindow({ ...learn(state, nowMs), phase: 'sending', progressAtMs: nowMs }, nowMs);
}

function onAck(state: TransferState, wireBlock: number, nowMs: number): Step {
  // The one block in (acked, sent] that has this number on the wire: windows are shorter than the 65536 numbers.
  const block = state.acked + ((wireBlock - state.acked) & 0xffff);
  if (block === state.acked || block > state.sent) return { state, effects: [] };
  if (block === state.lastBlock) return end({ ...state, acked: block }, 'complete', '');
  const moved: TransferState = { ...state, acked: block, progressAtMs: nowMs, timeoutMs: firstTimeoutMs(state) };
  if (block === state.sent) return sendWindow({ ...learn(moved, nowMs), gapDeferred: false }, nowMs);
  if (nowMs >= state.gapNotBeforeMs) return sendWindow(gapSeen(moved, nowMs), nowMs);
  return {
    state: { ...moved, gapDeferred: true },
    effects: [{ kind: 'timer', delayMs: Math.max(1, Math.ceil(state.gapNotBeforeMs - nowMs)) }],
  };
}

function onTimeout(state: TransferState, nowMs: number): Step {
  if (state.gapDeferred) return sendWindow(gapSeen(state, nowMs), nowMs);
  const silentMs = nowMs - state.progressAtMs;
  if (silentMs >= GIVE_UP_AFTER_MS)
    return end(
      state,
      'timed-out',
      `no answer for ${Math.round(silentMs / 1000)} s after block ${state.acked} of ${state.lastBlock}`,
    );
  const slower: TransferState = {
    ...state,
    timeoutMs: Math.min(state.timeoutMs * 2, state.maxTimeoutMs),
    timedSinceMs: undefined,
  };
  if (state.phase === 'options') return { state: slower, effects: [optionAck(state), timer(slower)] };
  return sendWindow(slower, nowMs);
}

/** Sends the window that follows `acked`. Blocks that were out already make its round trip unfit to learn from. */
function sendWindow(state: TransferState, nowMs: number): Step {
  const first = state.acked + 1;
  const last = Math.min(state.acked + state.windowBlocks, state.lastBlock);
  const repeats = state.sent >= first;
  const next: TransferState = {
    ...state,
    sent: Math.max(state.sent, last),
    timedSinceMs: repeats ? undefined : nowMs,
    blocksSent: state.blocksSent + last - first + 1,
  };
  return { state: next, effects: [{ kind: 'send-blocks', first, last }, timer(next)] };
}

function gapSeen(state: TransferState, nowMs: number): TransferState {
  const intervalMs =
    state.roundTripMs === undefined ? FIRST_TIMEOUT_MS : Math.max(MIN_GAP_INTERVAL_MS, 2 * state.roundTripMs);
  return { ...state, gapNotBeforeMs: nowMs + Math.min(intervalMs, state.timeoutMs), gapDeferred: false };
}

/** RFC 6298 section 2: the smoothed round trip, from windows that went out once and came back whole. */
function learn(state: TransferState, nowMs: number): TransferState {
  if (state.timedSinceMs === undefined) return state;
  const sampleMs = Math.max(0, nowMs - state.timedSinceMs);
  const roundTripMs = state.roundTripMs === undefined ? sampleMs : state.roundTripMs * 0.875 + sampleMs * 0.125;
  return { ...state, roundTripMs };
}

function firstTimeoutMs(state: TransferState): number {
  return Math.min(Math.max(FIRST_TIMEOUT_MS, 4 * (state.roundTripMs ?? 0)), MAX_TIMEOUT_MS);
}

function end(state: TransferState, outcome: TransferOutcome, detail: string): Step {
  return { state: { ...state, phase: 'ended' }, effects: [{ kind: 'finish', outcome, detail }] };
}

function optionAck(state: TransferState): TransferEffect {
  return { kind: 'send', bytes: encodePacket({ kind: 'option-ack', options: state.options }) };
}

function timer(state: TransferState): TransferEffect {
  return { kind: 'timer', delayMs: Math.ceil(state.timeoutMs) };
}
