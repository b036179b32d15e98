/** What runs inside the lab's namespace: the servers, their BMCs, the dialler, and the control socket. */
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ChassisBackend, ChassisControl } from '@bessemer/ipmi/bmc';
import type { Clock, Log } from '@bessemer/ports';
import { startControlServer } from './control.ts';
import type { ControlHandler } from './control.ts';
import type { Firmware, MachineSpec } from './command-line.ts';
import { startDialler } from './forwarder.ts';
import { createMachine } from './machine.ts';
import type { Machine } from './machine.ts';
import { tapOf } from './network.ts';
import { qemuLauncher } from './process.ts';

/** One server as the lab's owner described it, with everything decided. JSON: it is the daemon's configuration. */
export interface LabNodeConfig {
  readonly name: string;
  readonly firmware: Firmware;
  readonly memoryMb: number;
  readonly cpus: number;
  readonly diskGb: number;
  readonly mac: string;
  readonly bmcAddress: string;
  readonly bmcUser: string;
  readonly bmcPassword: string;
}

export interface LabConfig {
  readonly name: string;
  readonly namespace: string;
  readonly stateDir: string;
  readonly nodes: readonly LabNodeConfig[];
}

/** Starts one BMC in front of a server, on UDP 623 of its own address. */
export type StartBmc = (options: {
  chassis: ChassisBackend;
  address: string;
  user: string;
  password: string;
  log: Log;
}) => Promise<{ close(): Promise<void> }>;

export const controlSocket = (stateDir: string): string => join(stateDir, 'control.sock');
export const dialSocket = (stateDir: string): string => join(stateDir, 'dial.sock');
const nodeDir = (stateDir: string, name: string): string => join(stateDir, 'nodes', name);
export const diskPath = (stateDir: string, name: string): string => join(nodeDir(stateDir, name), 'disk.raw');
export const consoleLog = (stateDir: string, name: string): string => join(nodeDir(stateDir, name), 'console.log');

/** What QEMU needs to know of a server. Paths are relative to the server's folder: unix socket paths have a short limit. */
export function machineSpec(node: LabNodeConfig, index: number): MachineSpec {
  return {
    name: node.name,
    firmware: node.firmware,
    memoryMb: node.memoryMb,
    cpus: node.cpus,
    mac: node.mac,
    tap: tapOf(index),
    diskPath: 'disk.raw',
    // virtio-blk has room for 20 bytes.
    diskSerial: `disk-${node.name}`.slice(0, 20),
    serial: `LAB-${node.name}`,
    uuid: `b3553e12-0000-4000-8000-${node.mac.replaceAll(':', '').toLowerCase()}`,
    consoleLogPath: 'console.log',
    serialSocketPath: 'serial.sock',
    varsPath: 'uefi-vars.fd',
  };
}

/** Makes the folder, the sparse disk and the console log of a server; what is there already stays. */
async function prepareNode(stateDir: string, node: LabNodeConfig): Promise<void> {
  await mkdir(nodeDir(stateDir, node.name), { recursive: true });
  await writeFile(consoleLog(stateDir, node.name), '', { flag: 'a' });
  const disk = diskPath(stateDir, node.name);
  if (existsSync(disk)) return;
  await writeFile(disk, '');
  await truncate(disk, node.diskGb * 2 ** 30);
}

const CONTROLS: readonly string[] = ['on', 'off', 'cycle', 'reset', 'soft', 'diag'] satisfies ChassisControl[];

/**
 * Runs a lab in the namespace of this process. Resolves when everything listens; `stopped` resolves when it was told to
 * end (`stop` or the control socket's `shutdown`) and all servers are off.
 */
export async function runLabDaemon(deps: {
  config: LabConfig;
  startBmc: StartBmc;
  clock: Clock;
  log: Log;
}): Promise<{ stop(): Promise<void>; readonly stopped: Promise<void> }> {
  const { config, startBmc, clock, log } = deps;
  const machines = new Map<string, Machine>();
  const closers: Array<() => Promise<void>> = [];
  const ended = Promise.withResolvers<void>();
  let stopping: Promise<void> | undefined;

  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      await Promise.all([...machines.values()].map((machine) => machine.powerCut()));
      for (const close of closers.toReversed()) await close();
      ended.resolve();
    })();
    return stopping;
  };

  const machineOf = (request: Readonly<Record<string, unknown>>): Machine => {
    const machine = machines.get(String(request.node));
    if (!machine)
      throw new Error(`no server named "${String(request.node)}": this lab has ${[...machines.keys()].join(', ')}`);
    return machine;
  };

  const handlers: Record<string, ControlHandler> = {
    status: async () => Object.fromEntries([...machines].map(([name, machine]) => [name, machine.status()])),
    powerCut: async (request) => machineOf(request).powerCut(),
    async power(request) {
      const action = String(request.action);
      if (!CONTROLS.includes(action)) throw new Error(`power action "${action}" is none of ${CONTROLS.join(', ')}`);
      await machineOf(request).control(action as ChassisControl);
    },
    async shutdown() {
      // The answer goes out first: stopping ends this connection too.
      queueMicrotask(() => void stop());
    },
  };

  try {
    for (const [index, node] of config.nodes.entries()) {
      await prepareNode(config.stateDir, node);
      const spec = machineSpec(node, index);
      const nodeLog = log.child({ node: node.name });
      const launch = qemuLauncher(nodeDir(config.stateDir, node.name), spec);
      const machine = createMachine({ spec, launch, clock, log: nodeLog });
      machines.set(node.name, machine);
      const bmc = await startBmc({
        chassis: machine,
        address: node.bmcAddress,
        user: node.bmcUser,
        password: node.bmcPassword,
        log: nodeLog,
      });
      closers.push(() => bmc.close());
    }
    const dialler = await startDialler(dialSocket(config.stateDir));
    closers.push(() => dialler.close());
    const control = await startControlServer(controlSocket(config.stateDir), handlers);
    closers.push(() => control.close());
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop, stopped: ended.promise };
}
