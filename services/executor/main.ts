/**
 * The executor's manager: `main.ts --socket PATH [--ansible-path DIR] [--collections DIR]... [--idle-seconds N]
 * [--max-connections N] [--runtime-folder DIR]`. Prints `listening PATH` once it does; logs JSON lines on standard error.
 */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { coerceExecutorError } from '@bessemer/executor-protocol';
import type { Log } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';
import { prepareSocketFolder, serveExecutor } from './manager/server.ts';
import { openExecutor } from './open-executor.ts';

function jsonLog(fields: Record<string, unknown> = {}): Log {
  const write = (level: string) => (message: string, more?: Record<string, unknown>) =>
    void process.stderr.write(
      `${JSON.stringify({ time: new Date(systemClock.nowMs()).toISOString(), level, message, ...fields, ...more })}\n`,
    );
  return {
    debug() {},
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (more) => jsonLog({ ...fields, ...more }),
  };
}

/** Each manager's key files stand in a folder with its process id. */
const KEYS = 'keys-';

/** Takes away the key files of managers that were killed. */
async function removeLeftKeys(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (name.startsWith(KEYS) && !existsSync(`/proc/${name.slice(KEYS.length)}`))
      await rm(join(folder, name), { recursive: true, force: true });
}

/** Runs the manager until SIGTERM or SIGINT. Gives the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      socket: { type: 'string' },
      'ansible-path': { type: 'string' },
      collections: { type: 'string', multiple: true },
      'idle-seconds': { type: 'string' },
      'max-connections': { type: 'string' },
      'runtime-folder': { type: 'string' },
    },
  });
  if (values.socket === undefined) throw new Error('--socket PATH is needed: where the manager listens');
  const number = (name: 'idle-seconds' | 'max-connections') => {
    const text = values[name];
    if (text === undefined) return undefined;
    if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`--${name} must be a whole number above 0, not '${text}'`);
    return Number(text);
  };
  const idleSeconds = number('idle-seconds');
  const maxConnections = number('max-connections');
  const log = jsonLog({ part: 'executor' });
  const folder = await prepareSocketFolder(values.socket);
  await removeLeftKeys(folder);
  const executor = await openExecutor({
    log,
    stateDir: join(folder, `${KEYS}${process.pid}`),
    ...(values['ansible-path'] === undefined ? {} : { ansiblePath: values['ansible-path'] }),
    ...(values.collections === undefined ? {} : { collectionPaths: values.collections }),
    ...(values['runtime-folder'] === undefined
      ? {}
      : { runtimeFolder: pathToFileURL(`${values['runtime-folder'].replace(/\/$/, '')}/`) }),
    limits: {
      ...(idleSeconds === undefined ? {} : { idleMs: idleSeconds * 1000 }),
      ...(maxConnections === undefined ? {} : { maxConnections }),
    },
  });
  const server = await serveExecutor(executor, values.socket, log).catch(async (error: unknown) => {
    await executor.close();
    throw error;
  });
  process.stdout.write(`listening ${values.socket}\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  await executor.close();
  await server.close();
  return 0;
}

if (import.meta.main)
  main(process.argv.slice(2)).then(
    (code) => process.exit(code),
    (error) => {
      process.stderr.write(`executor: ${coerceExecutorError(error).message}\n`);
      process.exit(1);
    },
  );
