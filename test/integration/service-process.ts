/** Roles of the service as real processes, and a client that reads the event stream as an operator's program would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../services/bessemer/main.ts', import.meta.url));

export interface ServiceProcess {
  readonly pid: number;
  /** Base URL of the API; undefined for roles without one. */
  readonly apiUrl: string | undefined;
  /** SIGKILL, and resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and resolves when the process has ended; gives its exit code. */
  stop(): Promise<number | null>;
  /** The last of what it logged. */
  log(): string;
}

export interface RoleOptions {
  readonly role: 'up' | 'api' | 'conductor' | 'boot';
  /** Command and first arguments; default: this source tree under the Node that runs the test. */
  readonly argv?: readonly string[];
  readonly dataDir: string;
  readonly set?: Readonly<Record<string, string>>;
}

/** The environment of a process that shall find nothing of the account that runs the test. */
export function ownEnvironment(dataDir: string): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, BESSEMER_PROFILE: join(dataDir, 'cli-profile.json'), NO_COLOR: '1' };
  for (const name of Object.keys(env)) if (/^(OS_|IRONIC_|BESSEMER_(?!PROFILE))/.test(name)) delete env[name];
  return env;
}

/** Starts one role and waits until it says that it is ready. @throws Error with its last words when it ends before. */
export async function startRole(options: RoleOptions): Promise<ServiceProcess> {
  const [command, ...first] = options.argv ?? [process.execPath, MAIN];
  const set = { 'api.port': '0', 'api.auth': 'noauth', 'depot.port': '0', ...options.set };
  const child = spawn(
    command!,
    [
      ...first,
      ...[options.role, '--data-dir', options.dataDir],
      ...Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ],
    { env: ownEnvironment(options.dataDir), stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let errors = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-200_000)));
  const ended = endOf(child);
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  void ended.then(() => process.off('exit', killAtExit));
  const output = await untilReady(child, ended);
  if (output === undefined) throw new Error(`bessemer ${options.role} did not come up: ${errors}`);
  return {
    pid: child.pid!,
    apiUrl: /^API (\S+)$/m.exec(output)?.[1],
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    async stop() {
      child.kill('SIGTERM');
      return ended;
    },
    log: () => errors,
  };
}

const endOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });

function untilReady(child: ChildProcess, ended: Promise<unknown>): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (/^ready$/m.test(text)) resolve(text);
    });
    ended.then(() => resolve(undefined), reject);
  });
}

export interface Answer {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of many shapes, looked at by tests
  readonly body: any;
}

/** One request to the API, at its newest version. @throws TypeError when nobody listens. */
export async function ask(apiUrl: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${apiUrl}${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', 'X-OpenStack-Ironic-API-Version': 'latest' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

/** A request that must be taken. @throws Error with the answer when it is not. */
export async function must(apiUrl: string, method: string, path: string, body?: unknown): Promise<Answer['body']> {
  const answer = await ask(apiUrl, method, path, body);
  if (answer.status >= 300)
    throw new Error(`${method} ${path} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

export interface SeenEvent {
  readonly id: string;
  readonly type: string;
  readonly node_uuid: string | null;
  readonly run_id: string | null;
  // oxlint-disable-next-line typescript/no-explicit-any -- data of many shapes, looked at by tests
  readonly data: Record<string, any>;
}

/**
 * Reads server-sent events until the stream ends or breaks, giving each complete one. A block cut off half-way is no event
 * (HTML standard, section 9.2.6).
 */
async function* readEvents(
  apiUrl: string,
  options: { lastEventId?: string | undefined; follow?: boolean; signal?: AbortSignal },
): AsyncGenerator<SeenEvent> {
  const response = await fetch(`${apiUrl}/v1/events?follow=${options.follow ?? true}`, {
    headers: {
      'X-OpenStack-Ironic-API-Version': 'latest',
      ...(options.lastEventId === undefined ? {} : { 'Last-Event-ID': options.lastEventId }),
    },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  if (response.status !== 200) throw new Error(`the event stream was answered ${response.status}`);
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const),
      );
      text = text.slice(end + 2);
      if (fields.has('data')) yield { id: fields.get('id')!, ...JSON.parse(fields.get('data')!) };
    }
  }
}

/** All events that are stored, oldest first. */
export async function allEvents(apiUrl: string): Promise<SeenEvent[]> {
  const events: SeenEvent[] = [];
  for await (const event of readEvents(apiUrl, { follow: false })) events.push(event);
  return events;
}

export interface Watcher {
  /** Every event read so far, in the order in which they came. */
  readonly seen: readonly SeenEvent[];
  /** How often the stream broke. */
  readonly breaks: number;
  /** The service may be found here from now on. */
  moveTo(apiUrl: string): void;
  /** Resolves as soon as what has been seen fits. */
  until(fits: (seen: readonly SeenEvent[]) => boolean): Promise<void>;
  stop(): Promise<void>;
}

/** Follows the stream over breaks: connects again with the id of the last event seen. While nobody is there it waits for `moveTo`. */
export function watch(apiUrl: string): Watcher {
  const seen: SeenEvent[] = [];
  const waiters = new Set<() => void>();
  const abort = new AbortController();
  let url = apiUrl;
  let breaks = 0;
  let moved: () => void = () => {};

  async function follow(): Promise<void> {
    while (!abort.signal.aborted) {
      const from = url;
      try {
        for await (const event of readEvents(from, { lastEventId: seen.at(-1)?.id, signal: abort.signal })) {
          seen.push(event);
          for (const wake of [...waiters]) wake();
        }
      } catch {
        // Killed in the middle of an answer, or nobody listens: the next round tells.
      }
      breaks++;
      if (!abort.signal.aborted && url === from) await new Promise<void>((resolve) => (moved = resolve));
    }
  }
  const following = follow();
  return {
    seen,
    get breaks() {
      return breaks;
    },
    moveTo(next) {
      url = next;
      moved();
    },
    until: (fits) =>
      new Promise((resolve) => {
        const look = () => {
          if (!fits(seen)) return;
          waiters.delete(look);
          resolve();
        };
        waiters.add(look);
        look();
      }),
    async stop() {
      abort.abort();
      moved();
      await following;
    },
  };
}
