/** The agent's process in the ramdisk: `node agent.mjs [--cmdline FILE]`. */
import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import type { Log } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import { createAgent } from './agent.ts';
import { parseCmdline } from './cmdline.ts';
import { createDepotHttp } from './depot-http.ts';
import { createLinuxDisks } from './linux-disks.ts';
import { createLinuxHardware } from './linux-hardware.ts';
import { runProcess } from './process.ts';
import { threadedSha256 } from './sha256.ts';
import { reasonOf } from './step-failure.ts';
import { connectPinned } from './ws-channel.ts';

const CLOCK_TOLERANCE_MS = 60_000;

/** Lines for the machine's console. */
function consoleLog(fixed: Record<string, unknown> = {}): Log {
  const line =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      const all = { ...fixed, ...fields };
      const shown = Object.entries(all).map(
        ([name, value]) => ` ${name}=${inspect(value, { breakLength: Infinity, depth: 3 })}`,
      );
      process.stderr.write(`agent ${level}: ${message}${shown.join('')}\n`);
    };
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    child: (fields) => consoleLog({ ...fixed, ...fields }),
  };
}

async function main(argv: readonly string[]): Promise<void> {
  const log = consoleLog();
  const clock = systemClock;
  const file = argv[0] === '--cmdline' ? argv[1] : '/proc/cmdline';
  const config = parseCmdline(await readFile(file ?? '/proc/cmdline', 'utf8'));
  if (!config.ok) throw new Error(config.error);
  const { timeMs, pin, bootMac } = config.value;
  if (timeMs !== undefined && clock.nowMs() < timeMs - CLOCK_TOLERANCE_MS)
    await runProcess(clock, 'date', ['-u', '-s', `@${Math.floor(timeMs / 1000)}`]).catch((error: unknown) =>
      log.warn(`the clock cannot be set: ${reasonOf(error)}`),
    );
  const disks = createLinuxDisks({ clock, log });
  const agent = createAgent({
    connect: (url) => connectPinned(url, pin, clock),
    clock,
    random: systemRandom,
    log,
    hardware: createLinuxHardware({ clock, log, listDisks: disks.list, ...(bootMac ? { bootMac } : {}) }),
    disks,
    http: createDepotHttp({ clock }),
    sha256: threadedSha256,
    cmdline: config.value,
  });
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => void agent.stop());
  await agent.run();
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`agent error: ${reasonOf(error)}\n`);
  process.exitCode = 1;
});
