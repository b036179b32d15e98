/** The processes of a lab: `daemon STATE` inside its network namespace, `forwarder STATE` outside. Started by `createLab`. */
import { readFileSync } from 'node:fs';
import type { Log } from '@bessemer/ports';
import { systemClock, systemDatagrams, systemRandom } from '@bessemer/ports/node';
import { referenceBmcStarter } from './bmc.ts';
import { dialSocket, runLabDaemon } from './daemon.ts';
import type { LabConfig } from './daemon.ts';
import { startForwarder } from './forwarder.ts';

/** Standard error is the log file: one JSON object per line. */
function stderrLog(bound: Record<string, unknown> = {}): Log {
  const write = (level: string) => (message: string, fields?: Record<string, unknown>) =>
    void process.stderr.write(
      `${JSON.stringify({ time: new Date(systemClock.nowMs()).toISOString(), level, message, ...bound, ...fields })}\n`,
    );
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => stderrLog({ ...bound, ...fields }),
  };
}

const [role, statePath] = process.argv.slice(2);
if ((role !== 'daemon' && role !== 'forwarder') || !statePath) {
  process.stderr.write('usage: main.ts daemon|forwarder STATE_FILE (these are started by `bessemer lab up`)\n');
  process.exit(2);
}
const config = JSON.parse(readFileSync(statePath, 'utf8')) as LabConfig;
const log = stderrLog();

if (role === 'daemon') {
  const startBmc = referenceBmcStarter({ datagrams: systemDatagrams, clock: systemClock, random: systemRandom });
  const daemon = await runLabDaemon({ config, startBmc, clock: systemClock, log });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void daemon.stop());
  process.stdout.write('ready\n');
  await daemon.stopped;
  process.exit(0);
} else {
  const ports: number[] = [];
  for (const node of config.nodes) {
    const target = { mac: node.mac, port: 22 };
    ports.push((await startForwarder({ socketPath: dialSocket(config.stateDir), target })).port);
  }
  process.stdout.write(`${JSON.stringify(ports)}\n`);
}
