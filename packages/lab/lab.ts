/**
 * A lab: virtual servers with BMCs in a network namespace of their own. The servers and BMCs run in a daemon inside the
 * namespace; this side makes and removes the network, forwards loopback ports, and tells the daemon things.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep } from '@bessemer/ports';
import type { Clock, Log } from '@bessemer/ports';
import { callControl } from './control.ts';
import type { Firmware } from './command-line.ts';
import { consoleLog, controlSocket, dialSocket, diskPath } from './daemon.ts';
import type { LabConfig, LabNodeConfig } from './daemon.ts';
import { startForwarder } from './forwarder.ts';
import type { ForwardTarget, Forwarder } from './forwarder.ts';
import type { MachineStatus } from './machine.ts';
import { bmcAddressOf, createNetwork, destroyNetwork, MAX_NODES, namespaceExists } from './network.ts';
import { lastLines, processStart, spawnBound, tryCommand } from './process.ts';
import type { CommandResult } from './process.ts';

/** A server as its owner wants it. */
export interface LabNodeOptions {
  /** Letters, digits and hyphens. */
  readonly name: string;
  readonly firmware: Firmware;
  /** Default 1536: enough for the ramdisk and the page cache of an image. */
  readonly memoryMb?: number;
  readonly cpus?: number;
  /** Size of the disk, sparse. Default 8. */
  readonly diskGb?: number;
  readonly mac?: string;
}

/** A server as others see it. */
export interface LabNode extends LabNodeConfig {
  readonly consoleLog: string;
  readonly diskPath: string;
  /** Loopback port of the host that leads to port 22 of whatever runs on the server; set once the lab is up. */
  readonly sshForwardPort: number | undefined;
}

export interface LabOptions {
  /** Names the network namespace (`bmr-NAME`): two labs at once need two names. */
  readonly name: string;
  readonly nodes: readonly LabNodeOptions[];
  /** Disks, console logs, sockets: made by `up`, removed by `down`. Short: a unix socket's path has 107 bytes at most. */
  readonly stateDir: string;
  /** The lab goes on when this process ends, until someone calls `down`. Default: it dies with this process, however that ends. */
  readonly isDetached?: boolean;
  readonly bmcUser?: string;
  readonly bmcPassword?: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Lab {
  readonly name: string;
  readonly namespace: string;
  readonly nodes: readonly LabNode[];
  /** Makes network, servers (off) and BMCs. What an earlier run of this name left is taken away first. */
  up(): Promise<void>;
  /** Takes everything away, whatever state it is in, also after `kill -9` of the daemon. Safe to repeat. */
  down(): Promise<void>;
  /** Pulls the plug of a server. */
  powerCut(node: string): Promise<void>;
  status(): Promise<Record<string, MachineStatus>>;
  /** Runs a command inside the lab's network to its end. */
  run(
    argv: readonly string[],
    options?: { input?: string; cwd?: string; env?: NodeJS.ProcessEnv },
  ): Promise<CommandResult>;
  /** Starts a long-running process inside the lab's network that dies with this one. */
  spawn(argv: readonly string[], options?: SpawnOptions): ChildProcess;
  /** The same command, to be run inside the lab's network. */
  inside(argv: readonly string[]): string[];
  /** Opens a loopback port of the host that leads into the lab, until `down` or the end of this process. */
  forward(target: ForwardTarget, port?: number): Promise<Forwarder>;
}

interface OwnedProcess {
  readonly pid: number;
  readonly start: string | undefined;
}

/** What `down` of another process needs to know. */
interface LabState extends LabConfig {
  readonly processes: readonly OwnedProcess[];
  readonly sshForwardPorts: readonly number[];
}

const stateFile = (stateDir: string): string => join(stateDir, 'lab.json');
const SOCKET_PATH_MAX = 107;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9-]{0,30}$/;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** Checks what the owner asked for and decides the rest. Throws an Error that says what is wrong. */
export function labConfig(
  options: Pick<LabOptions, 'name' | 'nodes' | 'stateDir' | 'bmcUser' | 'bmcPassword'>,
): LabConfig {
  const stateDir = resolve(options.stateDir);
  if (!NAME.test(options.name)) throw new Error(`lab name "${options.name}": letters, digits and hyphens, 31 at most`);
  if (options.nodes.length > MAX_NODES) throw new Error(`a lab has at most ${MAX_NODES} servers`);
  if (Buffer.byteLength(controlSocket(stateDir)) > SOCKET_PATH_MAX)
    throw new Error(`lab state directory ${stateDir}: too long for the unix sockets in it, take a shorter path`);
  const names = new Set<string>();
  const nodes = options.nodes.map((node, index): LabNodeConfig => {
    if (!NAME.test(node.name)) throw new Error(`server name "${node.name}": letters, digits and hyphens, 31 at most`);
    if (names.has(node.name)) throw new Error(`two servers are named "${node.name}"`);
    names.add(node.name);
    const mac = (node.mac ?? `52:54:00:b5:00:${(index + 1).toString(16).padStart(2, '0')}`).toLowerCase();
    if (!MAC.test(mac)) throw new Error(`server ${node.name}: "${mac}" is no MAC address`);
    return {
      name: node.name,
      firmware: node.firmware,
      memoryMb: node.memoryMb ?? 1536,
      cpus: node.cpus ?? 2,
      diskGb: node.diskGb ?? 8,
      mac,
      bmcAddress: bmcAddressOf(index),
      bmcUser: options.bmcUser ?? 'admin',
      bmcPassword: options.bmcPassword ?? 'password',
    };
  });
  return { name: options.name, namespace: `bmr-${options.name}`, stateDir, nodes };
}

