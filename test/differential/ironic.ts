/**
 * A real Ironic to hold Bessemer against: Debian's `python3-ironic`, the one-process service with fake hardware, SQLite, noauth,
 * in a temporary folder and on a free port of 127.0.0.1. Only the library package is taken: it brings no user, no sudo rule and
 * starts nothing.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sleep } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';

const run = promisify(execFile);
const PYTHON = '/usr/bin/python3';
const PACKAGE = 'python3-ironic';
/** The console scripts are in a package that also makes a user: these are the same entry points. */
const entryPoint = (module: string) => `import sys; from ironic.cmd.${module} import main; sys.exit(main())`;
const START_PATIENCE_MS = 60_000;

/** Interfaces of fake-hardware as they are enabled in the recorded samples. */
const INTERFACES: Readonly<Record<string, string>> = {
  bios: 'no-bios,fake',
  boot: 'fake',
  console: 'fake,no-console',
  deploy: 'fake',
  inspect: 'no-inspect,fake',
  management: 'fake',
  network: 'noop',
  power: 'fake',
  raid: 'no-raid,fake',
  rescue: 'no-rescue,fake',
  storage: 'noop,fake',
  vendor: 'no-vendor,fake',
};

export interface Ironic {
  /** Without a trailing slash. */
  readonly url: string;
  readonly pid: number;
  /** From the start of the process to the first answer. */
  readonly startMs: number;
  /** The SQLite file. */
  readonly database: string;
  /** The last of what it logged. */
  log(): string;
  stop(): Promise<void>;
}

export interface IronicInstallation {
  /** Version of the Debian package. */
  readonly version: string;
  /** Starts the service; the database is kept from one start to the next. */
  start(): Promise<Ironic>;
  /** Removes the folder. */
  remove(): void;
}

function installedVersion(): string | undefined {
  try {
    const text = execFileSync('dpkg-query', ['-W', '-f', '${db:Status-Abbrev} ${Version}', PACKAGE], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.startsWith('ii') ? text.split(' ').at(-1) : undefined;
  } catch {
    return undefined;
  }
}

/** Makes sure that the package is there. @throws Error when it is missing and cannot be installed. */
async function install(say: (line: string) => void): Promise<string> {
  const found = installedVersion();
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0)
    throw new Error(`the Debian package ${PACKAGE} is missing and only root can install it`);
  say(`installing the Debian package ${PACKAGE} (the reference; nothing of Bessemer needs it)`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0'];
  await run('apt-get', [...apt, 'update'], { env, maxBuffer: 1 << 26 });
  await run('apt-get', [...apt, 'install', '--no-install-recommends', PACKAGE], { env, maxBuffer: 1 << 26 });
  const version = installedVersion();
  if (version === undefined) throw new Error(`apt-get did not install ${PACKAGE}`);
  return version;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = server.address();
  server.close();
  await once(server, 'close');
  if (typeof at !== 'object' || !at) throw new Error('no port is free');
  return at.port;
}

function configuration(folder: string, port: number, options: Readonly<Record<string, string>>): string {
  return `[DEFAULT]
auth_strategy = noauth
rpc_transport = none
host = localhost
my_ip = 127.0.0.1
state_path = ${folder}/state
enabled_hardware_types = fake-hardware
${Object.entries(INTERFACES)
  .map(([kind, names]) => `enabled_${kind}_interfaces = ${names}`)
  .join('\n')}
default_network_interface = noop
${Object.entries(options)
  .map(([name, value]) => `${name} = ${value}`)
  .join('\n')}
[api]
host_ip = 127.0.0.1
port = ${port}
[conductor]
sync_power_state_interval = 0
[database]
connection = sqlite:///${folder}/ironic.sqlite
[oslo_concurrency]
lock_path = ${folder}/lock
`;
}

const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(OS_|IRONIC_|PYTHON)/.test(name)));

/**
 * Installs what is missing and makes the database. `options` go into the section DEFAULT of its configuration.
 * @throws Error when the package cannot be installed or the schema not be made.
 */
export async function prepareIronic(
  say: (line: string) => void,
  options: Readonly<Record<string, string>> = {},
): Promise<IronicInstallation> {
  const version = await install(say);
  const folder = mkdtempSync(join(tmpdir(), 'bmr-ironic-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // A signal alone would leave the service and its folder behind.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  process.once('exit', remove);
  for (const name of ['state', 'lock']) mkdirSync(join(folder, name));
  const port = await freePort();
  const file = join(folder, 'ironic.conf');
  writeFileSync(file, configuration(folder, port, options));
  const env = cleanEnvironment();
  await run(PYTHON, ['-c', entryPoint('dbsync'), '--config-file', file, 'create_schema'], { env, cwd: folder });
  return {
    version,
    async start() {
      const logFile = join(folder, 'ironic.log');
      const output = openSync(logFile, 'w');
      const startedMs = systemClock.monotonicMs();
      const child = spawn(PYTHON, ['-c', entryPoint('singleprocess'), '--config-file', file], {
        env,
        cwd: folder,
        stdio: ['ignore', output, output],
      });
      closeSync(output);
      const log = () => readFileSync(logFile, 'utf8').slice(-20_000);
      const killAtExit = () => child.kill('SIGKILL');
      process.once('exit', killAtExit);
      const ended = once(child, 'exit').then(() => process.off('exit', killAtExit));
      const url = `http://127.0.0.1:${port}`;
      await untilAnswers(child, `${url}/v1/nodes`, log);
      return {
        url,
        pid: child.pid!,
        startMs: systemClock.monotonicMs() - startedMs,
        database: join(folder, 'ironic.sqlite'),
        log,
        async stop() {
          // In order it would wait for its worker threads.
          child.kill('SIGKILL');
          await ended;
        },
      };
    },
    remove,
  };
}

/** Resolves at the first answer with 200. @throws Error with the log's end when the process ends or does not answer in time. */
export async function untilAnswers(child: ChildProcess, url: string, log: () => string): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + START_PATIENCE_MS;
  while (child.exitCode === null && systemClock.monotonicMs() < deadlineMs) {
    try {
      const answer = await fetch(url);
      await answer.arrayBuffer();
      if (answer.status === 200) return;
    } catch {
      // Nobody listens yet.
    }
    await sleep(systemClock, 10);
  }
  throw new Error(`nothing answers at ${url}: ${log()}`);
}
