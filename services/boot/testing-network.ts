/** For tests: a network namespace with a bridge, clients in namespaces of their own, and the boot service inside. */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BootConfig } from './boot.ts';
import type { BootAnswer, BootEvent } from './directory.ts';

const run = promisify(execFile);
const ip = (...args: string[]) => run('ip', args);
let made = 0;

export interface TestNetwork {
  readonly namespace: string;
  readonly bridge: string;
  /** 198.51.100.1, in 198.51.100.0/24. */
  readonly address: string;
  /** A namespace with one interface `eth0` of this MAC on the bridge. */
  addClient(mac: string): Promise<{ readonly namespace: string }>;
  /** A tap on the bridge. */
  addTap(name: string): Promise<void>;
  /** A command inside a namespace (the bridge's unless given), to its end. */
  run(command: readonly string[], namespace?: string): Promise<string>;
  /** A process inside the bridge's namespace; killed by `remove`. */
  spawn(command: readonly string[]): ChildProcess;
  /** Ends every process it started, and takes the namespaces away. */
  remove(): Promise<void>;
}

export async function createTestNetwork(): Promise<TestNetwork> {
  const namespace = `bmr-boot-${process.pid}-${++made}`;
  const namespaces = [namespace];
  const children: Array<{ child: ChildProcess; ended: Promise<unknown> }> = [];
  await ip('netns', 'add', namespace);
  await ip('-n', namespace, 'link', 'set', 'lo', 'up');
  await ip('-n', namespace, 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0');
  await ip('-n', namespace, 'addr', 'add', '198.51.100.1/24', 'dev', 'br0');
  await ip('-n', namespace, 'link', 'set', 'br0', 'up');
  return {
    namespace,
    bridge: 'br0',
    address: '198.51.100.1',
    async addClient(mac) {
      const own = `${namespace}-c${namespaces.length}`;
      const port = `port${namespaces.length}`;
      await ip('netns', 'add', own);
      namespaces.push(own);
      const peer = ['type', 'veth', 'peer', 'name', 'eth0', 'address', mac, 'netns', own];
      await ip('-n', namespace, 'link', 'add', port, ...peer);
      await ip('-n', namespace, 'link', 'set', port, 'master', 'br0', 'up');
      await ip('-n', own, 'link', 'set', 'lo', 'up');
      await ip('-n', own, 'link', 'set', 'eth0', 'up');
      return { namespace: own };
    },
    async addTap(name) {
      await ip('-n', namespace, 'tuntap', 'add', 'dev', name, 'mode', 'tap');
      await ip('-n', namespace, 'link', 'set', name, 'master', 'br0', 'up');
    },
    async run(command, inside = namespace) {
      const { stdout } = await run('ip', ['netns', 'exec', inside, ...command], { maxBuffer: 64 * 1024 * 1024 });
      return stdout;
    },
    spawn(command) {
      const args = ['netns', 'exec', namespace, 'setpriv', '--pdeathsig', 'KILL', '--', ...command];
      const child = spawn('ip', args, { stdio: ['pipe', 'pipe', 'inherit'] });
      children.push({ child, ended: new Promise((resolve) => child.once('close', resolve)) });
      return child;
    },
    async remove() {
      for (const { child } of children) child.kill('SIGKILL');
      await Promise.all(children.map(({ ended }) => ended));
      for (const each of namespaces.reverse()) await ip('netns', 'del', each);
    },
  };
}

/** A line of `testing-process.ts`. */
export type BootLine = Record<string, unknown> & {
  event?: BootEvent;
  children?: { dnsmasq: number; routerAdvertiser: number };
};

export interface BootProcess {
  readonly child: ChildProcess;
  readonly lines: readonly BootLine[];
  /** The first line, past or future, that fits; rejects when the process ends before. */
  line(fits: (line: BootLine) => boolean): Promise<BootLine>;
  answer(mac: string, answer: BootAnswer): void;
  /** Ends it in order. */
  stop(): Promise<void>;
}

/** Starts the boot service in the network's namespace and waits until it works. */
export async function startBootProcess(
  network: TestNetwork,
  config: BootConfig,
  answers: Record<string, BootAnswer> = {},
): Promise<BootProcess> {
  const child = network.spawn([process.execPath, fileURLToPath(new URL('testing-process.ts', import.meta.url))]);
  const lines: BootLine[] = [];
  const waiting = new Set<{
    fits: (line: BootLine) => boolean;
    resolve(line: BootLine): void;
    reject(e: Error): void;
  }>();
  createInterface({ input: child.stdout! }).on('line', (text) => {
    const line = JSON.parse(text) as BootLine;
    lines.push(line);
    for (const waiter of waiting)
      if (waiter.fits(line)) {
        waiting.delete(waiter);
        waiter.resolve(line);
      }
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      for (const waiter of waiting) waiter.reject(new Error(`boot ended; it said ${JSON.stringify(lines.slice(-5))}`));
      resolve();
    });
  });
  const send = (what: unknown) => void child.stdin!.write(`${JSON.stringify(what)}\n`);
  const started: BootProcess = {
    child,
    lines,
    line(fits) {
      const past = lines.find(fits);
      if (past) return Promise.resolve(past);
      return new Promise((resolve, reject) => waiting.add({ fits, resolve, reject }));
    },
    answer: (mac, answer) => send({ mac, answer }),
    async stop() {
      child.stdin!.end();
      await ended;
    },
  };
  send({ config, answers });
  await started.line((line) => 'ready' in line);
  return started;
}
