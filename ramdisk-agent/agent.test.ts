import { describe, expect, onTestFinished, test } from 'vitest';
import type { SegmentStep } from '@bessemer/agent-protocol';
import { createWorld, type World } from './test-world.ts';

const inspect = (id: string, attempt = `${id}-1`): SegmentStep => ({
  id,
  name: 'inspect',
  interface: 'inspect',
  args: {},
  attempt,
  onRepeat: 'safe',
});

async function world(options: Parameters<typeof createWorld>[0] = {}): Promise<World> {
  const made = createWorld(options);
  onTestFinished(() => made.end());
  await made.until('connected', made.service.connected);
  return made;
}

const IMAGE_BYTES = 16 * 1024 * 1024;

describe('a segment', () => {
  test('is done in order, each step started and done once, all acknowledged', async () => {
    const { service, segment, until, agent } = await world();
    segment([inspect('a'), inspect('b')]);
    await until('done', () => service.story().includes('segment done'));
    expect(service.story()).toEqual(['started a', 'done a', 'started b', 'done b', 'segment done']);
    expect(service.stored.map((m) => m.seq)).toEqual([1, 2, 3, 4, 5]);
    await until('acknowledged', () => agent.journal().ackedSeq === 5);
    expect(agent.journal()).toMatchObject({ state: 'done', run: 'run-1', fence: 1, segment: 'seg-1', lastSeq: 5 });
  });
  test('stops at a step that fails, and goes on after a retry under a new attempt', async () => {
    let broken = true;
    const { service, segment, until, writeStep, clock } = await world({ depotUp: () => !broken });
    segment([writeStep(), inspect('b')]);
    await until('failed', () => service.story().includes('failed write DEPOT_UNREACHABLE'));
    await clock.advance(10_000);
    expect(service.story()).toEqual(['started write', 'failed write DEPOT_UNREACHABLE']);
    broken = false;
    service.order({ type: 'retry', run: 'run-1', fence: 1, step: 'write', attempt: 'write-2' });
    await until('done', () => service.story().includes('segment done'));
    expect(service.story().slice(2)).toEqual(['started write', 'done write', 'started b', 'done b', 'segment done']);
    // The same order again, as a service does that did not hear the answer, changes nothing.
    service.order({ type: 'retry', run: 'run-1', fence: 1, step: 'write', attempt: 'write-2' });
    await clock.advance(5_000);
    expect(service.story()).toHaveLength(7);
  });
  test('with a step or arguments that the agent does not know fails and says so', async () => {
    const { service, segment, until } = await world();
    segment([{ ...inspect('a'), name: 'make_coffee' }]);
    await until('failed', () => service.stored.length === 2);
    segment([{ ...inspect('b'), name: 'write_image' }], { segment: 'seg-2' });
    await until('failed', () => service.stored.length === 4);
    expect(service.story()).toEqual(['started a', 'failed a UNKNOWN_STEP', 'started b', 'failed b BAD_ARGUMENTS']);
    expect(service.stored[3]).toMatchObject({ data: { message: expect.stringContaining('write_image args.image') } });
  });
  test('reports progress at most once a second, with rate and memory', async () => {
    const { service, segment, until, writeStep } = await world();
    segment([writeStep()]);
    await until('done', () => service.story().includes('segment done'));
    const progress = service.shown.flatMap((m) => (m.kind === 'progress' ? [m.data] : []));
    expect(progress.length).toBeGreaterThan(2);
    expect(progress.length).toBeLessThan(20);
    expect(
      progress.some((p) => p.phase === 'writing' && p.bytes > 0 && p.totalBytes > p.bytes && p.ratePerSecond > 0),
    ).toBe(true);
    expect(progress.every((p) => (p.rssBytes ?? 0) > 0)).toBe(true);
    const lines = service.shown.flatMap((m) => (m.kind === 'log' ? m.data.lines : []));
    expect(lines.map((l) => l.message).join('\n')).toContain('root disk is /dev/vda');
  });
});

describe('attempts', () => {
  test('the segment again is answered with its state and not repeated', async () => {
    const { service, segment, until, clock } = await world();
    segment([inspect('a')]);
    await until('done', () => service.story().includes('segment done'));
    segment([inspect('a')]);
    await clock.advance(5_000);
    expect(service.stored).toHaveLength(3);
    expect(service.states.at(-1)).toMatchObject({
      state: 'done',
      steps: [{ step: 'a', attempt: 'a-1', state: 'done' }],
    });
  });
  test('a known attempt in another segment tells its end again without the work', async () => {
    const { service, segment, until, depot, writeStep } = await world();
    segment([writeStep()]);
    await until('done', () => service.story().includes('segment done'));
    const served = depot.servedBytes();
    segment([writeStep()], { segment: 'seg-2' });
    await until('done', () => service.story().length === 5);
    expect(service.story().slice(3)).toEqual(['done write', 'segment done']);
    expect(depot.servedBytes()).toBe(served);
  });
  test('the segment again with a new attempt of the failed step begins that', async () => {
    let broken = true;
    const { service, segment, until, writeStep } = await world({ depotUp: () => !broken });
    segment([writeStep()]);
    await until('failed', () => service.story().length === 2);
    broken = false;
    segment([writeStep('write-2')], { fence: 2 });
    await until('done', () => service.story().includes('segment done'));
    expect(service.story().slice(2)).toEqual(['started write', 'done write', 'segment done']);
  });
});

