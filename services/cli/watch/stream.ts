/** The event stream of the service, followed through restarts: each event once, in order. */
import type { Clock } from '../clock.ts';
import type { Api } from '../connection/http.ts';
import { ConnectionError, HttpError } from '../errors.ts';
import { createSseParser } from './sse.ts';

export interface StreamEvent {
  readonly cursor: string | undefined;
  readonly type: string;
  readonly nodeUuid: string | undefined;
  readonly runId: string | undefined;
  /** RFC 3339. */
  readonly at: string;
  readonly severity: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface StreamOptions {
  readonly api: Api;
  readonly clock: Clock;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly onEvent: (event: StreamEvent) => void;
  /** The connection was lost; it is tried again. */
  readonly onLost?: (error: Error) => void;
  /** It is open again after `awayMs`. */
  readonly onBack?: (awayMs: number) => void;
}

/** The service sends a comment every 5 s; silence this long is a dead connection. */
const IDLE_MS = 20_000;
const RETRY_MS = 1_000;

function parseEvent(id: string | undefined, text: string): StreamEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const raw = value as Record<string, unknown>;
  const word = (v: unknown) => (typeof v === 'string' ? v : undefined);
  const data = raw['data'];
  return {
    cursor: id,
    type: word(raw['type']) ?? 'unknown',
    nodeUuid: word(raw['node_uuid']),
    runId: word(raw['run_id']),
    at: word(raw['at']) ?? '',
    severity: word(raw['severity']) ?? 'info',
    data: typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {},
  };
}

/** What may pass by itself: the service is away or is just starting. */
const isPassing = (error: unknown): boolean =>
  error instanceof ConnectionError || (error instanceof HttpError && error.status >= 500);

export interface OpenStream {
  /** Ends when the stream ends for good: the service refused it, or it was not to be followed. Rejects with the refusal. */
  readonly done: Promise<void>;
}

/**
 * Opens the stream and resolves once the service has accepted it, so that what is asked for afterwards is seen.
 * @throws CliError when the first opening fails.
 */
export async function openStream(options: StreamOptions): Promise<OpenStream> {
  const { api, clock, signal, onEvent } = options;
  const follows = options.query['follow'] !== 'false';
  let last: string | undefined;
  const open = () =>
    api.stream('/v1/events', {
      query: last === undefined ? options.query : { ...options.query, after: undefined },
      headers: last === undefined ? {} : { 'Last-Event-ID': last },
      signal,
      idleMs: IDLE_MS,
    });

  async function read(pieces: AsyncIterable<string>): Promise<void> {
    const parser = createSseParser();
    for await (const piece of pieces)
      for (const message of parser.push(piece)) {
        const event = parseEvent(message.id, message.data);
        if (message.id) last = message.id;
        if (event) onEvent(event);
      }
  }

  async function reopen(): Promise<AsyncIterable<string> | undefined> {
    const lostAt = clock.now();
    while (!signal.aborted) {
      await clock.sleep(RETRY_MS, signal);
      if (signal.aborted) break;
      try {
        const pieces = await open();
        options.onBack?.(clock.now() - lostAt);
        return pieces;
      } catch (error) {
        if (signal.aborted) break;
        if (!isPassing(error)) throw error;
      }
    }
    return undefined;
  }

  let pieces: AsyncIterable<string> | undefined = await open();
  const done = (async () => {
    while (pieces) {
      let lost = new Error('the service closed the event stream');
      try {
        await read(pieces);
        if (!follows) return;
      } catch (error) {
        lost = error as Error;
      }
      if (signal.aborted) return;
      options.onLost?.(lost);
      pieces = await reopen();
    }
  })();
  // Whoever waits for `done` hears of a failure; nobody else has to.
  done.catch(() => {});
  return { done };
}
