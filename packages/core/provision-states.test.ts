import { describe, expect, it } from 'vitest';
import {
  allowedEvents,
  isTransient,
  nextState,
  STATES,
  stateDiagram,
  TRANSITIONS,
  VERBS,
  type ProvisionState,
  type Transition,
} from './provision-states.ts';

const states = Object.keys(STATES) as ProvisionState[];
const rows: readonly Transition[] = TRANSITIONS;

describe('provision state table', () => {
  it('reaches every state from enroll', () => {
    const reached = new Set<ProvisionState>(['enroll']);
    for (let grew = true; grew; ) {
      grew = false;
      for (const [from, , to] of rows)
        if (reached.has(from) && !reached.has(to)) {
          reached.add(to);
          grew = true;
        }
    }
    expect(states.filter((s) => !reached.has(s))).toEqual([]);
  });

  it('has each pair of state and event once', () => {
    const keys = rows.map(([from, event]) => `${from}|${event}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('gives a stable target to every transition that leaves a stable state for a transient one', () => {
    for (const [from, event, to, options] of rows) {
      if (options) expect(STATES[options.target].stable, `${from} ${event}`).toBe(true);
      if (STATES[from].stable && !STATES[to].stable) expect(options?.target, `${from} ${event}`).toBeDefined();
    }
  });

  it('lets every transient state fail', () => {
    for (const state of states.filter(isTransient)) expect(allowedEvents(state), state).toContain('fail');
  });

  it('leaves no resting state without a way out', () => {
    for (const state of states) expect(allowedEvents(state).length, state).toBeGreaterThan(0);
  });

  it('keeps names within the 15 characters of the column', () => {
    for (const state of states) expect(state.length, state).toBeLessThanOrEqual(15);
  });

  it('keeps the target on the way and clears it on arrival', () => {
    expect(nextState('available', 'deploy', null)).toEqual({ ok: true, state: 'deploying', target: 'active' });
    expect(nextState('deploying', 'wait', 'active')).toEqual({ ok: true, state: 'wait call-back', target: 'active' });
    expect(nextState('deploying', 'fail', 'active')).toEqual({ ok: true, state: 'deploy failed', target: 'active' });
    expect(nextState('deploying', 'done', 'active')).toEqual({ ok: true, state: 'active', target: null });
    expect(nextState('enroll', 'deploy', null)).toEqual({ ok: false });
  });

  it('maps every verb to an event of the table', () => {
    for (const event of Object.values(VERBS))
      expect(
        rows.some((row) => row[1] === event),
        event,
      ).toBe(true);
  });

  it('draws every transition', () => {
    expect(stateDiagram().match(/-->/g)).toHaveLength(rows.length + 1);
  });
});