describe('work that was ended while nobody listened', () => {
  test('is stopped when the service refuses both credentials of the boot', async () => {
    const { service, segment, until, writeStep, agent } = await world();
    segment([writeStep()]);
    await until('started', () => service.story().length === 1);
    service.kill();
    service.knowsKeys = service.knowsToken = false;
    service.up = true;
    await until('stopped', () => agent.journal().state === 'cancelled');
    expect(agent.journal().steps[0]).toMatchObject({ state: 'failed', error: { code: 'CANCELLED' } });
  });
});

describe('fences', () => {
  test('a lower one is refused for every order, a higher one adopted while the work goes on', async () => {
    const { service, segment, until, writeStep, agent, clock } = await world();
    segment([writeStep()], { fence: 5 });
    await until('started', () => service.story().length === 1);
    const order = { run: 'run-1', fence: 4 };
    service.order({ type: 'cancel', ...order });
    service.order({ type: 'hold', ...order });
    service.order({ type: 'retry', ...order, step: 'write', attempt: 'x' });
    service.order({ type: 'power', ...order, action: 'reboot' });
    segment([writeStep()], { fence: 4 });
    segment([inspect('a')], { fence: 4, run: 'run-2' });
    await clock.advance(100);
    expect(service.refusals.map((r) => `${r.of} ${r.code}`)).toEqual([
      'cancel OLD_FENCE',
      'hold OLD_FENCE',
      'retry OLD_FENCE',
      'power OLD_FENCE',
      'segment OLD_FENCE',
      'segment OLD_FENCE',
    ]);
    segment([writeStep()], { fence: 6 });
    await until('done', () => service.story().includes('segment done'));
    expect(agent.journal().fence).toBe(6);
    expect(service.story()).toEqual(['started write', 'done write', 'segment done']);
  });
  test('another run waits until nothing is worked on; its orders are not for this one', async () => {
    const { service, segment, until, writeStep, clock } = await world();
    segment([writeStep()]);
    await until('started', () => service.story().length === 1);
    segment([inspect('a')], { run: 'run-2', fence: 2, segment: 'seg-2' });
    service.order({ type: 'cancel', run: 'run-2', fence: 2 });
    await clock.advance(100);
    expect(service.refusals.map((r) => r.code)).toEqual(['BUSY', 'OTHER_RUN']);
    service.order({ type: 'cancel', run: 'run-1', fence: 2 });
    await until('cancelled', () => service.story().includes('segment cancelled'));
    segment([inspect('a')], { run: 'run-2', fence: 2, segment: 'seg-2' });
    await until('done', () => service.story().includes('segment done'));
  });
});

describe('hold, continue, cancel', () => {
  test('hold lets the running step end and begins no other', async () => {
    const { service, segment, until, writeStep, clock, agent } = await world();
    segment([writeStep(), inspect('b')]);
    await until('started', () => service.story().length === 1);
    service.order({ type: 'hold', run: 'run-1', fence: 1 });
    await until('held', () => agent.journal().state === 'held');
    await clock.advance(60_000);
    expect(service.story()).toEqual(['started write', 'done write']);
    service.order({ type: 'continue', run: 'run-1', fence: 1 });
    await until('done', () => service.story().includes('segment done'));
  });
  test('cancel ends the running step at once', async () => {
    const { service, segment, until, writeStep, depot, clock } = await world();
    segment([writeStep(), inspect('b')]);
    await until('writing', () => depot.requests() > 0);
    service.order({ type: 'cancel', run: 'run-1', fence: 1 });
    await until('cancelled', () => service.story().includes('segment cancelled'));
    expect(service.story()).toEqual(['started write', 'failed write CANCELLED', 'segment cancelled']);
    const served = depot.servedBytes();
    await clock.advance(60_000);
    expect(depot.servedBytes()).toBe(served);
  });
  test('a failed or held segment can be cancelled; one that is over cannot be harmed', async () => {
    const { service, segment, until, clock } = await world();
    segment([{ ...inspect('a'), name: 'unknown' }]);
    await until('failed', () => service.story().length === 2);
    service.order({ type: 'cancel', run: 'run-1', fence: 1 });
    await until('cancelled', () => service.story().includes('segment cancelled'));
    service.order({ type: 'cancel', run: 'run-1', fence: 1 });
    await clock.advance(1_000);
    expect(service.stored).toHaveLength(3);
  });
});

