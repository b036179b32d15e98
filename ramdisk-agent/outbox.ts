/**
 * What the agent has to tell: kept messages until they are acknowledged, the latest progress, and a ring of log lines. It works
 * the same with and without a connection.
 */
import {
  encodeMessage,
  type AgentMessage,
  type KeptMessage,
  type LogLine,
  type Progress,
} from '@bessemer/agent-protocol';
import type { Clock, MessageChannel, Timer } from '@bessemer/ports';

/** Progress and logs go out at most this often. */
const SHOW_INTERVAL_MS = 1000;
const MAX_LOG_LINES_KEPT = 1000;
const MAX_LOG_LINES_SENT = 200;
const MAX_LOG_LINE_CHARS = 1024;
/** With this much unsent, progress and logs wait: what must not be lost goes first. */
const MAX_BUFFERED_BYTES = 512 * 1024;

/** Which attempt something belongs to. */
export interface AttemptRef {
  readonly run: string;
  readonly segment: string;
  readonly step: string;
  readonly attempt: string;
}

/** A kept message without its number. */
export type Unnumbered = KeptMessage extends infer M ? (M extends KeptMessage ? Omit<M, 'seq'> : never) : never;

export interface Outbox {
  /** Numbers a message, keeps it, and sends it when somebody listens. */
  keep(message: Unnumbered): void;
  /** Shows progress, at most once a second; the last one always gets through before `keep` of the same attempt. */
  progress(at: AttemptRef, progress: Progress): void;
  log(at: AttemptRef, line: LogLine): void;
  /** A welcomed connection: everything that is not acknowledged goes out again. */
  attach(channel: MessageChannel, storedSeq: number): void;
  detach(): void;
  acknowledge(seq: number): void;
  readonly lastSeq: number;
  readonly ackedSeq: number;
  /** Calls back once, when nothing waits for an acknowledgement. */
  whenEmpty(fn: () => void): void;
  stop(): void;
}

export function createOutbox(clock: Clock): Outbox {
  const kept: KeptMessage[] = [];
  const lines: Array<{ at: AttemptRef; line: LogLine }> = [];
  let dropped = 0;
  let lastSeq = 0;
  let ackedSeq = 0;
  let channel: MessageChannel | undefined;
  let latest: { at: AttemptRef; progress: Progress } | undefined;
  let shownMs = -Infinity;
  let timer: Timer | undefined;
  let onEmpty: Array<() => void> = [];

  const send = (message: AgentMessage): void => channel?.send(encodeMessage(message));

  function show(): void {
    timer?.cancel();
    timer = undefined;
    if (!channel || channel.bufferedBytes > MAX_BUFFERED_BYTES) return;
    shownMs = clock.monotonicMs();
    if (latest) {
      send({ type: 'event', seq: 0, ...latest.at, kind: 'progress', data: latest.progress });
      latest = undefined;
    }
    while (lines.length > 0 && channel && channel.bufferedBytes <= MAX_BUFFERED_BYTES) {
      const { at } = lines[0]!;
      const foreign = lines.findIndex((entry) => entry.at.attempt !== at.attempt);
      const count = Math.min(MAX_LOG_LINES_SENT, foreign === -1 ? lines.length : foreign);
      const batch = lines.splice(0, count).map((entry) => entry.line);
      send({ type: 'event', seq: 0, ...at, kind: 'log', data: { lines: batch, dropped } });
      dropped = 0;
    }
  }

  function showSoon(): void {
    if (timer || !channel) return;
    const waitMs = shownMs + SHOW_INTERVAL_MS - clock.monotonicMs();
    if (waitMs <= 0) show();
    if (latest || lines.length > 0)
      timer ??= clock.setTimer(Math.max(waitMs, SHOW_INTERVAL_MS), show, { background: true });
  }

  function acknowledge(seq: number): void {
    // A number that was never given out is not ours to believe.
    ackedSeq = Math.max(ackedSeq, Math.min(seq, lastSeq));
    while (kept[0] && kept[0].seq <= ackedSeq) kept.shift();
    if (kept.length > 0) return;
    const waiting = onEmpty;
    onEmpty = [];
    for (const fn of waiting) fn();
  }

  return {
    keep(message) {
      // Lines and progress of the attempt belong before its end.
      show();
      const numbered = { ...message, seq: ++lastSeq } as KeptMessage;
      kept.push(numbered);
      send(numbered);
    },
    progress(at, progress) {
      latest = { at, progress };
      showSoon();
    },
    log(at, line) {
      // Control characters would grow sixfold in JSON and do harm on a terminal.
      const message = line.message.slice(0, MAX_LOG_LINE_CHARS).replaceAll(/\p{Cc}/gu, ' ');
      lines.push({ at, line: { ...line, message } });
      if (lines.length > MAX_LOG_LINES_KEPT) {
        lines.shift();
        dropped++;
      }
      showSoon();
    },
    attach(next, storedSeq) {
      channel = next;
      // An agent that was started again in the same boot goes on counting where its predecessor was heard last.
      if (lastSeq < storedSeq && kept.length === 0) lastSeq = storedSeq;
      acknowledge(storedSeq);
      for (const message of kept) send(message);
      show();
      showSoon();
    },
    detach() {
      channel = undefined;
      timer?.cancel();
      timer = undefined;
    },
    acknowledge,
    get lastSeq() {
      return lastSeq;
    },
    get ackedSeq() {
      return ackedSeq;
    },
    whenEmpty(fn) {
      if (kept.length === 0) fn();
      else onEmpty.push(fn);
    },
    stop() {
      timer?.cancel();
      channel = undefined;
    },
  };
}
