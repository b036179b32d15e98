import { EVENT_TYPES } from '@bessemer/core';
import { describe, expect, it } from 'vitest';
import { displayWidth } from '../output/width.ts';
import { describeEvent, printable } from './describe.ts';
import { progressText, renderBlock } from './progress.ts';
import { judge } from './wait.ts';
import { readWhy } from './why.ts';

const NOW = Date.parse('2026-01-01T00:01:05Z');
const WRITING = readWhy({
  provision_state: 'deploying',
  summary: 's',
  run: { id: 'r', verb: 'deploy', step: 'deploy.write_image' },
  waiting_for: {
    what: 'the image to be written',
    from: 'the agent',
    since: '2026-01-01T00:00:35Z',
    until: '2026-01-01T00:31:05Z',
    hint: 'h',
    position: null,
  },
  progress: {
    phase: 'writing',
    bytes: 1_200_000_000,
    total_bytes: 2_400_000_000,
    bytes_per_second: 95_000_000,
    eta_seconds: 13,
  },
  last_error: null,
  what_to_do: 'h',
});
const state = { node: 'n1', startedAtMs: NOW - 65_000, why: WRITING, awaySinceMs: undefined };

describe('the live block', () => {
  it('shows phase, step, bytes, rate, ETA, and what is awaited since when', () => {
    expect(renderBlock(state, NOW, 100, false)).toEqual([
      'n1  deploying  deploy.write_image  1 min 05 s',
      '  [############------------] writing  50 %  1.2 GB of 2.4 GB  95.0 MB/s  ETA 13 s',
      '  waits for the image to be written from the agent since 30 s, gives up in 30 min 00 s',
    ]);
  });

  it.each([1, 2, 10, 30, 40, 60, 80])('never wraps on a terminal of %i columns', (columns) => {
    for (const hasColour of [false, true])
      for (const line of renderBlock({ ...state, node: '日本日本日本' }, NOW, columns, hasColour))
        expect(displayWidth(line)).toBeLessThan(Math.max(2, columns));
  });

  it('uses colours only where they are wanted', () => {
    expect(renderBlock(state, NOW, 80, false).join('')).not.toContain('\u001b');
    expect(renderBlock(state, NOW, 80, true).join('')).toContain('\u001b[1m');
  });

  it('says that the service is away', () => {
    expect(renderBlock({ ...state, awaySinceMs: NOW - 4_000 }, NOW, 100, false)[1]).toContain(
      'does not answer since 4 s',
    );
  });

  it('shows what it knows of a progress without a total, and of a place in the queue', () => {
    expect(progressText(readWhy({ progress: { phase: 'reading', bytes: 10, total_bytes: null } }))).toBe(
      'reading  10 B',
    );
    const queued = readWhy({ waiting_for: { what: 'its turn', from: '', since: '', until: '', position: 3 } });
    expect(renderBlock({ ...state, why: queued }, NOW, 80, false).at(-1)).toContain('waits for its turn, position 3');
  });
});

describe('events in words', () => {
  const event = (type: string, data: Record<string, unknown>) => ({
    cursor: '1',
    type,
    nodeUuid: 'u',
    runId: undefined,
    at: '',
    severity: 'info',
    data,
  });
  it.each([
    [
      'node.provision_state',
      { from: 'deploying', to: 'deploy failed', error: 'no disk' },
      'deploying -> deploy failed: no disk',
    ],
    ['image.written', { bytes: 2_000_000_000, seconds: 21 }, 'the image is on the disk, 2.0 GB in 21 s'],
    ['configure.task', { task: 3, name: 'install', outcome: 'changed' }, 'task 3: install: changed'],
    ['something.new', { a: 1 }, 'something.new {"a":1}'],
  ])('%s', (type, data, text) => {
    expect(describeEvent(event(type, data))).toBe(text);
  });

  it('has words for every type of event that the service tells of', () => {
    for (const type of Object.keys(EVENT_TYPES)) expect(describeEvent(event(type, {}))).not.toContain(type);
  });

  it.each([
    ['agent', 'the agent at 192.0.2.7', 'waits for the agent at 192.0.2.7'],
    ['power', 'the BMC at 192.0.2.1', 'waits for the power state, from the BMC at 192.0.2.1'],
    ['something', 'somebody', 'waits for something from somebody'],
  ])('tells what is awaited: %s', (what, from, text) => {
    expect(describeEvent(event('run.waiting', { what, from }))).toBe(text);
  });

  it('lets nothing steer the terminal', () => {
    expect(printable('a\u001b[2Jb\r\nc')).toBe('a [2Jb c');
  });
});

describe('whether a node has come to its goal', () => {
  const active = { kind: 'provision', state: 'active' } as const;
  it.each([
    ['there', active, { provision_state: 'active', target_provision_state: null }, 'reached'],
    ['on its way', active, { provision_state: 'deploying', target_provision_state: 'active' }, undefined],
    [
      'failed, with a target left',
      active,
      { provision_state: 'deploy failed', target_provision_state: 'active' },
      'failed',
    ],
    ['resting elsewhere', active, { provision_state: 'available', target_provision_state: null }, 'failed'],
    ['powered', { kind: 'power', state: 'power on' }, { power_state: 'power on', target_power_state: null }, 'reached'],
    [
      'powering',
      { kind: 'power', state: 'power on' },
      { power_state: 'power off', target_power_state: 'power on' },
      undefined,
    ],
    [
      'not powered',
      { kind: 'power', state: 'power on' },
      { power_state: null, target_power_state: null, last_error: 'BMC' },
      'failed',
    ],
    ['aborted', { kind: 'rest' }, { provision_state: 'clean failed', target_provision_state: 'available' }, 'reached'],
    ['at work', { kind: 'run', verb: 'configure' }, { provision_state: 'active' }, undefined],
  ] as const)('%s', (_, goal, node, is) => {
    expect(judge(goal, node, undefined)?.is).toBe(is);
  });
});
