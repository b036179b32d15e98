/**
 * Records the captures in testdata/ anew: `node packages/ipmi/testing/record-captures.ts`. What they hold was said by
 * foreign programs: at suite 3 on both sides (ipmitool on ipmi_sim), at suite 17 on the console's (ipmitool on our BMC).
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret, silentLog } from '@bessemer/ports';
import { systemClock, systemDatagrams, systemRandom } from '@bessemer/ports/node';
import { createMemoryChassis, createReferenceBmc } from '../bmc/index.ts';
import type { Capture, CapturedDatagram } from './captures.ts';
import { startIpmiSim } from './ipmi-sim.ts';
import { run } from './run.ts';
import { createUdpRelay } from './udp-relay.ts';

const TESTDATA = join(import.meta.dirname, '..', 'testdata');
const COMMANDS = [
  ['power', 'status'],
  ['power', 'on'],
  ['chassis', 'bootdev', 'pxe', 'options=efiboot'],
  ['mc', 'info'],
];

async function record(suite: number, target: { address: string; port: number }, bmc: string): Promise<void> {
  const sessions: CapturedDatagram[][] = [];
  for (const command of COMMANDS) {
    const datagrams: CapturedDatagram[] = [];
    const relay = await createUdpRelay({
      datagrams: systemDatagrams,
      clock: systemClock,
      random: systemRandom,
      target,
      drop: 0,
      duplicate: 0,
      reorder: 0,
      reorderMs: 0,
      onDatagram: (from, data) => datagrams.push({ from, hex: Buffer.from(data).toString('hex') }),
    });
    const { address, port } = relay.local;
    const where = ['-I', 'lanplus', '-H', address, '-p', String(port), '-C', String(suite)];
    const result = await run('ipmitool', [...where, '-U', 'admin', '-P', 'password', ...command]);
    if (result.exitCode !== 0) throw new Error(`ipmitool ${command.join(' ')}: ${result.output}`);
    await relay.close();
    sessions.push(datagrams);
  }
  const version = (await run('ipmitool', ['-V'])).output.trim();
  const capture: Capture = {
    source: `${version} -I lanplus -C ${suite} on ${bmc}: ${COMMANDS.map((command) => command.join(' ')).join('; ')}`,
    suite,
    username: 'admin',
    password: 'password',
    sessions,
  };
  await mkdir(TESTDATA, { recursive: true });
  await writeFile(join(TESTDATA, `ipmitool-suite-${suite}.json`), `${JSON.stringify(capture, undefined, 1)}\n`);
}

const sim = await startIpmiSim();
const bmc = createReferenceBmc({
  datagrams: systemDatagrams,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  address: '127.0.0.1',
  port: 0,
  users: [{ name: 'admin', password: new Secret('password'), privilege: 'ADMINISTRATOR' }],
  chassis: createMemoryChassis(systemClock),
});
await bmc.start();
try {
  await record(3, sim, "OpenIPMI's ipmi_sim 2.0.33");
  await record(17, bmc.local!, 'the reference BMC');
} finally {
  await bmc.stop();
  await sim.stop();
}
