import type { SessionId } from '@bessemer/core';
import { ManualClock } from '@bessemer/ports/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addNode, codeOf, heartbeat, newSession } from '../suite/fixtures.ts';
import { memoryDb } from '../testing.ts';

const TTL_MS = 1_000;
const who = fc.nat({ max: 2 });
const step = fc.oneof(
  fc.record({ do: fc.constant('reserve' as const), who }),
  fc.record({ do: fc.constant('release' as const), who }),
  fc.record({ do: fc.constant('write' as const), who }),
  fc.record({ do: fc.constant('heartbeat' as const), who }),
  fc.record({ do: fc.constant('restart' as const), who }),
  fc.record({ do: fc.constant('end' as const), who }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat({ max: 1_500 }) }),
);

it('has never two holders with a live session, and fences only grow, whatever three conductors do', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new ManualClock();
      const db = await memoryDb({ clock });
      const node = await addNode(db);
      // The model: what each conductor believes, and until when the others must believe it too.
      const conductors: Array<{ session: SessionId; aliveUntil: number; fence: number }> = [];
      for (let i = 0; i < 3; i++) conductors.push({ session: newSession(), aliveUntil: 0, fence: 0 });
      let highest = 0;
      let holder: (typeof conductors)[number] | undefined;
      const isAlive = (c: (typeof conductors)[number]) => clock.nowMs() < c.aliveUntil;
      for (const one of steps) {
        if (one.do === 'wait') {
          await clock.advance(one.ms);
          continue;
        }
        const me = conductors[one.who]!;
        switch (one.do) {
          case 'heartbeat': {
            const wasAlive = isAlive(me);
            const isNew = me.aliveUntil === 0;
            const renewed = await heartbeat(db, me.session, TTL_MS, `h${one.who}`);
            expect(renewed).toBe(wasAlive || isNew);
            if (renewed) me.aliveUntil = clock.nowMs() + TTL_MS;
            break;
          }
          case 'restart':
            // A new life: the old session is left to expire, together with its lease.
            conductors[one.who] = { session: newSession(), aliveUntil: 0, fence: 0 };
            break;
          case 'end':
            if (me.aliveUntil === 0) break;
            await db.write('test', (tx) => tx.conductors.end(me.session));
            me.aliveUntil = 1;
            break;
          case 'reserve': {
            const lease = await db.write('test', (tx) => tx.nodes.reserve(node, me.session, 'c', 'p'));
            const isFree = holder === undefined || holder === me || !isAlive(holder);
            expect(lease !== undefined).toBe(isFree);
            if (!lease) break;
            expect(lease.fence).toBe(highest + 1);
            highest = lease.fence;
            me.fence = lease.fence;
            holder = me;
            break;
          }
          case 'release': {
            const given = await db.write('test', (tx) => tx.nodes.release(node, me.fence));
            expect(given).toBe(holder === me);
            if (given) holder = undefined;
            break;
          }
          case 'write': {
            const outcome = await codeOf(
              db.write('test', (tx) => tx.nodes.update(node, { extra: { by: me.session } }, me.fence)),
            );
            expect(outcome).toBe(holder === me ? 'no error' : 'STALE_FENCE');
            break;
          }
        }
        const stored = (await db.read.nodes.get(node))?.reservation ?? undefined;
        expect(stored?.session).toBe(holder?.session);
      }
      await db.close();
    }),
    { numRuns: 150 },
  );
}, 120_000);

it('would notice: without the fence check an old holder still writes', async () => {
  const db = await memoryDb({ fenceCheck: false });
  const node = await addNode(db);
  const session = newSession();
  await db.write('test', (tx) => tx.nodes.reserve(node, session, 'c', 'p'));
  await db.write('test', (tx) => tx.nodes.reserve(node, session, 'c', 'p'));
  expect(await codeOf(db.write('test', (tx) => tx.nodes.update(node, { extra: {} }, 1)))).toBe('no error');
  await db.close();
});
