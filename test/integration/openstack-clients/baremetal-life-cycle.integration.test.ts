/** Debian's `baremetal`: the life cycle, to active and back, and what stands in its way. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Baremetal, createBaremetal, refused, row } from './baremetal.ts';
import { type ClientWorld, expectReadable, startClientWorld } from './world.ts';

const NODE = '11111111-1111-4111-8111-111111111111';

let world: ClientWorld;
let baremetal: Baremetal;
beforeAll(async () => {
  world = await startClientWorld();
  baremetal = createBaremetal(world);
});
afterAll(() => world.stop());

const inState = (state: string, more: object = {}) =>
  row('node show n1', { provision_state: state, last_error: null, reservation: null, ...more });
const notWhile = (verb: string, state: string) =>
  refused(400, `"${verb}" can not be performed on node "${NODE}" while it is in state "${state}"`);

it('a node is managed, inspected, cleaned and provided', async () => {
  await baremetal.run([
    row(`node create --driver fake-hardware --name n1 --uuid ${NODE}`),
    row('node provide n1', notWhile('provide', 'enroll')),
    row('node manage --wait 60 n1'),
    row('node manage n1', notWhile('manage', 'manageable')),
    row('node manage nosuch', refused(404, 'Node nosuch could not be found.')),
    inState('manageable'),
    row('node inspect --wait 60 n1'),
    inState('manageable'),
    row('node clean --wait 60 n1 --clean-steps [{"interface":"raid","step":"delete_configuration"}]'),
    inState('manageable', { clean_step: {} }),
    row(
      'node clean n1 --clean-steps [{"interface":"raid","step":"nosuch"}]',
      refused(400, /node does not support this clean step/),
    ),
    row('node clean n1 --clean-steps [{"interface":"x","step":"y"}]', refused(400, 'must name an interface')),
    row('node provide --wait 60 n1'),
    inState('available'),
  ]);
});

it('a node is deployed, rebuilt, rescued and given back', async () => {
  const steps = (priority: number) => `[{"interface":"deploy","step":"deploy","priority":${priority},"args":{}}]`;
  await baremetal.run([
    row([`node deploy --wait 60 n1 --config-drive`, '{"meta_data":{"hostname":"h"}}']),
    inState('active', { power_state: 'power on' }),
    row('node deploy n1', notWhile('active', 'active')),
    row('node delete n1', refused(409, /Can not delete node .* while it is in provision state "active"/)),
    row('node rebuild --wait 60 n1'),
    row(['node rebuild --wait 60 n1 --config-drive', '{"meta_data":{"hostname":"i"}}']),
    row(`node rebuild n1 --deploy-steps ${steps(0)}`, refused(400, 'No deploy steps returned by the driver')),
    inState('active'),
    row('node set n1 --protected --protected-reason mine'),
    row('node undeploy n1', refused(403, /protected/)),
    row('node unset n1 --protected --protected-reason'),
    row('node rescue --wait 60 n1 --rescue-password secret'),
    inState('rescue'),
    row('node unrescue --wait 60 n1'),
    inState('active'),
    row('node abort n1', notWhile('abort', 'active')),
    row('node undeploy --wait 60 n1'),
    inState('available', { instance_info: {} }),
    row('node deploy n1 --deploy-steps [{"interface":"x"}]', refused(400, "'step' is a required property")),
    row(`node deploy n1 --deploy-steps ${steps(0)}`, refused(400, 'No deploy steps returned by the driver')),
    row(`node deploy n1 --deploy-steps ${steps(90)}`, refused(400, 'is a core step and cannot be overridden')),
  ]);
});

it('a node that serves already is adopted', async () => {
  await baremetal.run([
    row('node manage --wait 60 n1'),
    row('node adopt --wait 60 n1'),
    inState('active'),
    row('node undeploy --wait 60 n1'),
  ]);
});

it('runbooks and service steps of later releases are run', async () => {
  const steps = '[{"interface":"raid","step":"delete_configuration","args":{},"order":1}]';
  await baremetal.runKnown([
    row('node add trait n1 CUSTOM_WIPE'),
    row(`runbook create --name CUSTOM_WIPE --steps ${steps}`),
    row('runbook trait add CUSTOM_WIPE CUSTOM_WIPE'),
    row('node manage --wait 60 n1'),
    row('node clean --wait 60 n1 --runbook CUSTOM_WIPE'),
    row(
      'node clean n1 --disable-ramdisk --clean-steps [{"interface":"raid","step":"delete_configuration"}]',
      refused(400, 'requires booting a ramdisk'),
    ),
    row('node clean n1 --runbook CUSTOM_NOSUCH', refused(404, 'CUSTOM_NOSUCH')),
    row('node provide --wait 60 n1'),
    row('node deploy --wait 60 n1'),
    row('node service --wait 60 n1 --service-steps [{"interface":"raid","step":"delete_configuration"}]'),
    row('node service --wait 60 n1 --runbook CUSTOM_WIPE'),
    row(
      'node service n1 --disable-ramdisk --service-steps [{"interface":"raid","step":"delete_configuration"}]',
      refused(400, 'requires booting a ramdisk'),
    ),
    inState('active'),
    row('node unhold n1', notWhile('unhold', 'active')),
    row('node undeploy --wait 60 n1'),
  ]);
});

it('a busy node is left alone, and is not waited for beyond the time given', async () => {
  await baremetal.run([
    row('node create --driver fake-hardware --name slow --driver-info fake_deploy_delay=60'),
    row('node manage --wait 60 slow'),
    row('node set slow --no-automated-clean'),
    row('node provide --wait 60 slow'),
    row('node deploy slow'),
    row('node set slow --extra a=b', refused(409, 'can not be updated while a state transition is in progress')),
    row('node power off slow', refused(409, 'has work under way: wait until it ends, or abort it')),
    row('node create --driver fake-hardware --name sluggish --driver-info fake_power_delay=4'),
  ]);
  const waiting = await baremetal.attempt('node manage --wait 1 sluggish'.split(' '));
  expect([waiting.code, waiting.err]).toEqual([
    1,
    expect.stringContaining('sluggish failed to reach state manageable in 1 seconds'),
  ]);
  await baremetal.run([
    // Held for longer than a request waits for it.
    row('node create --driver fake-hardware --name held --driver-info fake_power_delay_ms=60000'),
    row('node power on held'),
    row('node set held --extra a=b', refused(409, /Node \S+ is locked by host \S+, please retry after/)),
  ]);
});

it('a failure is told to who waits', async () => {
  await baremetal.run([
    row([
      'node create --driver fake-hardware --name frail --driver-info',
      'fake_deploy_fail=the "disk" is on fire & gone',
    ]),
    row('node manage --wait 60 frail'),
    row('node set frail --no-automated-clean'),
    row('node provide --wait 60 frail'),
  ]);
  const failed = await baremetal.attempt('node deploy --wait 60 frail'.split(' '));
  expect([failed.code, failed.err]).toEqual([1, expect.stringContaining('the "disk" is on fire & gone')]);
  expectReadable(failed.err);
  await baremetal.run([
    row('node show frail', { provision_state: 'deploy failed' }),
    row('node set frail --driver-info fake_deploy_fail='),
    row('node unset frail --driver-info fake_deploy_fail'),
    row('node deploy --wait 60 frail'),
    row('node undeploy --wait 60 frail'),
  ]);
});

it('every command and option was run', async () => {
  expect(await baremetal.notRun('life cycle')).toEqual([]);
});
