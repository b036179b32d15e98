import { asNodeId, asPortId, asRunId, asSessionId, type Run } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { memoryDb } from '@bessemer/db/testing';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDbDirectory } from './db-directory.ts';
import type { BootDirectory, BootEvent } from './directory.ts';

const NODE = asNodeId('00000000-0000-4000-8000-000000000001');
const RUN = asRunId('20000000-0000-4000-8000-000000000001');
const SESSION = asSessionId('30000000-0000-4000-8000-000000000001');
const MAC = '52:54:00:00:00:01';

describe('the boot directory over the database', () => {
  let clock: ManualClock;
  let db: Db;
  let directory: BootDirectory;
  beforeEach(async () => {
    clock = new ManualClock();
    const random = seededRandom(1);
    db = await memoryDb({ clock, random });
    directory = createDbDirectory({ db, clock, random, kernel: 'vmlinuz', initrd: 'initrd' });
    await db.write('test', async (tx) => {
      await tx.nodes.create({ uuid: NODE, driver: 'fake-hardware' });
      const port = { uuid: asPortId('10000000-0000-4000-8000-000000000001'), nodeUuid: NODE, address: MAC };
      await tx.ports.create(port);
    });
  });
  afterEach(() => db.close());

  const stored = async (type: string) => (await db.read.events.listLast({ types: [type] }, 1000)).length;
  const script = (answer: string): BootEvent => ({ type: 'boot.script', mac: MAC, data: { mac: MAC, answer } });

  /** A run of the node that waits for its boot. */
  const waiting = (): Promise<Run> =>
    db.write('test', async (tx) => {
      await tx.conductors.heartbeat({ session: SESSION, hostname: 'c', conductorGroup: '', drivers: [] }, 60_000);
      const { fence } = (await tx.nodes.reserve(NODE, SESSION, 'c', 'deploy'))!;
      await tx.runs.create({
        ...{ id: RUN, nodeUuid: NODE, verb: 'deploy', state: 'running', input: {}, segments: [], owner: SESSION },
        ...{ deadline: clock.nowMs() + 3_600_000, fence, requestId: 'r' },
      });
      const since = clock.nowMs();
      const waitingFor = { what: 'boot', from: 'the node', since, until: since + 600_000, hint: 'h', position: null };
      return tx.runs.update(RUN, fence, { waitingFor });
    });

  it('stores what changes nothing once a minute, each kind for itself', async () => {
    for (let i = 0; i < 50; i++) {
      await directory.recordBoot(script('local'));
      await directory.recordBoot({ type: 'boot.local', mac: MAC, data: { mac: MAC, reason: 'r' } });
    }
    expect([await stored('boot.script'), await stored('boot.local')]).toEqual([1, 1]);
    await clock.advance(60_000);
    await directory.recordBoot(script('local'));
    expect(await stored('boot.script')).toBe(2);
  });

  it('stores the whole boot that a run waits for, a second one too, and no flood', async () => {
    await directory.recordBoot(script('ramdisk'));
    await waiting();
    const boot: BootEvent[] = [
      { type: 'boot.dhcp', mac: MAC, address: '192.0.2.7', data: { message: 'ack', mac: MAC, stage: 'ipxe' } },
      { type: 'boot.tftp', mac: MAC, data: { file: 'snponly.efi', outcome: 'done' } },
      script('ramdisk'),
      { type: 'boot.kernel', mac: MAC, data: { file: 'vmlinuz', outcome: 'complete' } },
      { type: 'boot.initrd', mac: MAC, data: { file: 'initrd', outcome: 'complete' } },
    ];
    for (const event of [...boot, ...boot]) await directory.recordBoot(event);
    const ofRun = await db.read.events.listLast({ runId: RUN }, 100);
    expect(ofRun.map((event) => event.type)).toEqual([...boot, ...boot].map((event) => event.type));
    for (let i = 0; i < 100; i++) await directory.recordBoot(script('ramdisk'));
    // One from before the run, twenty of it, and the first of the repeats.
    expect(await stored('boot.script')).toBe(22);
  });

  it('follows the address of a known machine, stored as an event or not, and none of a stranger', async () => {
    const ack = (mac: string, address: string): BootEvent => ({
      ...{ type: 'boot.dhcp', mac, address, data: { message: 'ack', mac, address } },
    });
    for (const last of [1, 2, 3]) await directory.recordBoot(ack(MAC, `192.0.2.${last}`));
    expect(await db.read.boots.getAddress(MAC)).toBe('192.0.2.3');
    expect(await stored('boot.dhcp')).toBe(1);
    await directory.recordBoot(ack('52:54:00:00:00:99', '192.0.2.9'));
    expect(await db.read.boots.getAddress('52:54:00:00:00:99')).toBeUndefined();
  });

  it('tells of a hundred strangers in ten minutes, and keeps counting the others', async () => {
    const none = { uuid: null, serial: null, arch: null, platform: null, address: null };
    for (let i = 0; i < 150; i++)
      await directory.recordUnknown({ mac: `52:54:00:00:01:${i.toString(16).padStart(2, '0')}`, ...none });
    expect(await stored('machine.unknown')).toBe(100);
    expect(await db.read.boots.listUnknown(1000)).toHaveLength(150);
    await clock.advance(600_000);
    await directory.recordUnknown({ mac: '52:54:00:00:02:01', ...none });
    expect(await stored('machine.unknown')).toBe(101);
  });

  it('ends the wait of a run whose boot script cannot be made, in the words of the refusal', async () => {
    await waiting();
    await clock.advance(5_000);
    await directory.recordBoot({
      ...script('refused'),
      nodeUuid: NODE,
      runId: RUN,
      data: { mac: MAC, answer: 'refused', error: 'kernel argument "a b" has a character that is not allowed' },
    });
    const [run] = await db.read.runs.listOverdue(clock.nowMs(), 5);
    expect(run?.id).toBe(RUN);
    expect(run?.waitingFor?.hint).toMatch(/was refused: kernel argument "a b" has .*boot\.kernel_args/);
  });
});
