/** From `node deploy` to the first SSH login, beside the floor: the same by hand, with the least that can do it. */
import { parseArgs } from 'node:util';
import { testImage, type CommandResult, runCommand } from '../e2e/world.ts';
import { createFloor } from './deploy-floor.ts';
import { createOurs, type OurDeployment } from './deploy-ours.ts';
import { PHASES, type Measured, type Phase } from './deploy-phases.ts';
import type { Benchmark, BenchOptions, BenchResult } from './result.ts';

type Firmware = 'bios' | 'uefi';

const median = (list: readonly number[]): number => {
  const sorted = list.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};
const rounded = (value: number): number => Math.round(value * 100) / 100;
const spread = (list: readonly number[]): string =>
  `${median(list).toFixed(1)} (${Math.min(...list).toFixed(1)}-${Math.max(...list).toFixed(1)})`;

function readArgs(args: readonly string[]): { firmwares: Firmware[]; runs: number; isTraced: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      firmware: { type: 'string', default: 'both' },
      runs: { type: 'string', default: '3' },
      trace: { type: 'boolean', default: false },
    },
  });
  const { firmware, runs } = values;
  if (firmware !== 'bios' && firmware !== 'uefi' && firmware !== 'both')
    throw new Error(`--firmware is bios, uefi or both, not "${firmware}"`);
  if (!/^[1-9]\d?$/.test(runs)) throw new Error(`--runs is a number from 1 to 99, not "${runs}"`);
  return {
    firmwares: firmware === 'both' ? ['bios', 'uefi'] : [firmware],
    runs: Number(runs),
    isTraced: values.trace,
  };
}

interface Series {
  readonly firmware: Firmware;
  readonly ours: OurDeployment[];
  readonly floor: Measured[];
}

/** Rejects when the benchmark is told to end: its servers would go on without it. */
const interruption = (): Promise<never> =>
  new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => reject(new Error(`ended by ${signal}`)));
  });

async function measure(options: BenchOptions): Promise<{ cold: OurDeployment; measured: Series[] }> {
  const { say } = options;
  const { firmwares, runs, isTraced } = readArgs(options.args);
  const nodes = firmwares.map((firmware) => ({ name: firmware, firmware }));
  say('image and ramdisk');
  const image = await testImage('small');
  const ours = await createOurs(nodes, image);
  const shown = ({ seconds, cpuSeconds }: Measured): string =>
    `${PHASES.map((phase) => `${phase} ${seconds[phase].toFixed(1)}`).join(', ')} (cpu ${PHASES.map((phase) => cpuSeconds[phase].toFixed(1)).join(' ')})`;
  const deployOurs = async (name: string): Promise<OurDeployment> => {
    const one = await ours.deploy(name);
    say(`ours  ${name}: ${shown(one)}, active ${one.active.toFixed(1)}`);
    if (isTraced) for (const event of one.events) say(`  ${event.seconds.toFixed(2).padStart(6)} ${event.text}`);
    return one;
  };
  try {
    const floor = await createFloor(nodes, image);
    try {
      const work = async () => {
        say('the first deployment: the depot does not have the image yet');
        const cold = await deployOurs(firmwares[0]!);
        const measured: Series[] = [];
        for (const firmware of firmwares) {
          const row: Series = { firmware, ours: [], floor: [] };
          measured.push(row);
          for (let run = 0; run < runs; run++) {
            const one = await floor.deploy(firmware);
            say(`floor ${firmware}: ${shown(one)}`);
            row.floor.push(one);
            row.ours.push(await deployOurs(firmware));
          }
        }
        return { cold, measured };
      };
      return await Promise.race([work(), interruption()]);
    } finally {
      await floor.close();
    }
  } finally {
    await ours.close();
  }
}

const firstLine = ({ out }: CommandResult): string => out.split('\n')[0]!.trim();

export const deployBenchmark: Benchmark = {
  name: 'deploy',
  summary:
    'from `node deploy` to the first SSH login, beside the same done by hand [--firmware bios|uefi|both] [--runs N]',
  async run(options): Promise<BenchResult> {
    const { cold, measured } = await measure(options);
    const table: string[][] = [['seconds since the order, median (min-max)', ...PHASES, 'active']];
    const figures: Record<string, number> = {};
    const ratios: Record<string, number> = {};
    for (const { firmware, ours, floor } of measured) {
      const active = ours.map((one) => one.active);
      for (const unit of ['seconds', 'cpuSeconds'] as const) {
        const column = (side: readonly Measured[], phase: Phase) => side.map((one) => one[unit][phase]);
        const suffix = unit === 'seconds' ? 's' : 'cpu_s';
        const label = `${firmware}${unit === 'seconds' ? '' : ' cpu'}`;
        for (const [name, side] of Object.entries({ floor, ours }))
          for (const phase of PHASES)
            figures[`${firmware}_${name}_${phase.replaceAll(' ', '_')}_${suffix}`] = rounded(
              median(column(side, phase)),
            );
        const difference = PHASES.map((phase) => median(column(ours, phase)) - median(column(floor, phase)));
        table.push(
          [`${label} by hand`, ...PHASES.map((phase) => spread(column(floor, phase))), ''],
          [
            `${label} ours`,
            ...PHASES.map((phase) => spread(column(ours, phase))),
            unit === 'seconds' ? spread(active) : '',
          ],
          [`${label} difference`, ...difference.map((d) => `${d < 0 ? '' : '+'}${d.toFixed(1)}`), ''],
        );
        figures[`${firmware}_difference_${suffix}`] = rounded(difference.at(-1)!);
        ratios[`${firmware}_ours_to_floor${unit === 'seconds' ? '' : '_cpu'}`] = rounded(
          median(column(ours, 'ssh')) / median(column(floor, 'ssh')),
        );
      }
      figures[`${firmware}_ours_active_s`] = rounded(median(active));
    }
    const coldName = `${measured[0]!.firmware} ours, image not in the depot (1 run)`;
    table.push([coldName, ...PHASES.map((phase) => cold.seconds[phase].toFixed(1)), cold.active.toFixed(1)]);
    figures[`${measured[0]!.firmware}_ours_cold_ssh_s`] = rounded(cold.seconds.ssh);
    const qemu = firstLine(await runCommand(['qemu-system-x86_64', '--version']));
    const dnsmasq = firstLine(await runCommand(['dnsmasq', '--version']));
    const ipmitool = firstLine(await runCommand(['ipmitool', '-V']));
    return {
      table,
      figures,
      ratios,
      method:
        'Emulated servers (QEMU, no KVM), two of the same kind in two networks; by hand and ours in turn, each onto an empty disk. ' +
        'By hand: ipmitool, dnsmasq, a Node server that has the used MiB of the raw image ready, the same kernel and ramdisk with an agent of 70 lines ' +
        'that verifies nothing, a config drive, power cycle. Ours: PUT states/provision, config drive with host key, the image in the depot since an earlier deployment, ' +
        'every extent verified. Both ends: a login by key over SSH, tried every 200 ms. "cpu" are the CPU seconds of the emulated server up to the phase, which other work on the machine moves less. "active" is when the service says so.',
      versions: { qemu, dnsmasq, ipmitool },
    };
  },
};