describe('the service goes away', () => {
  test('and returns: the work went on, and every event arrives exactly once and in order', async () => {
    const { service, segment, until, writeStep, clock, depot, agent } = await world();
    segment([writeStep(), inspect('b')]);
    await until('writing', () => depot.requests() > 0);
    service.kill();
    await until('work ended alone', () => agent.journal().state === 'done');
    expect(service.story()).toEqual(['started write']);
    await clock.advance(5 * 60_000);
    service.up = true;
    await until('told', () => service.story().includes('segment done'));
    expect(service.story()).toEqual(['started write', 'done write', 'started b', 'done b', 'segment done']);
    expect(service.stored.map((m) => m.seq)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(depot.servedBytes()).toBeLessThan(IMAGE_BYTES);
    expect(service.hellos.map((hello) => hello.bootId)).toEqual(['boot-1', 'boot-1']);
    expect(service.hellos.map((hello) => hello.key !== undefined)).toEqual([false, true]);
    expect(service.hellos[1]?.journal).toMatchObject({ state: 'done', run: 'run-1', ackedSeq: 2 });
  });

  // A service may die at any moment: also between storing and acknowledging, and right after an order.
  test.each([0, 1, 2, 3, 5, 8, 13, 40, 200, 1_000, 3_000, 6_000, 9_000])(
    'killed %i ms after the order, nothing is lost, doubled or repeated',
    async (killMs) => {
      const { service, segment, until, writeStep, clock, depot } = await world();
      segment([writeStep(), inspect('b')]);
      await clock.advance(killMs);
      service.kill();
      await clock.advance(2_000);
      service.up = true;
      await until('connected', service.connected);
      segment([writeStep(), inspect('b')], { fence: 2 });
      await until('done', () => service.story().includes('segment done'));
      expect(service.story()).toEqual(['started write', 'done write', 'started b', 'done b', 'segment done']);
      expect(service.stored.map((m) => m.seq)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(depot.servedBytes()).toBeLessThan(IMAGE_BYTES * 1.1);
    },
  );

  test('events that were not stored come again with the next connection', async () => {
    const { service, segment, until, clock } = await world();
    service.storing = false;
    segment([inspect('a')]);
    await clock.advance(5_000);
    expect(service.stored).toEqual([]);
    service.storing = true;
    service.kill();
    service.up = true;
    await until('told', () => service.story().includes('segment done'));
    expect(service.stored.map((m) => m.seq)).toEqual([1, 2, 3]);
  });

  test('a service that forgot the session key is met with the boot token', async () => {
    const { service, until } = await world();
    service.kill();
    service.knowsKeys = false;
    service.up = true;
    await until('connected', service.connected);
    expect(service.hellos.map((hello) => (hello.key === undefined ? 'token' : 'key'))).toEqual([
      'token',
      'key',
      'token',
    ]);
  });

  test('the agent comes back in seconds, not in step with others, and not without end of patience', async () => {
    const { service, until, clock } = await world();
    service.kill();
    await clock.advance(60 * 60_000);
    expect(clock.pendingTimers).toBeLessThan(5);
    service.up = true;
    const from = clock.nowMs();
    await until('connected', service.connected);
    expect(clock.nowMs() - from).toBeLessThan(10_000);
  });

  test('a silent connection is found out by pings and replaced', async () => {
    const { service, until, clock } = await world();
    await clock.advance(10 * 60_000);
    expect(service.hellos).toHaveLength(1);
    expect(service.connected()).toBe(true);
    service.kill();
    service.up = true;
    await until('connected', service.connected);
    expect(service.hellos).toHaveLength(2);
  });
});

describe('power', () => {
  test('goes after everything is acknowledged', async () => {
    const { service, segment, until, hardware } = await world();
    segment([inspect('a')]);
    await until('done', () => service.story().includes('segment done'));
    service.order({ type: 'power', run: 'run-1', fence: 1, action: 'reboot' });
    await until('reboot', () => hardware.powerOrders.length > 0);
    expect(hardware.powerOrders).toEqual(['reboot']);
    await until('gone', () => !service.connected());
  });
  test('is refused while a step runs', async () => {
    const { service, segment, until, writeStep, hardware, clock } = await world();
    segment([writeStep()]);
    await until('started', () => service.story().length === 1);
    service.order({ type: 'power', run: 'run-1', fence: 1, action: 'poweroff' });
    await clock.advance(100);
    expect(service.refusals).toMatchObject([{ of: 'power', code: 'BUSY' }]);
    expect(hardware.powerOrders).toEqual([]);
  });
});

test('a shell is refused, a query is answered', async () => {
  const { service, clock } = await world();
  service.order({ type: 'shell' });
  service.order({ type: 'query' });
  service.order({ type: 'hold', run: 'r', fence: 1 });
  await clock.advance(100);
  expect(service.refusals.map((r) => r.code)).toEqual(['SHELL_DISABLED', 'NO_SUCH_SEGMENT']);
  expect(service.states).toEqual([{ state: 'idle', lastSeq: 0, ackedSeq: 0, steps: [] }]);
});
