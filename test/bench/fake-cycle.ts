/**
 * What a whole life of a pretended server costs a conductor: enroll, manage, provide, deploy, undeploy, in one process over
 * SQLite in memory, without the API. `node test/bench/fake-cycle.ts [nodes] [rounds]` prints cycles per second, transactions and
 * statements of a cycle.
 */
import { asNodeId, resolveConfig } from '@bessemer/core';
import { createConductor } from '@bessemer/conductor';
import type { Db } from '@bessemer/db';
import { memoryDb } from '@bessemer/db/testing';
import { createIpmiClient } from '@bessemer/ipmi';
import { silentLog } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import { memoryDatagrams } from '@bessemer/ports/testing';

const nodes = Number(process.argv[2] ?? 200);
const rounds = Number(process.argv[3] ?? 3);
const unused = (): never => {
  throw new Error('pretended servers need no image and no play');
};

const inner = await memoryDb({ clock: systemClock, random: systemRandom });
const writes = new Map<string, number>();
const db: Db = {
  ...inner,
  read: inner.read,
  engine: inner.engine,
  write(name, fn) {
    writes.set(name, (writes.get(name) ?? 0) + 1);
    return inner.write(name, fn);
  },
};
const conductor = createConductor({
  db,
  ipmi: createIpmiClient({
    datagrams: memoryDatagrams(systemClock),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  }),
  depot: { ensure: unused, read: unused, openExit: unused, closeExit: unused },
  configurer: { servicePublicKey: unused, check: unused, run: unused },
  ssh: { answers: unused },
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  config: resolveConfig([{ 'conductor.max_concurrent_deploy': '1000', 'conductor.session_ttl_ms': '600000' }]),
  host: 'bench',
});
await conductor.start();

const uuids = Array.from({ length: nodes }, () => asNodeId(systemRandom.uuid()));
const request = () => ({ requestId: systemRandom.uuid() });
const act = (action: 'manage' | 'provide') => (nodeUuid: string) =>
  conductor.handlers.doProvisioningAction({ nodeUuid, action }, request());
const deploy = (nodeUuid: string) =>
  conductor.handlers.doNodeDeploy({ nodeUuid, rebuild: false, configDrive: null, deploySteps: null }, request());
const undeploy = (nodeUuid: string) => conductor.handlers.doNodeTearDown({ nodeUuid }, request());

/** Resolves when all nodes rest in `state`. */
async function all(state: string): Promise<void> {
  for (;;) {
    const rows = await db.read.nodes.listRows(['provision_state', 'reservation'], {}, { limit: 10_000 });
    if (rows.every((row) => row['provision_state'] === state && row['reservation'] === null)) return;
    await new Promise<void>((resolve) => void systemClock.setTimer(2, resolve));
  }
}

await Promise.all(
  uuids.map((uuid) =>
    db.write('create', (tx) => tx.nodes.create({ uuid, driver: 'fake-hardware', automatedClean: false })),
  ),
);
for (let round = 0; round < rounds; round++) {
  writes.clear();
  const cpu = process.cpuUsage();
  const start = systemClock.monotonicMs();
  const marks: string[] = [];
  for (const [name, verb, state] of [
    ['manage', act('manage'), 'manageable'],
    ['provide', act('provide'), 'available'],
    ['deploy', deploy, 'active'],
    ['undeploy', undeploy, 'available'],
  ] as const) {
    if (round > 0 && name === 'manage') {
      // Back to the beginning without a cost of its own worth counting.
      await Promise.all(uuids.map(act('manage')));
      await all('manageable');
      continue;
    }
    const begun = systemClock.monotonicMs();
    await Promise.all(uuids.map(verb));
    await all(state);
    marks.push(`${name} ${((systemClock.monotonicMs() - begun) / nodes).toFixed(2)} ms`);
  }
  const ms = systemClock.monotonicMs() - start;
  const used = process.cpuUsage(cpu);
  const transactions = [...writes.values()].reduce((sum, n) => sum + n, 0);
  process.stdout.write(
    `${((nodes * 1000) / ms).toFixed(0)} cycles/s, ${(ms / nodes).toFixed(2)} ms a cycle (CPU ${((used.user + used.system) / 1000 / nodes).toFixed(2)} ms), ` +
      `${(transactions / nodes).toFixed(1)} transactions a cycle; ${marks.join(', ')}\n`,
  );
  if (process.argv[4]) for (const [name, n] of writes) process.stdout.write(`  ${name} ${(n / nodes).toFixed(2)}\n`);
}
await conductor.stop();
await inner.close();
process.exit(0);
