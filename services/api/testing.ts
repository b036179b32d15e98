/** An API over a database in memory and a conductor that writes down what it is asked. Every answer is checked against the contract. */
import {
  asSessionId,
  type Config,
  type DriverDescription,
  INTERFACE_KINDS,
  type InterfaceKind,
  type JsonObject,
  resolveConfig,
  ServiceError,
} from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { memoryDb } from '@bessemer/db/testing';
import { type Clock, type Random, silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import type { RpcClient, RpcMethods } from '@bessemer/rpc';
import { createApi } from './app.ts';
import { type Authenticator, noAuthentication } from './access/authenticator.ts';

export { startKeystone, type TestKeystone } from './access/keystone-testing.ts';

const everyKind = <T>(value: (kind: InterfaceKind) => T) =>
  Object.fromEntries(INTERFACE_KINDS.map((kind) => [kind, value(kind)])) as Record<InterfaceKind, T>;

/** fake-hardware as a conductor would describe it. */
export const FAKE_DRIVER: DriverDescription = {
  name: 'fake-hardware',
  interfaces: everyKind((kind) => (kind === 'network' ? ['noop'] : ['fake', `no-${kind}`])),
  defaults: everyKind((kind) => (kind === 'network' ? 'noop' : 'fake')),
  properties: { fake_delay_ms: { description: 'How long a step takes.', required: false, secret: false } },
};

export interface RecordedCall {
  readonly host: string;
  readonly method: string;
  readonly args: unknown;
}

export interface TestApi {
  readonly url: string;
  readonly db: Db;
  readonly calls: RecordedCall[];
  /** The request id of each call. */
  readonly callIds: string[];
  /** What the conductor answers to a method from now on; a ServiceError is thrown, a function is called. */
  answer(method: keyof RpcMethods, result: unknown): void;
  /** One request; JSON in and out. `version` is N of 1.N, or a header's text. */
  request(
    method: string,
    path: string,
    options?: { body?: unknown; version?: number | string; headers?: Record<string, string> },
  ): Promise<TestReply>;
  stop(): Promise<void>;
}

export interface TestReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: JsonObject;
  /** The faultstring, decoded twice; where no controller was found, the description. */
  readonly fault: string | undefined;
}

export async function startApi(
  options: {
    authenticator?: Authenticator;
    config?: Partial<Config['api']>;
    clock?: Clock;
    /** Two processes over one database need different ones. */
    random?: Random;
    /** Puts something between the API and its database. */
    around?: (db: Db) => Db;
    /** What the conductor answers next to every method that `answer` does not name. */
    otherwise?: unknown;
    /** What the conductor can drive; without it, `FAKE_DRIVER`. */
    drivers?: readonly DriverDescription[];
  } = {},
): Promise<TestApi> {
  const clock = options.clock ?? new ManualClock();
  const random = options.random ?? seededRandom(7);
  const db = await memoryDb({ clock, random });
  const session = asSessionId(random.uuid());
  const hour = 3_600_000;
  await db.write('conductor', (tx) =>
    tx.conductors.heartbeat(
      { session, hostname: 'c1', conductorGroup: '', drivers: options.drivers ?? [FAKE_DRIVER] },
      hour,
    ),
  );
  const calls: RecordedCall[] = [];
  const callIds: string[] = [];
  const answers = new Map<string, unknown>();
  const rpc: RpcClient = {
    async call(host, method, args, { requestId }) {
      calls.push({ host, method, args });
      callIds.push(requestId);
      const result = answers.get(method) ?? options.otherwise ?? { runId: null };
      if (result instanceof ServiceError) throw result;
      if (typeof result === 'function') return (await result(args)) as never;
      return result as never;
    },
    cast() {},
    ring() {},
    onRing: () => () => {},
    close: async () => {},
  };
  const problems: string[] = [];
  const api = createApi({
    db: options.around?.(db) ?? db,
    rpc,
    clock,
    random,
    log: silentLog,
    // The clock of a test stands still: nobody would wait to the end.
    config: { ...resolveConfig([]).api, lock_patience_ms: 0, ...options.config },
    authenticator: options.authenticator ?? noAuthentication,
    onResponseProblem: (problem) => problems.push(problem),
  });
  const port = await api.start('127.0.0.1', 0);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    db,
    calls,
    callIds,
    answer: (method, result) => void answers.set(method, result),
    async request(method, path, { body, version = 115, headers = {} } = {}) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          'X-OpenStack-Ironic-API-Version': typeof version === 'number' ? `1.${version}` : version,
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      if (problems.length > 0) throw new Error(`the answer breaks the contract: ${problems.splice(0).join('; ')}`);
      const json = text.startsWith('{') ? JSON.parse(text) : {};
      const error = typeof json.error_message === 'string' ? JSON.parse(json.error_message) : {};
      const fault = error.faultstring ?? error.description;
      return { status: response.status, headers: response.headers, text, json, fault };
    },
    async stop() {
      await api.stop();
      await db.close();
    },
  };
}
