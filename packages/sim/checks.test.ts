import type { NewEvent } from '@bessemer/core';
import { asNodeId, asRunId } from '@bessemer/core';
import { memoryDb } from '@bessemer/db/testing';
import { ManualClock } from '@bessemer/ports/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allEvents, checkRecord, lookForStuck } from './checks.ts';

const nodeUuid = asNodeId('00000000-0000-4000-8000-000000000001');
const runId = asRunId('10000000-0000-4000-8000-000000000001');

describe('the checks', () => {
  let db: Awaited<ReturnType<typeof memoryDb>>;
  const clock = new ManualClock();
  beforeEach(async () => {
    db = await memoryDb({ clock });
    await db.write('test', (tx) => tx.nodes.create({ uuid: nodeUuid, name: 'n1', driver: 'ipmi' }));
  });
  afterEach(() => db.close());
  const append = (type: NewEvent['type'], data: NewEvent['data']): Promise<void> =>
    db.write('test', (tx) => tx.events.append({ type, nodeUuid, runId, data }));
  const check = async (): Promise<string> => (await checkRecord(db, await allEvents(db))).join('\n');

  it('find nothing in an empty record', async () => {
    expect(await check()).toBe('');
    expect(await lookForStuck(db, clock)).toEqual([]);
  });

  it('find a node in work without a run', async () => {
    await db.write('test', (tx) => tx.nodes.processEvent(nodeUuid, 'manage', {}));
    expect(await lookForStuck(db, clock)).toEqual(['node n1 is stuck in "verifying": there is no run']);
  });

  it('find a transition that is no row, one that is told twice, and one that never was', async () => {
    await append('node.provision_state', { from: 'enroll', to: 'active', event: 'deploy' });
    expect(await check()).toContain('no row of the table has enroll, deploy, active');
    await append('node.provision_state', { from: 'enroll', to: 'verifying', event: 'manage' });
    const found = await check();
    expect(found).toContain('went from "enroll" to "verifying", but it was in "active"');
    expect(found).toContain('is in "enroll", its events end in "verifying"');
  });

  it('find a run that never ends, one that ends twice, and one that speaks after its end', async () => {
    await append('run.started', { verb: 'deploy' });
    expect(await check()).toContain(`run ${runId} (unknown) never ended`);
    await append('run.finished', { verb: 'deploy', outcome: 'done' });
    await append('step.done', { step: 'boot_disk' });
    await append('run.finished', { verb: 'deploy', outcome: 'done' });
    const found = await check();
    expect(found).toContain(`run ${runId} has ended and still says step.done`);
    expect(found).toContain(`run ${runId} ended twice`);
  });
});
