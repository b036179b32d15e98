/** Where a node is, as a few lines that are redrawn in place on a terminal, or as dated lines elsewhere. */
import { type Clock, duration, size } from '../clock.ts';
import type { Io } from '../command.ts';
import { cutToWidth } from '../output/width.ts';
import { awaitedText, printable } from './describe.ts';
import type { Why } from './why.ts';

export interface ProgressState {
  readonly node: string;
  readonly startedAtMs: number;
  readonly why: Why | undefined;
  /** ms since the epoch since when the service is away. */
  readonly awaySinceMs: number | undefined;
}

const BAR_COLUMNS = 24;
const INDENT = '  ';

function bar(share: number, columns: number): string {
  const done = Math.round(Math.min(1, Math.max(0, share)) * columns);
  return `[${'#'.repeat(done)}${'-'.repeat(columns - done)}]`;
}

/** `45 %  1.2 GB of 2.7 GB  95 MB/s  ETA 15 s`, as far as it is known. */
export function progressText(why: Why): string {
  const p = why.progress;
  if (!p) return '';
  const parts = [p.phase];
  if (p.bytes !== undefined && p.totalBytes)
    parts.push(`${Math.floor((100 * p.bytes) / p.totalBytes)} %`, `${size(p.bytes)} of ${size(p.totalBytes)}`);
  else if (p.bytes) parts.push(size(p.bytes));
  if (p.bytesPerSecond) parts.push(`${size(p.bytesPerSecond)}/s`);
  if (p.etaSeconds !== undefined) parts.push(`ETA ${duration(p.etaSeconds * 1000)}`);
  return parts.filter((part) => part !== '').join('  ');
}

/** `waits for the agent at 192.0.2.7 since 12 s, gives up in 29 min 48 s`. */
function waitingText(why: Why, nowMs: number): string {
  const w = why.waiting;
  if (!w) return '';
  const since = Date.parse(w.since);
  const until = Date.parse(w.until);
  const place = w.position === undefined ? '' : `, position ${w.position}`;
  const left = Number.isNaN(until) ? '' : `, gives up in ${duration(until - nowMs)}`;
  return `waits for ${awaitedText(w.what, w.from)}${place}${Number.isNaN(since) ? '' : ` since ${duration(nowMs - since)}${left}`}`;
}

/** The lines of the live block, none wider than `columns`. */
export function renderBlock(state: ProgressState, nowMs: number, columns: number, hasColour: boolean): string[] {
  const { why } = state;
  const paint = (code: string, text: string) => (hasColour && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text);
  // The last column stays free: some terminals wrap when it is written.
  const width = Math.max(1, columns - 1);
  const cut = (text: string, indent = '') => cutToWidth(indent + printable(text), width);
  const head = [state.node, why?.provisionState ?? '', why?.step ?? '', duration(nowMs - state.startedAtMs)];
  const lines = [paint('1', cut(head.filter((part) => part !== '').join('  ')))];
  if (state.awaySinceMs !== undefined) {
    lines.push(
      paint(
        '33',
        cut(
          `the service does not answer since ${duration(nowMs - state.awaySinceMs)}; the node goes on, and so does this`,
          INDENT,
        ),
      ),
    );
    return lines;
  }
  if (!why) return lines;
  const p = why.progress;
  if (p) {
    const text = progressText(why);
    const hasBar = p.bytes !== undefined && p.totalBytes && width >= BAR_COLUMNS + 20;
    const drawn = hasBar ? `${bar(p.bytes! / p.totalBytes!, BAR_COLUMNS)} ` : '';
    lines.push(
      cut(`${drawn}${text}`, INDENT).replace(drawn.trim(), (found) => (found === '' ? '' : paint('32', found))),
    );
  }
  const waiting = waitingText(why, nowMs);
  if (waiting !== '') lines.push(paint('2', cut(waiting, INDENT)));
  return lines;
}

export interface ProgressView {
  /** A line that stays. */
  line(text: string, at?: string): void;
  /** The state has changed, or a second has passed. */
  update(state: ProgressState): void;
  /** Takes the live block away; lines stay. */
  end(): void;
}

/** How often a plain line tells of bytes and of waiting. */
const PLAIN_MS = 10_000;

/** A line with its time, to the second: that of the service's clock where one is told. */
export function datedLine(text: string, at: string | undefined, clock: Clock): string {
  const ms = at === undefined ? Number.NaN : Date.parse(at);
  const stamp = new Date(Number.isNaN(ms) ? clock.now() : ms).toISOString().replace(/\.\d+Z$/, 'Z');
  return `${stamp} ${printable(text)}\n`;
}

/** Plain dated lines: for logs and pipes. */
function createPlainView(io: Io, clock: Clock): ProgressView {
  let toldAt = 0;
  let told = '';
  const say = (text: string, at?: string) => io.out(datedLine(text, at, clock));
  return {
    line: say,
    update(state) {
      const { why } = state;
      if (!why || state.awaySinceMs !== undefined) return;
      const now = clock.now();
      const subject = `${why.step ?? ''} ${why.progress?.phase ?? ''} ${why.waiting?.what ?? ''}`;
      const text = [progressText(why), waitingText(why, now)].filter((part) => part !== '').join('; ');
      if (text === '' || (subject === told && now - toldAt < PLAIN_MS)) return;
      told = subject;
      toldAt = now;
      say(`${state.node}: ${text}`);
    },
    end() {},
  };
}

/** Lines scroll above a block that is redrawn in place. */
function createLiveView(io: Io, clock: Clock): ProgressView {
  let drawn = 0;
  let block: string[] = [];
  const up = () => (drawn === 0 ? '' : `\u001b[${drawn}A\r\u001b[J`);
  const draw = (above: string) => {
    io.out(`${up()}${above}${block.map((l) => `${l}\n`).join('')}`);
    drawn = block.length;
  };
  return {
    line(text) {
      draw(`${printable(text)}\n`);
    },
    update(state) {
      block = renderBlock(state, clock.now(), io.terminalWidth() ?? 80, io.hasColour);
      draw('');
    },
    end() {
      block = [];
      draw('');
    },
  };
}

export const createProgressView = (io: Io, clock: Clock): ProgressView =>
  io.terminalWidth() === undefined ? createPlainView(io, clock) : createLiveView(io, clock);
