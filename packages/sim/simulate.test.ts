import { asNodeId } from '@bessemer/core';
import { describe, expect, it } from 'vitest';
import { simulate } from './index.ts';

/** Real time, on a machine that is busy with other things. */
const PATIENCE = { timeout: 600_000 };

describe('a simulated machine room', () => {
  it('takes a hundred nodes through the life cycle, whatever goes wrong', PATIENCE, async () => {
    const report = await simulate({ nodes: 100, seed: 7 });
    expect(report.violations).toEqual([]);
    expect(report.isWell).toBe(true);
    expect(report.runs['deploy done']).toBeGreaterThanOrEqual(100);
    for (const fault of [
      'conductor killed',
      'conductor paused',
      'lost answer of a commit',
      'conductor killed at a write',
      'power cut in the middle of a write',
      'agent crashed',
      'operator at the power button',
    ])
      expect(report.faults[fault], fault).toBeGreaterThan(0);
    expect(report.text).toContain('100 nodes, seed 7: well');
  });

  it('tells the same story for the same seed and another one for another', PATIENCE, async () => {
    const [first, again, other] = [
      await simulate({ nodes: 8, seed: 1 }),
      await simulate({ nodes: 8, seed: 1 }),
      await simulate({ nodes: 8, seed: 2 }),
    ];
    expect(again).toEqual(first);
    expect(other.traceSha256).not.toBe(first.traceSha256);
    for (const report of [first, other]) expect(report.violations).toEqual([]);
  });

  it('has nothing fail when nothing goes wrong', PATIENCE, async () => {
    const report = await simulate({ nodes: 10, seed: 5, faults: false });
    expect(report.violations).toEqual([]);
    expect(report.faults).toEqual({});
    expect(report.runs).toEqual({ 'manage done': 10, 'provide done': 10, 'deploy done': 10, 'delete done': 10 });
  });
});

describe('what the simulation notices', () => {
  // A conductor that stood still comes back with what it knew: which seed lets it write then may change with any line of code.
  it('a database that does not check fences', PATIENCE, async () => {
    const late = 'under the old fence';
    let caught: number | undefined;
    for (let seed = 8; caught === undefined && seed < 16; seed++) {
      const report = await simulate({ nodes: 20, seed, fenceCheck: false });
      if (!report.violations.join('\n').includes(late)) continue;
      caught = seed;
      expect(report.isWell).toBe(false);
      expect(report.text).toContain(`again: simulate({"nodes":20,"seed":${seed},"faults":true,"fenceCheck":false`);
    }
    expect(caught).toBeDefined();
    const checked = await simulate({ nodes: 20, seed: caught! });
    expect(checked.faults['conductor paused']).toBeGreaterThan(0);
    expect(checked.violations).toEqual([]);
  });

  it('a node in work that nobody works on', PATIENCE, async () => {
    const report = await simulate({
      nodes: 2,
      seed: 1,
      faults: false,
      tamper: ({ db, clock, nodes }) => {
        // Before the operator looks for the first time.
        clock.setTimer(500, () => {
          void db.write('tamper', (tx) => tx.nodes.processEvent(asNodeId(nodes[0]!.nodeUuid), 'manage', {}));
        });
      },
    });
    expect(report.violations.join('\n')).toContain('node n1 is stuck in "verifying": there is no run');
    expect(report.text).toContain('again: bessemer sim --nodes 2 --seed 1 --no-faults');
  });

  it('a timer that is none of the virtual clock', PATIENCE, async () => {
    const report = await simulate({
      nodes: 1,
      seed: 1,
      faults: false,
      tamper: ({ clock }) => {
        clock.setTimer(1_000, () => {
          setTimeout(() => {}, 5);
        });
      },
    });
    expect(report.isWell).toBe(false);
    expect(report.violations.join('\n')).toMatch(/setTimeout was called[^]*simulate\.test\.ts/);
    expect(typeof setTimeout).toBe('function');
  });
});
