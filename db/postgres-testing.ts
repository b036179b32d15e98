/** A throw-away PostgreSQL for tests: own data folder, Unix socket only, no fsync, a database per test from a template. */
import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import pg from 'pg';
import { openPostgres } from './engines/postgres.ts';
import type { SecretKeys } from './secrets.ts';

export interface TestPostgres {
  /** A new database with the current schema; its URL for `openPostgres` or `database.url`. */
  createDatabase(): Promise<string>;
  /** A new database without any schema. */
  createEmptyDatabase(): Promise<string>;
  /** The server's process id. */
  readonly pid: number;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

const ROOT = '/usr/lib/postgresql';

/** @throws Error when PostgreSQL is not installed or does not start; its log is in the message. */
export async function startPostgres(secrets: SecretKeys): Promise<TestPostgres> {
  const version = existsSync(ROOT) ? readdirSync(ROOT).toSorted((a, b) => Number(b) - Number(a))[0] : undefined;
  if (version === undefined)
    throw new Error(`PostgreSQL is not installed: there is nothing in ${ROOT} (Debian package postgresql)`);
  const bin = join(ROOT, version, 'bin');
  const folder = mkdtempSync(join(tmpdir(), 'bessemer-pg-'));
  const user = isRoot() ? postgresUser() : undefined;
  if (user) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');

  const run = (command: string, args: readonly string[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = spawn(join(bin, command), args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], ...user });
      let output = '';
      child.stdout.on('data', (chunk) => (output += chunk));
      child.stderr.on('data', (chunk) => (output += chunk));
      child.on('error', reject);
      child.on('close', (code) =>
        code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}: ${output}`)),
      );
    });
  const remove = () => rmSync(folder, { recursive: true, force: true });

  try {
    await run('initdb', ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync', '--no-locale', '-E', 'UTF8']);
  } catch (error) {
    remove();
    throw error;
  }
  const settings = {
    listen_addresses: '',
    unix_socket_directories: folder,
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    shared_buffers: '64MB',
    max_connections: '200',
  };
  // In the foreground, as our own child: it is ended by its id and cannot outlive the test unnoticed.
  const server = spawn(
    join(bin, 'postgres'),
    ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], ...user },
  );
  let log = '';
  server.stderr.on('data', (chunk) => (log = (log + chunk).slice(-4_000)));
  const ended = new Promise<void>((resolve) => server.on('close', () => resolve()));
  const endServer = () => server.kill('SIGKILL');
  process.once('exit', endServer);
  const stop = async () => {
    // Fast shutdown: connections are cut.
    server.kill('SIGINT');
    await ended;
    process.off('exit', endServer);
    remove();
  };

  const url = (database: string) => `postgresql://postgres@localhost/${database}?host=${encodeURIComponent(folder)}`;
  try {
    await untilReady(url('postgres'), () => server.exitCode ?? server.signalCode);
  } catch (error) {
    await stop();
    throw new Error(`PostgreSQL did not start: ${log}`, { cause: error });
  }
  const admin = new pg.Pool({ connectionString: url('postgres'), max: 1 });
  // The server may be gone before the last connection is closed.
  admin.on('error', () => {});
  let databases = 0;
  const create = async (template: string): Promise<string> => {
    const name = `test${++databases}`;
    await admin.query(`create database ${name} template ${template} strategy file_copy`);
    return url(name);
  };
  await admin.query('create database schema_template');
  const template = await openPostgres({
    url: url('schema_template'),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    secrets,
  });
  await template.close();

  return {
    createDatabase: () => create('schema_template'),
    createEmptyDatabase: () => create('template0'),
    pid: server.pid!,
    async stop() {
      await admin.end();
      await stop();
    },
  };
}

async function untilReady(url: string, ended: () => number | string | null): Promise<void> {
  for (;;) {
    if (ended() !== null) throw new Error(`the server ended with ${ended()}`);
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch {
      await client.end().catch(() => {});
      await new Promise<void>((resolve) => systemClock.setTimer(50, resolve));
    }
  }
}

const isRoot = (): boolean => process.getuid?.() === 0;

/** The server refuses to run as root; Debian's package brings this user. */
function postgresUser(): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'));
  if (!line) throw new Error('there is no user postgres to run the server as');
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}
