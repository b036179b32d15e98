/**
 * The boot service as a process of its own, for tests that run it inside a network namespace. The first line of stdin is
 * `{config, answers: {MAC: BootAnswer}}`; each later one `{mac, answer}`. Stdout has `{ready: addresses, children}` and then one
 * line `{event}` or `{unknown}` for everything seen. It ends when stdin does.
 */
import { createInterface } from 'node:readline';
import { silentLog } from '@bessemer/ports';
import type { Log } from '@bessemer/ports';
import { systemClock, systemDatagrams, systemRandom } from '@bessemer/ports/node';
import { createBoot } from './boot.ts';
import type { Boot } from './boot.ts';
import { createMemoryDirectory } from './testing.ts';

const memory = createMemoryDirectory();
const say = (what: unknown) => process.stdout.write(`${JSON.stringify(what)}\n`);
const log: Log = {
  ...silentLog,
  warn: (message, fields) => say({ log: message, ...fields }),
  error: (message, fields) => say({ log: message, ...fields }),
  child: () => log,
};
const directory = {
  ...memory,
  async recordBoot(event: Parameters<typeof memory.recordBoot>[0]) {
    say({ event });
  },
  async recordUnknown(unknown: Parameters<typeof memory.recordUnknown>[0]) {
    say({ unknown });
  },
};
let boot: Boot | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.mac) {
    memory.answers.set(order.mac, order.answer);
    continue;
  }
  for (const [mac, answer] of Object.entries(order.answers)) memory.answers.set(mac, answer as never);
  boot = createBoot({
    directory,
    clock: systemClock,
    random: systemRandom,
    datagrams: systemDatagrams,
    log,
    config: order.config,
  });
  try {
    await boot.start();
  } catch (error) {
    say({ failed: (error as Error).message });
    process.exit(1);
  }
  say({ ready: boot.addresses, children: boot.children });
}
await boot?.stop();
