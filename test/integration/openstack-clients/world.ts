/** A service that was told nothing but port, data directory and access, and the clients of OpenStack beside it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startRole } from '../service-process.ts';
import { type Call, environment, type OpenstackClients, type Outcome, startOpenstackClients } from './servant.ts';

export const NOBODY = '00000000-0000-4000-8000-000000000000';
export const VIF = '77777777-7777-4777-8777-777777777777';

export interface ClientWorld {
  /** Goes with the world. */
  readonly folder: string;
  readonly dataDir: string;
  /** Where the API is. */
  readonly url: string;
  readonly clients: OpenstackClients;
  /** For real processes of clients. */
  readonly env: NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

/** @param settings such as `api.auth`, over those of a service that lets everybody in. */
export async function startClientWorld(settings: Readonly<Record<string, string>> = {}): Promise<ClientWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'bessemer-clients-'));
  const dataDir = join(folder, 'data');
  const service = await startRole({ role: 'up', dataDir, set: settings });
  const clients = startOpenstackClients(folder);
  return {
    folder,
    dataDir,
    url: service.apiUrl!,
    clients,
    env: environment(folder),
    async stop() {
      await clients.stop();
      await service.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

/** What nobody wants to read: a trace, markup, JSON, or a value that a program forgot to put into words. */
const UNREADABLE = /Traceback|&(?:quot|lt|gt|amp|apos|#\d+);|[{[]\s*"|<\/?[a-z]+>|undefined|\[object |\bNone\b|NaN/;
export function expectReadable(text: string, context = text): void {
  expect(text.trim(), context).not.toBe('');
  expect(UNREADABLE.exec(text)?.[0], context).toBeUndefined();
}

export interface Failure {
  readonly type: string;
  readonly message: string;
  readonly status: number | null;
}

export interface Caller {
  /** Makes a call that must go well. */
  call(path: string, args?: readonly unknown[], kwargs?: Readonly<Record<string, unknown>>): Promise<Outcome['value']>;
  /** As `call`; its value is `@NAME` among the arguments of later calls. */
  keep(
    name: string,
    path: string,
    args?: readonly unknown[],
    kwargs?: Readonly<Record<string, unknown>>,
  ): Promise<Outcome['value']>;
  /** Makes a call that must fail, in words that can be read. */
  failure(path: string, args?: readonly unknown[], kwargs?: Readonly<Record<string, unknown>>): Promise<Failure>;
  /** Those of these calls that nobody made. */
  notMade(paths: readonly string[]): string[];
}

/** Makes calls of a library and remembers which. @param send one of the two of OpenstackClients, with its options. */
export function createCaller(send: (call: Call) => Promise<Outcome>): Caller {
  const made = new Set<string>();
  const attempt = (call: Call) => {
    made.add(call.call);
    return send(call);
  };
  const succeed = async (call: Call) => {
    const outcome = await attempt(call);
    expect(outcome.error, `${call.call} ${JSON.stringify([call.args, call.kwargs])}`).toBeUndefined();
    return outcome.value;
  };
  return {
    call: (path, args = [], kwargs = {}) => succeed({ call: path, args, kwargs }),
    keep: (name, path, args = [], kwargs = {}) => succeed({ call: path, args, kwargs, keep: name }),
    async failure(path, args = [], kwargs = {}) {
      const { value, error } = await attempt({ call: path, args, kwargs });
      expect(value, `${path} ${JSON.stringify([args, kwargs])}`).toBeUndefined();
      expectReadable(error!.message);
      return error!;
    },
    notMade: (paths) => paths.filter((path) => !made.has(path)),
  };
}
