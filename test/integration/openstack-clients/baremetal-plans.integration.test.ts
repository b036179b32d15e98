/** Debian's `baremetal`: allocations and what steps are kept in: deploy templates, runbooks and inspection rules. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Baremetal, createBaremetal, refused, row } from './baremetal.ts';
import { type ClientWorld, NOBODY, startClientWorld } from './world.ts';

const TEMPLATE = '88888888-8888-4888-8888-888888888888';
const ALLOCATION = '99999999-9999-4999-8999-999999999999';
const RULE = '77777777-7777-4777-8777-777777777777';

let world: ClientWorld;
let baremetal: Baremetal;
beforeAll(async () => {
  world = await startClientWorld();
  baremetal = createBaremetal(world);
});
afterAll(() => world.stop());

it('deploy templates are made, listed, changed, shown and deleted', async () => {
  const steps = (priority: number) => `[{"interface":"deploy","step":"deploy","args":{},"priority":${priority}}]`;
  await baremetal.run([
    row(`deploy template create CUSTOM_GOLD --uuid ${TEMPLATE} --steps ${steps(50)} --extra a=b`, {
      name: 'CUSTOM_GOLD',
      steps: [{ interface: 'deploy', step: 'deploy', priority: 50 }],
    }),
    row(`deploy template create CUSTOM_GOLD --steps ${steps(50)}`, refused(409, 'CUSTOM_GOLD already exists')),
    row(`deploy template create bad --steps ${steps(50)}`, refused(400, "'bad' does not match")),
    row('deploy template create CUSTOM_NONE --steps []', refused(400, 'steps is too short')),
    row('deploy template list', [{ UUID: TEMPLATE, Name: 'CUSTOM_GOLD' }]),
    row('deploy template list --long --limit 1 --sort name:asc', [{ Extra: { a: 'b' } }]),
    row(`deploy template list --marker ${TEMPLATE} --fields uuid`, []),
    row(`deploy template set CUSTOM_GOLD --name CUSTOM_SILVER --extra c=d --steps ${steps(60)}`),
    row('deploy template unset CUSTOM_SILVER --extra a'),
    row(`deploy template show ${TEMPLATE}`, { name: 'CUSTOM_SILVER', extra: { c: 'd' }, steps: [{ priority: 60 }] }),
    row(`deploy template show ${TEMPLATE} --fields name`, { name: 'CUSTOM_SILVER' }),
  ]);
  await baremetal.readWithEveryField('deploy template list');
  await baremetal.readWithEveryField('deploy template show CUSTOM_SILVER');
  await baremetal.run([
    row('deploy template delete CUSTOM_SILVER'),
    row('deploy template show CUSTOM_SILVER', refused(404, 'Deploy template CUSTOM_SILVER could not be found.')),
  ]);
});

it('allocations find nodes and give them back', async () => {
  await baremetal.run([
    row('node create --driver fake-hardware --name spare --resource-class silver'),
    row('node set spare --owner me'),
    row('node manage --wait 60 spare'),
    row('node provide --wait 60 spare'),
    row('node add trait spare CUSTOM_FAST'),
  ]);
  await baremetal.turnOff('spare');
  await baremetal.run([
    row(
      `allocation create --wait 60 --uuid ${ALLOCATION} --name a1 --resource-class silver --trait CUSTOM_FAST --candidate-node spare --owner me --extra a=b`,
      { name: 'a1', state: 'active', resource_class: 'silver', owner: 'me' },
    ),
    row('allocation list', [{ Name: 'a1', State: 'active' }]),
    row('allocation list --long --node spare --resource-class silver --state active', [{ Traits: ['CUSTOM_FAST'] }]),
    row('allocation list --owner me --limit 1 --sort name:asc', [{ Name: 'a1' }]),
    row(`allocation list --marker ${ALLOCATION} --fields uuid`, []),
    row('allocation list --owner nobody', []),
    row('allocation set a1 --name a-one --extra c=d'),
    row('allocation unset a-one --extra a'),
    row('allocation show a-one', { extra: { c: 'd' } }),
    row('allocation show a-one --fields state', { state: 'active' }),
    row('allocation create --name a-one --resource-class x', refused(409, 'a-one already exists')),
    row('allocation create --resource-class x --candidate-node nosuch', refused(400, 'Nodes cannot be found: nosuch')),
  ]);
  await baremetal.readWithEveryField('allocation list');
  await baremetal.readWithEveryField('allocation show a-one');
  await baremetal.run([
    row('allocation unset a-one --name'),
    row(`allocation delete ${ALLOCATION}`),
    row(`allocation show ${ALLOCATION}`, refused(404, `Allocation ${ALLOCATION} could not be found.`)),
  ]);
  const failed = await baremetal.attempt('allocation create --resource-class nosuch --name a2 --wait 60'.split(' '));
  expect([failed.code, failed.err]).toEqual([
    1,
    expect.stringContaining('no available nodes match the resource class nosuch'),
  ]);
  // A node that is deployed already gets its allocation after the fact.
  await baremetal.run([
    row('allocation delete a2'),
    row('allocation create --node spare --name back', refused(400, 'Cannot backfill an allocation')),
    row('allocation delete back'),
    row('node deploy --wait 60 spare'),
    row('allocation create --node spare --name back', { state: 'active' }),
    row('allocation delete back', refused(409, 'Cannot remove')),
    row('node undeploy --wait 60 spare'),
    row('allocation show back', refused(404, 'Allocation back could not be found.')),
  ]);
});

it('runbooks of later releases are made, listed, changed, shown and deleted', async () => {
  const steps = '[{"interface":"raid","step":"delete_configuration","args":{},"order":1}]';
  const actions = '[{"op":"set-attribute","args":{"path":"/extra/a","value":1}}]';
  await baremetal.runKnown([
    row(
      `runbook create --name CUSTOM_WIPE --uuid ${RULE} --steps ${steps} --extra a=b --description wipes --owner me --disable-ramdisk`,
      { name: 'CUSTOM_WIPE', description: 'wipes', owner: 'me', disable_ramdisk: true, public: false },
    ),
    row('runbook list --long --limit 5 --sort name:asc', [{ name: 'CUSTOM_WIPE' }]),
    row(`runbook list --marker ${RULE} --fields name`, []),
    row(`runbook set CUSTOM_WIPE --extra c=d --description wiped --steps ${steps} --disable-ramdisk false`),
    row('runbook unset CUSTOM_WIPE --extra a --owner --disable-ramdisk'),
    // The client sends a text, which Ironic does not take either.
    row('runbook set CUSTOM_WIPE --public true', refused(400, 'public must be a boolean or null')),
    row('runbook show CUSTOM_WIPE', { description: 'wiped', extra: { c: 'd' }, public: false, owner: null }),
    row('runbook unset CUSTOM_WIPE --public --description'),
    row('runbook set CUSTOM_WIPE --name CUSTOM_SCRUB --owner me'),
    row('runbook trait add CUSTOM_SCRUB CUSTOM_GOLD'),
    row('runbook trait list CUSTOM_SCRUB', [{}]),
    row('runbook trait remove CUSTOM_SCRUB CUSTOM_GOLD'),
    row('runbook trait remove CUSTOM_SCRUB --all'),
    row('runbook unset CUSTOM_SCRUB --name', refused(400, 'name')),
    row('runbook create --name CUSTOM_PUBLIC --steps [] --public true', refused(400, 'steps')),
    row('runbook show nosuch', refused(404, 'Runbook nosuch could not be found.')),
  ]);
  await baremetal.runKnown([
    row(`inspection rule create --uuid ${RULE} --description finds --phase main --conditions [] --actions ${actions}`, {
      uuid: RULE,
      description: 'finds',
    }),
    // The client sends numbers and booleans as texts, which Ironic does not take either.
    row(
      `inspection rule create --priority 5 --sensitive true --actions ${actions}`,
      refused(400, 'priority must be an integer'),
    ),
    row(`inspection rule create --actions ${actions}`, { phase: 'main' }),
    row('inspection rule list --long --limit 1 --sort priority:desc', [{}]),
    row(`inspection rule list --marker ${RULE} --fields uuid`, [{}]),
    row(`inspection rule set ${RULE} --description found --phase main --conditions [] --actions ${actions}`),
    row(`inspection rule set ${RULE} --priority 6`),
    row(`inspection rule unset ${RULE} --description --priority --phase`),
    // Nor is there a field of these names.
    row(`inspection rule unset ${RULE} --condition 0`, refused(400, 'Cannot patch /condition')),
    row(`inspection rule unset ${RULE} --action 0`, refused(400, 'Cannot patch /action')),
    row(`inspection rule show ${RULE}`, { uuid: RULE }),
    row(`inspection rule show ${NOBODY}`, refused(404, NOBODY)),
  ]);
  if (!('runbook list' in (await world.clients.options()))) return;
  for (const command of [
    'runbook list',
    'runbook show CUSTOM_SCRUB',
    'inspection rule list',
    `inspection rule show ${RULE}`,
  ])
    await baremetal.readWithEveryField(command);
  await baremetal.run([
    row('runbook delete CUSTOM_SCRUB'),
    row(`inspection rule delete ${RULE}`),
    row(`inspection rule delete ${RULE}`, refused(404, RULE)),
  ]);
});

it('every command and option was run', async () => {
  expect(await baremetal.notRun('plans')).toEqual([]);
});
