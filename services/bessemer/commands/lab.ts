/** `bessemer lab up|down|status`. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createLab, type Firmware, type Lab, openLab } from '@bessemer/lab';
import type { Clock, Log } from '@bessemer/ports';

interface LabCommand {
  readonly name: string;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where the state of a lab lies. */
const labStateDir = (stateDir: string, name: string): string => join(stateDir, `lab-${name}`);

/** The lab of that name. @throws Error with what to do when there is none. */
export function requireLab(command: LabCommand): Lab {
  const lab = openLab({
    stateDir: labStateDir(command.stateDir, command.name),
    clock: command.clock,
    log: command.log,
  });
  if (!lab)
    throw new Error(
      `there is no lab "${command.name}"; start one with: bessemer lab up --nodes 1${command.name === 'lab' ? '' : ` --name ${command.name}`}`,
    );
  return lab;
}

function wholeNumber(option: string, text: string, least: number): number {
  if (!/^\d{1,6}$/.test(text) || Number(text) < least)
    throw new Error(`--${option} must be a whole number of at least ${least}, not ${JSON.stringify(text)}`);
  return Number(text);
}

function show(lab: Lab, format: string, power: Readonly<Record<string, string>>): void {
  const rows = lab.nodes.map((n) => ({
    name: n.name,
    firmware: n.firmware,
    power: power[n.name] ?? 'power off',
    mac: n.mac,
    bmc: n.bmcAddress,
    user: n.bmcUser,
    password: n.bmcPassword,
    ssh: n.sshForwardPort === undefined ? '' : `127.0.0.1:${n.sshForwardPort}`,
    console: n.consoleLog,
  }));
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify({ name: lab.name, namespace: lab.namespace, nodes: rows }, null, 2)}\n`);
    return;
  }
  const heads = ['name', 'firmware', 'power', 'mac', 'bmc', 'user', 'password', 'ssh'] as const;
  const table = [heads.map(String), ...rows.map((r) => heads.map((h) => r[h]))];
  const widths = heads.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  for (const row of table)
    process.stdout.write(
      `${row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd()}\n`,
    );
}

export async function labUp(
  options: LabCommand & { nodes: string; firmware: Firmware | 'mixed'; memory: string; disk: string; format: string },
): Promise<void> {
  const { firmware } = options;
  const nodes = Array.from({ length: wholeNumber('nodes', options.nodes, 1) }, (_, i) => ({
    name: `n${i + 1}`,
    firmware: firmware === 'mixed' ? (i % 2 === 0 ? ('bios' as const) : ('uefi' as const)) : firmware,
    memoryMb: wholeNumber('memory', options.memory, 512),
    diskGb: wholeNumber('disk', options.disk, 1),
  }));
  const stateDir = labStateDir(options.stateDir, options.name);
  if (openLab({ stateDir, clock: options.clock, log: options.log }))
    throw new Error(`lab "${options.name}" is up already; take it away with: bessemer lab down --name ${options.name}`);
  const lab = createLab({
    name: options.name,
    nodes,
    stateDir,
    isDetached: true,
    clock: options.clock,
    log: options.log,
  });
  await lab.up();
  show(lab, options.format, {});
  if (options.format !== 'json')
    process.stdout.write(
      `\nThe service beside them: bessemer up --lab${options.name === 'lab' ? '' : ` ${options.name}`}\nAll away again:         bessemer lab down --name ${options.name}\n`,
    );
}

export async function labDown(options: LabCommand): Promise<void> {
  const stateDir = labStateDir(options.stateDir, options.name);
  const lab =
    openLab({ stateDir, clock: options.clock, log: options.log }) ??
    createLab({ name: options.name, nodes: [], stateDir, clock: options.clock, log: options.log });
  await lab.down();
  await rm(stateDir, { recursive: true, force: true });
  process.stdout.write(`lab "${options.name}" is gone\n`);
}

export async function labStatus(options: LabCommand & { format: string }): Promise<void> {
  const lab = requireLab(options);
  const status = await lab.status();
  show(lab, options.format, Object.fromEntries(Object.entries(status).map(([name, s]) => [name, `power ${s.power}`])));
}
