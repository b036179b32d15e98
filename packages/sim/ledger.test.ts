import { describe, expect, it } from 'vitest';
import { createLedger } from './ledger.ts';

describe('the ledger', () => {
  function made() {
    const violations: string[] = [];
    const ledger = createLedger((text) => violations.push(text));
    ledger.committed('a', 'register', [{ kind: 'session', id: 'session-a', fence: 0 }]);
    ledger.committed('b', 'register', [{ kind: 'session', id: 'session-b', fence: 0 }]);
    ledger.committed('a', 'accept', [
      { kind: 'reserve', id: 'node', fence: 1, session: 'session-a' },
      { kind: 'take', id: 'run', fence: 1 },
    ]);
    return { ledger, violations };
  }
  const takeOver = [
    { kind: 'reserve', id: 'node', fence: 2, session: 'session-b' },
    { kind: 'take', id: 'run', fence: 2 },
  ] as const;

  it('has nothing to say about an owner and a successor', () => {
    const { ledger, violations } = made();
    ledger.committed('a', 'record', [{ kind: 'write', id: 'run', fence: 1 }]);
    ledger.ordered('a', 'node', 'power on');
    ledger.committed('b', 'take-over', takeOver);
    ledger.committed('b', 'record', [{ kind: 'write', id: 'run', fence: 2 }]);
    ledger.ordered('b', 'node', 'power on');
    expect(violations).toEqual([]);
  });

  it('notices a write and an order of the one that lost the lease', () => {
    const { ledger, violations } = made();
    ledger.committed('b', 'take-over', takeOver);
    ledger.committed('a', 'record', [{ kind: 'write', id: 'run', fence: 1 }]);
    ledger.ordered('a', 'node', 'power off');
    expect(violations).toEqual([
      'run run: a wrote (record) under the old fence 1, the run is under 2',
      'node node: a ordered "power off", but b holds the lease (fence 2)',
    ]);
  });

  it('notices a fence that does not grow, and an order that nobody may give', () => {
    const { ledger, violations } = made();
    ledger.committed('b', 'accept', [{ kind: 'reserve', id: 'node', fence: 1, session: 'session-b' }]);
    ledger.ordered('a', 'another', 'power on');
    expect(violations[0]).toContain('the fence went from 1 to 1');
    expect(violations[1]).toContain('it never had a lease');
  });
});
