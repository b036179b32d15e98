/** A throw-away RabbitMQ for tests: own node name, ports, epmd, cookie and data folder; nothing of an installed instance is touched. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { connect as connectSocket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';
import { isRunning } from '@bessemer/ports/testing';

export interface TestRabbit {
  readonly url: Secret;
  readonly port: number;
  /** Ends the broker as an outage would: `kill` is SIGKILL. Its data stays. */
  halt(how: 'stop' | 'kill'): Promise<void>;
  /** Starts the broker again on its data and port. */
  resume(): Promise<void>;
  /** Ends the broker and its epmd and removes the folder. */
  stop(): Promise<void>;
}

const LIBRARY = '/usr/lib/rabbitmq/lib';
const POLL_MS = 50;
const pause = (): Promise<void> => new Promise((resolve) => void systemClock.setTimer(POLL_MS, resolve));

/** @throws Error when RabbitMQ is not installed or does not start; its output is in the message. */
export async function startRabbit(): Promise<TestRabbit> {
  const version = existsSync(LIBRARY)
    ? readdirSync(LIBRARY).find((name) => name.startsWith('rabbitmq_server-'))
    : undefined;
  if (version === undefined)
    throw new Error(`RabbitMQ is not installed: there is no server in ${LIBRARY} (Debian package rabbitmq-server)`);
  const folder = mkdtempSync(join(tmpdir(), 'bessemer-rabbit-'));
  const [port, distPort, epmdPort] = await freePorts(3);
  for (const name of ['mnesia', 'log', 'home']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'home', '.erlang.cookie'), 'bessemertests');
  chmodSync(join(folder, 'home', '.erlang.cookie'), 0o400);
  writeFileSync(join(folder, 'plugins'), '[].');
  writeFileSync(join(folder, 'env'), '');
  writeFileSync(
    join(folder, 'rabbit.conf'),
    'loopback_users = none\nvm_memory_high_watermark.absolute = 512MB\ndisk_free_limit.absolute = 50MB\n',
  );
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    HOME: join(folder, 'home'),
    RABBITMQ_NODENAME: `t${port}@localhost`,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbit'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'env'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  };
  let broker: { child: ChildProcess; ended: Promise<void>; output(): string } | undefined;

  /** The Erlang VM's own id: the script that started it is only its parent. */
  const vmPid = (): number | undefined => {
    const text = existsSync(join(folder, 'pid')) ? readFileSync(join(folder, 'pid'), 'utf8').trim() : '';
    return /^\d+$/.test(text) ? Number(text) : undefined;
  };
  const endNow = () => {
    const pid = vmPid();
    if (pid !== undefined) killQuietly(pid, 'SIGKILL');
    broker?.child.kill('SIGKILL');
  };

  async function start(): Promise<void> {
    rmSync(join(folder, 'pid'), { force: true });
    const child = spawn(join(LIBRARY, version!, 'sbin', 'rabbitmq-server'), [], {
      env,
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output = (output + chunk).slice(-4_000)));
    child.stderr.on('data', (chunk) => (output = (output + chunk).slice(-4_000)));
    const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
    broker = { child, ended, output: () => output };
    while (!(output.includes('Starting broker... completed') && (await isOpen(port!)))) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`RabbitMQ did not start: ${output}`);
      await pause();
    }
  }

  async function halt(how: 'stop' | 'kill'): Promise<void> {
    const pid = vmPid();
    if (pid !== undefined) killQuietly(pid, how === 'stop' ? 'SIGTERM' : 'SIGKILL');
    else broker?.child.kill('SIGKILL');
    await broker?.ended;
    while (pid !== undefined && isRunning(pid)) await pause();
    broker = undefined;
  }

  async function stop(): Promise<void> {
    await halt('stop');
    process.off('exit', endNow);
    // epmd outlives its node. It is the one that was started for our port.
    const epmd = findEpmd(epmdPort!, folder);
    if (epmd !== undefined) {
      killQuietly(epmd, 'SIGTERM');
      while (isRunning(epmd)) await pause();
    }
    rmSync(folder, { recursive: true, force: true });
  }

  process.once('exit', endNow);
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: new Secret(`amqp://guest:guest@127.0.0.1:${port}`), port: port!, halt, resume: start, stop };
}

function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

/** The epmd whose environment names our port and our folder. */
function findEpmd(port: number, folder: string): number | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (!readFileSync(`/proc/${name}/comm`, 'utf8').startsWith('epmd')) continue;
      const env = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0');
      if (env.includes(`ERL_EPMD_PORT=${port}`) && env.includes(`HOME=${join(folder, 'home')}`)) return Number(name);
    } catch {
      // It ended while we looked.
    }
  }
  return undefined;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket({ host: '127.0.0.1', port });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** Ports that were free a moment ago, all different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.on('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