function readState(stateDir: string): LabState | undefined {
  try {
    return JSON.parse(readFileSync(stateFile(stateDir), 'utf8')) as LabState;
  } catch {
    return undefined;
  }
}

/** The first line a child prints, or its end with the last words of its log. */
function firstLineOf(child: ChildProcess, what: string, logPath: string): Promise<string> {
  return new Promise((done, reject) => {
    let text = '';
    const ended = (code: number | null): void => {
      reject(new Error(`${what} ended with ${code} before it was ready: ${lastLines(logPath, 3)} (log: ${logPath})`));
    };
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const end = text.indexOf('\n');
      if (end < 0) return;
      child.off('exit', ended);
      done(text.slice(0, end));
    });
    child.on('error', reject);
    child.on('exit', ended);
  });
}

type LabDeps = Pick<LabOptions, 'isDetached' | 'clock' | 'log'>;

/** A lab that is described and not yet started. `down` may be called at once, to clean up after an earlier run. */
export function createLab(options: LabOptions): Lab {
  return labOf(labConfig(options), options);
}

function labOf(config: LabConfig, options: LabDeps): Lab {
  const { clock, log } = options;
  const { stateDir, namespace } = config;
  const main = [process.execPath, fileURLToPath(new URL('./main.ts', import.meta.url))];
  const forwarders: Forwarder[] = [];
  let sshForwardPorts: readonly number[] = readState(stateDir)?.sshForwardPorts ?? [];

  const inside = (argv: readonly string[]): string[] => ['ip', 'netns', 'exec', namespace, ...argv];

  const startHelper = async (what: string, argv: readonly string[]): Promise<{ line: string; owned: OwnedProcess }> => {
    const logPath = join(stateDir, `${what}.log`);
    const logFile = openSync(logPath, 'a');
    const stdio: SpawnOptions['stdio'] = ['ignore', 'pipe', logFile];
    const child = options.isDetached
      ? spawn(argv[0] ?? '', argv.slice(1), { stdio, detached: true })
      : spawnBound(argv, { stdio });
    closeSync(logFile);
    const line = await firstLineOf(child, what, logPath);
    child.stdout?.destroy();
    child.unref();
    const pid = child.pid ?? 0;
    return { line, owned: { pid, start: processStart(pid) } };
  };

  const forward = async (target: ForwardTarget, port?: number): Promise<Forwarder> => {
    const forwarder = await startForwarder({
      socketPath: dialSocket(stateDir),
      target,
      ...(port === undefined ? {} : { port }),
    });
    forwarders.push(forwarder);
    return forwarder;
  };

  const down = async (): Promise<void> => {
    for (const forwarder of forwarders.splice(0)) await forwarder.close();
    await callControl(controlSocket(stateDir), 'shutdown').catch(() => {});
    await destroyNetwork({ namespace, clock });
    for (const { pid, start } of readState(stateDir)?.processes ?? []) {
      if (start === undefined) continue;
      for (let waitedMs = 0; processStart(pid) === start && waitedMs < 10_000; waitedMs += 20) {
        process.kill(pid, 'SIGKILL');
        await sleep(clock, 20);
      }
    }
    await rm(stateDir, { recursive: true, force: true });
    sshForwardPorts = [];
  };

  const up = async (): Promise<void> => {
    if (readState(stateDir) || namespaceExists(namespace)) await down();
    await mkdir(stateDir, { recursive: true });
    const processes: OwnedProcess[] = [];
    const remember = async (): Promise<void> => {
      const state: LabState = { ...config, processes, sshForwardPorts };
      await writeFile(stateFile(stateDir), `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
    };
    await remember();
    try {
      await createNetwork({ namespace, nodeCount: config.nodes.length, clock, log });
      const daemon = await startHelper('daemon', inside([...main, 'daemon', stateFile(stateDir)]));
      processes.push(daemon.owned);
      await remember();
      if (options.isDetached) {
        const forwarder = await startHelper('forwarder', [...main, 'forwarder', stateFile(stateDir)]);
        processes.push(forwarder.owned);
        sshForwardPorts = JSON.parse(forwarder.line) as number[];
      } else {
        const ports: number[] = [];
        for (const node of config.nodes) ports.push((await forward({ mac: node.mac, port: 22 })).port);
        sshForwardPorts = ports;
      }
      await remember();
    } catch (error) {
      await down().catch((cause: Error) => log.error('the lab was not taken away', { error: cause.message }));
      throw error;
    }
  };

  return {
    name: config.name,
    namespace,
    get nodes() {
      return config.nodes.map((node, index) => ({
        ...node,
        consoleLog: consoleLog(stateDir, node.name),
        diskPath: diskPath(stateDir, node.name),
        sshForwardPort: sshForwardPorts[index],
      }));
    },
    up,
    down,
    async powerCut(node) {
      await callControl(controlSocket(stateDir), 'powerCut', { node });
    },
    status: async () => (await callControl(controlSocket(stateDir), 'status')) as Record<string, MachineStatus>,
    run: (argv, runOptions) => tryCommand(inside(argv), runOptions),
    spawn: (argv, spawnOptions) => spawnBound(inside(argv), spawnOptions ?? {}),
    inside,
    forward,
  };
}

/**
 * The lab that was started in `stateDir`, by this process or another: to ask it, or to take it away.
 * Undefined when there is none.
 */
export function openLab(options: Pick<LabOptions, 'stateDir'> & LabDeps): Lab | undefined {
  const state = readState(resolve(options.stateDir));
  return state && labOf(state, options);
}
