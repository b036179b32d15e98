import { asNodeId, type JsonObject } from '@bessemer/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { as, startTrusting } from '../access/testing.ts';
import type { TestApi } from '../testing.ts';

const uuidOf = (n: number) => asNodeId(`${n}1111111-1111-4111-8111-111111111111`);
const [PARENT, MINE, LENT, FOREIGN, NONE] = [1, 2, 3, 4, 5].map(uuidOf) as ReturnType<typeof uuidOf>[];

let api: TestApi;
beforeEach(async () => {
  api = await startTrusting();
  await api.db.write('nodes', async (tx) => {
    const child = { driver: 'fake-hardware', parentNode: PARENT! };
    await tx.nodes.create({ uuid: PARENT!, driver: 'fake-hardware', owner: 'p' });
    for (const event of ['manage', 'done'] as const) await tx.nodes.processEvent(PARENT!, event, {});
    await tx.nodes.create({ uuid: MINE!, ...child, owner: 'p' });
    await tx.nodes.create({ uuid: FOREIGN!, ...child, owner: 'q' });
  });
});
afterEach(() => api.stop());

const lend = () =>
  api.db.write('lend', (tx) =>
    tx.nodes.create({ uuid: LENT!, driver: 'fake-hardware', parentNode: PARENT!, owner: 'q', lessee: 'p' }),
  );
const step = (more: JsonObject = {}) => ({
  interface: 'power',
  step: 'power_off',
  execute_on_child_nodes: true,
  ...more,
});
async function order(who: Record<string, string>, steps: JsonObject[]): Promise<[number, unknown]> {
  const body = { target: 'clean', clean_steps: steps };
  const { status, fault } = await api.request('PUT', `/v1/nodes/${PARENT}/states/provision`, { headers: who, body });
  return [status, fault ?? (api.calls.at(-1)!.args as JsonObject)['cleanSteps']];
}
const only = (...limit_child_node_execution: string[]) => step({ limit_child_node_execution });

it('are ordered by the whole system for all children, whosever they are', async () => {
  expect(await order(as('member'), [step()])).toEqual([202, [step()]]);
  expect(await order(as('member'), [only(FOREIGN!)])).toEqual([202, [only(FOREIGN!)]]);
  expect(await order(as('member'), [only(NONE!)])).toEqual([404, `Node ${NONE} could not be found.`]);
});

it('are for the children that the project sees, and another’s is not there', async () => {
  const own = { interface: 'power', step: 'power_off' };
  expect(await order(as('member', 'p'), [own, step()])).toEqual([202, [own, only(MINE!)]]);
  expect(await order(as('member', 'p'), [step({ limit_child_node_execution: [] })])).toEqual([202, [only(MINE!)]]);
  expect(await order(as('member', 'p'), [only(MINE!)])).toEqual([202, [only(MINE!)]]);
  expect(await order(as('admin', 'p'), [only(MINE!, FOREIGN!)])).toEqual([404, `Node ${FOREIGN} could not be found.`]);
});

it('need, for a child that is lent, what the child itself would need', async () => {
  await lend();
  for (const steps of [[step()], [only(LENT!)]])
    expect(await order(as('member', 'p'), steps)).toEqual([403, expect.stringContaining('admin (lessee)')]);
  expect(await order(as('admin', 'p'), [step()])).toEqual([202, [only(MINE!, LENT!)]]);
});

it('are refused where there is no child, rather than done on those of others', async () => {
  await api.db.write('away', (tx) => tx.nodes.update(MINE!, { owner: 'q' }));
  const refused = `Step power_off is to be done on child nodes, and node ${PARENT} has none in project p.`;
  expect(await order(as('admin', 'p'), [step()])).toEqual([400, refused]);
});

it('are judged in an order for many nodes too', async () => {
  const body = { action: 'provision', nodes: [PARENT!], target: 'clean', clean_steps: [only(FOREIGN!)] };
  const reply = await api.request('POST', '/v1/bulk', { headers: as('admin', 'p'), body });
  expect(reply.json['results']).toEqual([{ node: PARENT, status: 404, fault: `Node ${FOREIGN} could not be found.` }]);
});
