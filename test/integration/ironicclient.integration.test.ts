/** Debian's python3-ironicclient against a service that was told nothing but port, data directory and noauth. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Call, type OpenstackClients, startOpenstackClients } from './openstack-clients.ts';
import { type ServiceProcess, startRole } from './service-process.ts';

const CHASSIS = 'cccccccc-cccc-4ccc-8ccc-cccccccccccc';
const NODE = '11111111-1111-4111-8111-111111111111';
const PORT = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
const CONNECTOR = 'dddddddd-dddd-4ddd-8ddd-dddddddddddd';
const TARGET = 'eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee';
const TEMPLATE = '88888888-8888-4888-8888-888888888888';
const VIF = '77777777-7777-4777-8777-777777777777';
const NOBODY = '00000000-0000-4000-8000-000000000000';

let folder: string;
let service: ServiceProcess;
let clients: OpenstackClients;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bessemer-ironicclient-'));
  clients = startOpenstackClients(folder);
  service = await startRole({ role: 'up', dataDir: join(folder, 'data') });
});
afterAll(async () => {
  await clients.stop();
  await service.stop();
  rmSync(folder, { recursive: true });
});

const used = new Set<string>();
/** Conflicts are told at once, not after five more tries. */
const reaching = (url: string) => ['--os-auth-type', 'none', '--os-endpoint', url, '--max-retries', '0'];
function baremetal(argv: readonly string[], access = reaching(service.apiUrl!)) {
  used.add(argv.join(' '));
  return clients.cli([...access, ...argv]);
}

/** What is refused: the status, and the whole sentence or a part of it. */
interface Refused {
  readonly status: number;
  readonly sentence: string | RegExp;
}
const refused = (status: number, sentence: string | RegExp): Refused => ({ status, sentence });
const isRefused = (expected: unknown): expected is Refused =>
  typeof expected === 'object' && expected !== null && 'sentence' in expected;

/** The words of a command, split at spaces, and arguments that hold spaces. */
type Command = string | readonly [words: string, ...verbatim: string[]];
/** Nothing: it goes well. Text: it is printed. Else the JSON that is printed, or has to be among it. */
type Expected = undefined | string | object | Refused;
type Row = readonly [command: Command, expected?: Expected];

async function run(row: Row): Promise<void> {
  const [command, expected] = row;
  const [words, ...verbatim] = typeof command === 'string' ? [command] : command;
  const argv = [...words.split(' '), ...verbatim];
  const isJson = typeof expected === 'object' && !isRefused(expected);
  const ran = await baremetal(isJson ? [...argv, '-f', 'json'] : argv);
  const said = `${argv.join(' ')}: ${ran.code}\n${ran.out}${ran.err}`;
  expect.soft(said).not.toContain('Traceback');
  if (isRefused(expected)) {
    expect.soft(ran.code, said).toBe(1);
    if (typeof expected.sentence === 'string') expect.soft(ran.err, said).toContain(expected.sentence);
    else expect.soft(ran.err, said).toMatch(expected.sentence);
    expect.soft(ran.err, said).toContain(`(HTTP ${expected.status})`);
    return;
  }
  expect.soft(ran.code, said).toBe(0);
  if (typeof expected === 'string') expect.soft(ran.out, said).toContain(expected);
  if (isJson && ran.code === 0) expect.soft(JSON.parse(ran.out), said).toMatchObject(expected);
}
async function runAll(rows: readonly Row[]): Promise<void> {
  for (const row of rows) await run(row);
}
/** The JSON that a command prints. */
async function read(words: string) {
  const ran = await baremetal([...words.split(' '), '-f', 'json']);
  expect(ran.code, ran.err).toBe(0);
  return JSON.parse(ran.out);
}
const among = (...items: object[]) => expect.arrayContaining(items.map((item) => expect.objectContaining(item)));
/** As toMatchObject wants it. */
const row = (command: Command, expected?: Expected): Row => [command, expected];

describe('the commands', () => {
  it('of drivers and conductors', async () => {
    await runAll([
      row('driver list', [
        { 'Supported driver(s)': 'fake-hardware', 'Active host(s)': hostname() },
        { 'Supported driver(s)': 'ipmi' },
        { 'Supported driver(s)': 'manual-management' },
      ]),
      row('driver list --type dynamic --long', [{ Type: 'dynamic', 'Default Network Interface': 'noop' }, {}, {}]),
      row('driver list --fields name type', [{ Type: 'dynamic' }, {}, {}]),
      row('driver show ipmi', {
        name: 'ipmi',
        type: 'dynamic',
        hosts: hostname(),
        default_network_interface: 'noop',
        default_power_interface: 'ipmitool',
      }),
      row('driver show nosuch', refused(404, 'Could not find the following driver(s) or hardware type(s): nosuch.')),
      row('driver property list ipmi', among({ Property: 'ipmi_address' }, { Property: 'ipmi_password' })),
      row('driver raid property list fake-hardware', among({ Property: 'raid_level' }, { Property: 'size_gb' })),
      row('driver passthru list fake-hardware', []),
      row('driver passthru call fake-hardware nosuch', refused(400, 'No handler for method nosuch')),
      row('conductor list', [{ Hostname: hostname(), Alive: true, 'Conductor Group': '' }]),
      row('conductor list --fields hostname drivers', [{ Drivers: ['fake-hardware', 'ipmi', 'manual-management'] }]),
      row(`conductor show ${hostname()}`, { hostname: hostname(), alive: true }),
      row('conductor show nosuch', refused(404, 'Conductor nosuch could not be found.')),
    ]);
  });

  it('of chassis', async () => {
    await runAll([
      row([`chassis create --uuid ${CHASSIS} --extra a=b --description`, 'rack 1'], {
        uuid: CHASSIS,
        description: 'rack 1',
        extra: { a: 'b' },
      }),
      row('chassis list', [{ UUID: CHASSIS, Description: 'rack 1' }]),
      row('chassis list --long', [{ Extra: { a: 'b' } }]),
      row('chassis list --fields uuid extra', [{ UUID: CHASSIS, Extra: { a: 'b' } }]),
      row([`chassis set ${CHASSIS} --extra c=d --description`, 'rack 2']),
      row(`chassis unset ${CHASSIS} --extra a`),
      row(`chassis show ${CHASSIS}`, { description: 'rack 2', extra: { c: 'd' } }),
      row(`chassis show ${NOBODY}`, refused(404, `Chassis ${NOBODY} could not be found.`)),
      row(`chassis delete ${NOBODY}`, refused(404, `Chassis ${NOBODY} could not be found.`)),
    ]);
  });

  it('of nodes: create, list, show, set, unset', async () => {
    await runAll([
      row(
        `node create --driver fake-hardware --uuid ${NODE} --name n1 --resource-class gold --chassis-uuid ${CHASSIS} --driver-info ipmi_password=hunter2 --property cpus=4 --extra k=v`,
        {
          uuid: NODE,
          name: 'n1',
          provision_state: 'enroll',
          power_state: null,
          driver_info: { ipmi_password: '******' },
          properties: { cpus: 4 },
          network_interface: 'noop',
          chassis_uuid: CHASSIS,
          conductor: hostname(),
          traits: [],
        },
      ),
      row('node set n1 --owner own'),
      row('node create --driver manual-management --name n2', { network_interface: 'noop', owner: null }),
      row('node create --driver fake-hardware --name n1', refused(409, 'A node with name n1 already exists.')),
      row(
        `node create --driver fake-hardware --uuid ${NODE}`,
        refused(409, `A node with UUID ${NODE} already exists.`),
      ),
      row('node create --driver nosuch', refused(400, 'which supports driver nosuch')),
      row(
        ['node create --driver fake-hardware --name', 'bad name'],
        refused(400, "Cannot create node with invalid name 'bad name'"),
      ),
      row(
        'node create --driver fake-hardware --deploy-interface nosuch',
        refused(400, /Could not find the following interface.*nosuch/),
      ),
      row('node list', [
        { Name: 'n1', 'Provisioning State': 'enroll', 'Power State': null, Maintenance: false },
        { Name: 'n2' },
      ]),
      row('node list --long --sort name:desc', [{ Name: 'n2' }, { Name: 'n1', 'Resource Class': 'gold' }]),
      row('node list --fields uuid name owner', [{ UUID: NODE, Owner: 'own' }, {}]),
      row('node list --limit 1', [{ Name: 'n1' }]),
      row(`node list --limit 1 --marker ${NODE}`, [{ Name: 'n2' }]),
      ...(
        [
          ['--driver manual-management', 'n2'],
          ['--resource-class gold', 'n1'],
          [`--chassis ${CHASSIS}`, 'n1'],
          ['--owner own', 'n1'],
          ['--provision-state enroll --limit 1', 'n1'],
          ['--unassociated --limit 1', 'n1'],
          ['--no-maintenance --limit 1', 'n1'],
          ['--no-retired --limit 1', 'n1'],
          [`--conductor ${hostname()} --limit 1`, 'n1'],
        ] as const
      ).map(([filter, name]) => row(`node list ${filter}`, [{ Name: name }])),
      ...['--associated', '--maintenance', '--retired', '--lessee les'].map((filter) => row(`node list ${filter}`, [])),
      row('node list --provision-state nosuch', refused(400, 'Provision state "nosuch" is not valid')),
      row(`node list --marker ${NOBODY}`, refused(404, `Node ${NOBODY} could not be found.`)),
      row('node list --marker x', refused(400, 'Expected UUID for marker: x')),
      row('node show n1', { uuid: NODE, resource_class: 'gold' }),
      row(`node show ${NODE} --fields name extra`, { name: 'n1', extra: { k: 'v' } }),
      row('node show nosuch', refused(404, 'Node nosuch could not be found.')),
      row(`node show ${NOBODY}`, refused(404, `Node ${NOBODY} could not be found.`)),
      row([
        'node set n1 --property cpus=8 --extra z=1 --driver-info b=2 --lessee les --automated-clean --description',
        'the first',
      ]),
      row('node list --lessee les', [{ Name: 'n1' }]),
      row('node set n1 --instance-uuid 66666666-6666-4666-8666-666666666666 --instance-info x=y'),
      row('node show --instance 66666666-6666-4666-8666-666666666666', { name: 'n1', instance_info: { x: 'y' } }),
      row('node list --associated', [{ Name: 'n1' }]),
      row('node unset n1 --instance-uuid --instance-info x --extra z --property cpus --lessee --automated-clean'),
      row('node set n1 --name n-one'),
      row('node set n-one --name n1 --network-data {"links":[],"networks":[],"services":[]}'),
      row('node set n1 --target-raid-config {"logical_disks":[{"size_gb":50,"raid_level":"1"}]}'),
      row('node show n1', {
        properties: {},
        extra: { k: 'v' },
        instance_uuid: null,
        automated_clean: null,
        description: 'the first',
        target_raid_config: { logical_disks: [{ size_gb: 50, raid_level: '1' }] },
      }),
      row('node unset n1 --target-raid-config'),
      row('node set n1 --driver nosuch', refused(400, 'nosuch')),
      row('node set n1 --deploy-interface nosuch', refused(400, /nosuch/)),
      row('node set n1 --name n2', refused(409, 'A node with name n2 already exists.')),
      row('node unset n1 --extra nosuch', refused(400, /Couldn't apply patch.*nosuch/)),
      row('node set nosuch --name x', refused(404, 'Node nosuch could not be found.')),
      row(['node maintenance set n1 --reason', 'bad fan']),
      row('node list --maintenance', [{ Name: 'n1' }]),
      row('node show n1', { maintenance: true, maintenance_reason: 'bad fan' }),
      row('node maintenance unset n1'),
      row('node show n1', { maintenance: false, maintenance_reason: null }),
      row('node set n2 --retired --retired-reason old'),
      row('node list --retired', [{ Name: 'n2' }]),
      row('node unset n2 --retired --retired-reason'),
      row('node validate n1', among({ Interface: 'deploy', Result: true }, { Interface: 'power', Result: true })),
      row('node delete n2', 'Deleted node n2'),
      row('node delete n2', refused(404, 'Node n2 could not be found.')),
    ]);
  });

  it('of power, boot device, console and what else a machine has', async () => {
    await runAll([
      row('node create --driver fake-hardware --name machine', { power_state: null }),
      row('node power on machine --power-timeout 5'),
    ]);
    const isPower = async (state: string) => {
      const still = async () => (await read('node show machine --fields power_state target_power_state')) as object;
      await expect.poll(still, { timeout: 30_000 }).toEqual({ power_state: state, target_power_state: null });
    };
    await isPower('power on');
    for (const [command, state] of [
      ['node power off machine', 'power off'],
      ['node reboot machine', 'power on'],
      ['node reboot --soft machine', 'power on'],
      ['node power off --soft --power-timeout 20 machine', 'power off'],
    ] as const) {
      await run([command]);
      await isPower(state);
    }
    await runAll([
      row('node power on nosuch', refused(404, 'Node nosuch could not be found.')),
      row('node boot device set machine pxe --persistent'),
      row('node boot device show machine', { boot_device: 'pxe', persistent: true }),
      row('node boot device show --supported machine', { supported_boot_devices: expect.stringContaining('disk') }),
      row('node boot device set machine safe', refused(400, /safe/)),
      row('node boot mode set machine uefi'),
      row('node secure boot on machine'),
      row('node secure boot off machine'),
      row('node inject nmi machine'),
      row('node console enable machine'),
      row('node console show machine', { console_enabled: true }),
      row('node console disable machine'),
      row('node console show machine', { console_enabled: false }),
      row('node bios setting list machine', []),
      row('node bios setting list --long machine', []),
      row(
        'node bios setting show machine virtualization',
        refused(404, "doesn't have a BIOS setting 'virtualization'"),
      ),
      row('node history list machine', []),
      row(`node history get machine ${NOBODY}`, refused(404, NOBODY)),
      row('node passthru list machine', among({ Name: 'second_method', Async: true })),
      row('node passthru call machine second_method --http-method POST --arg bar=kazoo'),
      row('node passthru call machine second_method --http-method POST', refused(400, "Parameter 'bar' not passed")),
      row('node passthru call machine nosuch', refused(400, 'No handler for method nosuch')),
      row('node add trait machine CUSTOM_GOLD HW_CPU_X86_VMX', 'Added trait CUSTOM_GOLD'),
      row('node trait list machine', [{ Traits: 'CUSTOM_GOLD' }, { Traits: 'HW_CPU_X86_VMX' }]),
      row('node add trait machine bad', refused(400, "'bad' does not match '^CUSTOM_[A-Z0-9_]+$'")),
      row('node remove trait machine CUSTOM_GOLD'),
      row('node remove trait machine CUSTOM_NOSUCH', refused(404, "doesn't have a trait 'CUSTOM_NOSUCH'")),
      row('node remove trait machine --all'),
      row('node trait list machine', []),
      // The network interface noop takes every VIF and remembers none; flat does.
      row(`node vif attach machine ${VIF}`),
      row('node vif list machine', []),
      row('node set machine --network-interface flat'),
    ]);
  });

  it('of ports and port groups', async () => {
    const at = `--node ${NODE}`;
    await runAll([
      row(`port group create ${at} --name bond0 --address 52:54:00:00:00:10 --mode 802.3ad --extra a=b`, {
        name: 'bond0',
        node_uuid: NODE,
        mode: '802.3ad',
      }),
      row('port group list', [{ Name: 'bond0', Address: '52:54:00:00:00:10' }]),
      row(`port group list --long ${at}`, [{ Mode: '802.3ad' }]),
      row('port group set bond0 --extra c=d --property miimon=100'),
      row('port group unset bond0 --extra a'),
      row('port group show bond0', { extra: { c: 'd' }, properties: { miimon: 100 } }),
      row('port group show --address 52:54:00:00:00:10', { name: 'bond0' }),
      row('port group show nosuch', refused(404, 'Portgroup nosuch could not be found.')),
      row(
        `port create 52:54:00:00:00:01 ${at} --uuid ${PORT} --pxe-enabled true --physical-network physnet1 --extra a=b`,
        {
          uuid: PORT,
          address: '52:54:00:00:00:01',
          pxe_enabled: true,
        },
      ),
      row(
        `port create 52:54:00:00:00:01 ${at}`,
        refused(409, 'A port with MAC address 52:54:00:00:00:01 already exists.'),
      ),
      row(`port create notamac ${at}`, refused(400, /notamac/)),
      row(`port create 52:54:00:00:00:02 --node ${NOBODY}`, refused(400, `Node ${NOBODY} could not be found.`)),
      row('port list', [{ UUID: PORT, Address: '52:54:00:00:00:01' }]),
      row(`port list --long ${at}`, [{ 'Physical Network': 'physnet1' }]),
      row('port list --address 52:54:00:00:00:09', []),
    ]);
    const { uuid: group } = await read('port group show bond0');
    await runAll([
      row(
        `port set ${PORT} --address 52:54:00:00:00:03 --port-group ${group} --local-link-connection switch_id=00:11:22:33:44:55 --local-link-connection port_id=Eth1`,
      ),
      row(`port list --port-group ${group}`, [{ UUID: PORT }]),
      row(`port unset ${PORT} --extra a --physical-network --port-group`),
      row(`port show ${PORT}`, { extra: {}, physical_network: null, portgroup_uuid: null }),
      row('port show --address 52:54:00:00:00:03', { uuid: PORT, local_link_connection: { port_id: 'Eth1' } }),
      row(`port show ${NOBODY}`, refused(404, `Port ${NOBODY} could not be found.`)),
      row(`port delete ${PORT}`, `Deleted port ${PORT}`),
      row('port group delete bond0', 'Deleted port group bond0'),
    ]);
    // A VIF hangs on a port.
    const { uuid } = await read('node show machine --fields uuid');
    await runAll([
      row(`port create 52:54:00:00:00:05 --node ${uuid}`),
      row(`node vif attach machine ${VIF}`),
      row('node vif list machine', [{ ID: VIF }]),
      row(`node vif attach machine ${VIF}`, refused(409, VIF)),
      row(`node vif detach machine ${VIF}`),
      row(`node vif detach machine ${VIF}`, refused(400, VIF)),
      row('node vif list machine', []),
      row('node delete machine'),
    ]);
  });

  it('of volumes', async () => {
    const at = `--node ${NODE}`;
    await runAll([
      row('node power off n1'),
      row(`volume connector create ${at} --uuid ${CONNECTOR} --type iqn --connector-id iqn.2017-08.org.openstack:1`, {
        uuid: CONNECTOR,
        type: 'iqn',
      }),
      row(
        `volume connector create ${at} --type iqn --connector-id iqn.2017-08.org.openstack:1`,
        refused(409, /volume connector.*already exists/),
      ),
      row('volume connector list', [{ 'Connector ID': 'iqn.2017-08.org.openstack:1' }]),
      row(`volume connector list --long ${at}`, [{ UUID: CONNECTOR }]),
      row(`volume connector set ${CONNECTOR} --extra c=d`),
      row(`volume connector show ${CONNECTOR}`, { extra: { c: 'd' } }),
      row(`volume connector unset ${CONNECTOR} --extra c`),
      row(`volume target create ${at} --uuid ${TARGET} --type iscsi --boot-index 0 --volume-id vol-1 --property k=v`, {
        uuid: TARGET,
        boot_index: 0,
      }),
      row('volume target list', [{ 'Volume ID': 'vol-1', 'Boot Index': 0 }]),
      row(`volume target list --long ${at}`, [{ Properties: { k: 'v' } }]),
      row(`volume target set ${TARGET} --property k2=v2`),
      row(`volume target unset ${TARGET} --property k`),
      row(`volume target show ${TARGET}`, { properties: { k2: 'v2' } }),
      row(`volume target show ${NOBODY}`, refused(404, NOBODY)),
      row(`volume target delete ${TARGET}`, `Deleted volume target ${TARGET}`),
      row(`volume connector delete ${CONNECTOR}`, `Deleted volume connector ${CONNECTOR}`),
    ]);
  });

  it('of deploy templates and allocations', async () => {
    const steps = '[{"interface":"deploy","step":"deploy","args":{},"priority":50}]';
    await runAll([
      row(`deploy template create CUSTOM_GOLD --uuid ${TEMPLATE} --steps ${steps} --extra a=b`, {
        name: 'CUSTOM_GOLD',
        steps: [{ interface: 'deploy', step: 'deploy', priority: 50 }],
      }),
      row(`deploy template create bad --steps ${steps}`, refused(400, "'bad' does not match")),
      row('deploy template create CUSTOM_NONE --steps []', refused(400, 'steps is too short')),
      row('deploy template list', [{ UUID: TEMPLATE, Name: 'CUSTOM_GOLD' }]),
      row('deploy template list --long', [{ Extra: { a: 'b' } }]),
      row('deploy template set CUSTOM_GOLD --name CUSTOM_SILVER --extra c=d'),
      row('deploy template unset CUSTOM_SILVER --extra a'),
      row(`deploy template show ${TEMPLATE}`, { name: 'CUSTOM_SILVER', extra: { c: 'd' } }),
      row('deploy template delete CUSTOM_SILVER'),
      row('deploy template show CUSTOM_SILVER', refused(404, 'Deploy template CUSTOM_SILVER could not be found.')),
      row('node create --driver fake-hardware --name spare --resource-class silver'),
      row('node manage --wait 60 spare'),
      row('node provide --wait 60 spare'),
      row('node power off spare'),
      row('node add trait spare CUSTOM_FAST'),
      row('allocation create --wait 60 --name a1 --resource-class silver --trait CUSTOM_FAST --extra a=b', {
        name: 'a1',
        state: 'active',
        resource_class: 'silver',
      }),
      row('allocation list', [{ Name: 'a1', State: 'active' }]),
      row('allocation list --long --node spare --resource-class silver --state active', [{ Traits: ['CUSTOM_FAST'] }]),
      row('allocation set a1 --name a-one --extra c=d'),
      row('allocation unset a-one --extra a'),
      row('allocation show a-one', { extra: { c: 'd' } }),
      row('allocation delete a-one'),
      row('allocation show a-one', refused(404, 'Allocation a-one could not be found.')),
      row(
        'allocation create --resource-class x --candidate-node nosuch',
        refused(400, 'Nodes cannot be found: nosuch'),
      ),
      row('node delete spare'),
    ]);
    const failed = await baremetal('allocation create --resource-class nosuch --name a2 --wait 60'.split(' '));
    expect([failed.code, failed.err]).toEqual([
      1,
      expect.stringContaining('no available nodes match the resource class nosuch'),
    ]);
    await run(['allocation delete a2']);
  });

  it('of a whole file at once', async () => {
    const file = join(folder, 'rack.json');
    const ports = [{ address: '52:54:00:00:00:21' }];
    const nodes = [{ driver: 'fake-hardware', name: 'filed', portgroups: [{ name: 'pg', ports }] }];
    writeFileSync(file, JSON.stringify({ chassis: [{ description: 'from a file', nodes }] }));
    await runAll([
      row(`create ${file}`),
      row('port list --address 52:54:00:00:00:21', [{ Address: '52:54:00:00:00:21' }]),
      row('node show filed', { name: 'filed' }),
    ]);
    const { chassis_uuid: chassis } = await read('node show filed --fields chassis_uuid');
    await runAll([row('node delete filed'), row(`chassis delete ${chassis}`, `Deleted chassis ${chassis}`)]);
  });

  it('of the life cycle: to active and back, rebuilt, rescued, cleaned', async () => {
    const inState = (state: string, more: object = {}) =>
      row('node show n1', { provision_state: state, last_error: null, reservation: null, ...more });
    const deploy = ['node deploy --wait 60 n1 --config-drive', '{"meta_data":{"hostname":"h"}}'] as const;
    await runAll([
      row(
        'node provide n1',
        refused(400, `"provide" can not be performed on node "${NODE}" while it is in state "enroll"`),
      ),
      row('node manage --wait 60 n1'),
      row('node manage n1', refused(400, 'while it is in state "manageable"')),
      inState('manageable'),
      row('node inspect --wait 60 n1'),
      inState('manageable'),
      row('node clean --wait 60 n1 --clean-steps [{"interface":"raid","step":"delete_configuration"}]'),
      inState('manageable', { clean_step: {} }),
      row(
        'node clean n1 --clean-steps [{"interface":"raid","step":"nosuch"}]',
        refused(400, /node does not support this clean step/),
      ),
      row('node adopt --wait 60 n1'),
      inState('active'),
      row('node undeploy --wait 60 n1'),
      inState('available'),
      row(deploy),
      inState('active', { power_state: 'power on' }),
      row(
        'node deploy n1',
        refused(400, `"active" can not be performed on node "${NODE}" while it is in state "active"`),
      ),
      row('node delete n1', refused(409, /Can not delete node .* while it is in provision state "active"/)),
      row('node rebuild --wait 60 n1'),
      inState('active'),
      row('node set n1 --protected --protected-reason mine'),
      row('node undeploy n1', refused(403, /protected/)),
      row('node unset n1 --protected --protected-reason'),
      row('node rescue --wait 60 n1 --rescue-password secret'),
      inState('rescue'),
      row('node unrescue --wait 60 n1'),
      inState('active'),
      row('node abort n1', refused(400, '"abort" can not be performed')),
      row('node undeploy --wait 60 n1'),
      inState('available', { instance_info: {} }),
      row('node manage --wait 60 n1'),
    ]);
  });

  it('of a node that is busy, and of one that fails', async () => {
    await runAll([
      row('node create --driver fake-hardware --name slow --driver-info fake_deploy_delay=60'),
      row('node manage --wait 60 slow'),
      row('node set slow --no-automated-clean'),
      row('node provide --wait 60 slow'),
      row('node deploy slow'),
      row('node set slow --extra a=b', refused(409, 'can not be updated while a state transition is in progress')),
      row('node power off slow', refused(409, 'has work under way: wait until it ends, or abort it')),
      row('node create --driver fake-hardware --name sluggish --driver-info fake_power_delay=4'),
      row('node power on sluggish'),
      row('node set sluggish --extra a=b', refused(409, /Node \S+ is locked by host \S+, please retry after/)),
    ]);
    await runAll([
      row(['node create --driver fake-hardware --name frail --driver-info', 'fake_power_fail=the BMC is on fire']),
      row('node manage frail'),
    ]);
    await expect
      .poll(async () => (await read('node show frail --fields last_error provision_state')) as object, {
        timeout: 30_000,
      })
      .toEqual({ last_error: expect.stringContaining('the BMC is on fire'), provision_state: 'enroll' });
    const [{ UUID: event }] = await read('node history list frail');
    await runAll([
      // The client asks for a record named "detail", which Ironic has none of either.
      row('node history list --long frail', refused(404, 'Node history record detail could not be found.')),
      row(`node history get frail ${event}`, { event: expect.stringContaining('the BMC is on fire') }),
      row('node delete frail'),
    ]);
    const waiting = await baremetal('node manage --wait 1 slow'.split(' '));
    expect(waiting.code, waiting.err).toBe(1);
  });

  it('were all run', async () => {
    const known = await clients.commands();
    expect(known.length).toBeGreaterThan(90);
    const run = [...used];
    expect(known.filter((name) => !run.some((line) => line === name || line.startsWith(`${name} `)))).toEqual([]);
  });
});

describe('negotiation', () => {
  const versions: ReadonlyArray<readonly [version: string, fields: readonly string[], missing: readonly string[]]> = [
    ['1.1', ['uuid', 'power_state'], ['name', 'network_interface', 'traits']],
    ['1.31', ['name', 'network_interface'], ['traits', 'rescue_interface', 'owner']],
    ['1.61', ['traits', 'rescue_interface', 'retired'], ['lessee', 'boot_mode']],
    ['1.78', ['boot_mode', 'lessee'], ['parent_node', 'shard']],
    ['latest', ['boot_mode', 'lessee'], []],
  ];
  it.each(versions)('of %s shows the fields of that version', async (version, fields, missing) => {
    const show = ['--os-baremetal-api-version', version, 'node', 'show', NODE, '-f', 'json'];
    const ran = await baremetal(show);
    expect(ran.code, ran.err).toBe(0);
    const shown = Object.keys(JSON.parse(ran.out));
    expect(shown).toEqual(expect.arrayContaining([...fields]));
    expect(missing.filter((field) => shown.includes(field))).toEqual([]);
  });

  it('of a version that nobody has is refused in words', async () => {
    const ran = await baremetal(['--os-baremetal-api-version', '1.200', 'node', 'list']);
    expect([ran.code, ran.err]).toEqual([1, expect.stringContaining('Requested API version 1.200 is not supported')]);
    expect(ran.err).toContain('Supported version range is 1.1 to 1.78');
  });

  it('of a verb that came later is refused in words', async () => {
    const ran = await baremetal('--os-baremetal-api-version 1.9 node inject nmi n1'.split(' '));
    expect([ran.code, ran.err]).toEqual([
      1,
      expect.stringMatching(/^Resource could not be found\. .* needs API version 1\.29 or newer\. \(HTTP 404\)/),
    ]);
    expect(ran.err).not.toContain('Traceback');
  });
});

describe('the library', () => {
  /** As scripts of long ago open it: without a version, which is 1.9. */
  const old = async (call: Call) => {
    const outcome = await clients.library({ auth_type: 'none', endpoint: service.apiUrl! }, call);
    expect(outcome.error).toBeUndefined();
    return outcome.value;
  };
  const withVersion = (version: unknown, call: Call) =>
    clients.library({ auth_type: 'none', endpoint: service.apiUrl!, os_ironic_api_version: version }, call);

  it('at its default 1.9 makes a node available, and takes it to active and back', async () => {
    const made = await old({ call: 'node.create', kwargs: { driver: 'fake-hardware', name: 'old' } });
    expect(await old({ call: 'http_client.os_ironic_api_version' })).toBe('1.9');
    expect(made).toMatchObject({ provision_state: 'available', name: 'old' });
    expect(made).not.toHaveProperty('network_interface');
    const args = ['old'];
    const reach = (state: string, expected: string) =>
      old({ call: 'node.set_provision_state', args: ['old', state] }).then(() =>
        old({
          call: 'node.wait_for_provision_state',
          args: ['old', expected],
          kwargs: { timeout: 60, poll_interval: 0.05 },
        }),
      );
    await reach('active', 'active');
    expect(await old({ call: 'node.get', args })).toMatchObject({ provision_state: 'active', power_state: 'power on' });
    await reach('rebuild', 'active');
    await reach('deleted', 'available');
    await old({ call: 'node.set_maintenance', args: ['old', true], kwargs: { maint_reason: 'fan' } });
    expect(await old({ call: 'node.list', kwargs: { maintenance: true } })).toMatchObject([{ name: 'old' }]);
    await old({ call: 'node.set_maintenance', args: ['old', false] });
    await old({ call: 'node.update', args: ['old', [{ op: 'add', path: '/extra/a', value: 1 }]] });
    expect(await old({ call: 'node.get', args })).toMatchObject({ extra: { a: 1 }, maintenance: false });
    const { uuid } = await old({ call: 'node.get', args });
    await old({ call: 'port.create', kwargs: { node_uuid: uuid, address: '52:54:00:00:00:31' } });
    expect(await old({ call: 'node.list_ports', args })).toMatchObject([{ address: '52:54:00:00:00:31' }]);
    expect(await old({ call: 'node.validate', args })).toMatchObject({ power: { result: true } });
    await old({ call: 'node.set_boot_device', args: ['old', 'disk'] });
    expect(await old({ call: 'node.get_boot_device', args })).toEqual({ boot_device: 'disk', persistent: false });
    expect(await old({ call: 'driver.list' })).toHaveLength(3);
    await old({ call: 'node.delete', args });
  });

  it('raises what it knows, with our sentences', async () => {
    const failures: ReadonlyArray<readonly [call: string, args: unknown[], type: string, sentence: string]> = [
      ['node.get', ['nosuch'], 'NotFound', 'Node nosuch could not be found.'],
      ['node.set_provision_state', [NODE, 'active'], 'BadRequest', 'while it is in state "manageable"'],
      ['node.update', [NODE, [{ op: 'replace', path: '/uuid', value: NOBODY }]], 'BadRequest', '/uuid'],
      ['node.get_vendor_passthru_methods', ['nosuch'], 'NotFound', 'Node nosuch could not be found.'],
      ['portgroup.list', [], 'NotFound', ''],
    ];
    for (const [call, args, type, sentence] of failures) {
      const { error } = await withVersion('1.9', { call, args });
      expect(error, call).toMatchObject({ type, message: expect.stringContaining(sentence) });
    }
  });

  it('negotiates: newest of both, a list of wishes, and one that is too new', async () => {
    const get = { call: 'node.get', args: [NODE] };
    expect((await withVersion('latest', get)).value).toMatchObject({
      uuid: NODE,
      boot_mode: null,
    });
    expect((await withVersion('1.50', get)).value).toMatchObject({ owner: 'own' });
    expect((await withVersion(['1.300', '1.40'], get)).value).toMatchObject({ uuid: NODE });
    expect((await withVersion(['1.300', '1.40'], { call: 'http_client.os_ironic_api_version' })).value).toBe('1.40');
    expect((await withVersion('1.300', get)).error).toMatchObject({
      type: 'UnsupportedVersion',
      message: expect.stringContaining('1.300'),
    });
  });

  it('sends by hand what it has no words for', async () => {
    const send = async (method: string, path: string, body?: unknown) => {
      const headers = { 'X-OpenStack-Ironic-API-Version': '1.115' };
      const call = { call: 'http_client.json_request', args: [method, path] };
      const outcome = await withVersion('1.78', {
        ...call,
        kwargs: { headers, ...(body === undefined ? {} : { body }) },
      });
      expect(outcome.error, `${method} ${path}`).toBeUndefined();
      return outcome.value[1];
    };
    await send('PATCH', `/v1/nodes/${NODE}`, [{ op: 'add', path: '/shard', value: 'rack1' }]);
    expect(await send('GET', '/v1/shards')).toEqual({ shards: expect.arrayContaining([{ name: 'rack1', count: 1 }]) });
    const step = { interface: 'raid', step: 'delete_configuration', args: {}, order: 1 };
    await send('POST', '/v1/runbooks', { name: 'CUSTOM_WIPE', steps: [step] });
    expect(await send('GET', '/v1/runbooks')).toMatchObject({ runbooks: [{ name: 'CUSTOM_WIPE' }] });
    const action = { op: 'set-attribute', args: { path: '/extra/a', value: 1 } };
    await send('POST', '/v1/inspection_rules', { actions: [action] });
    expect(await send('GET', '/v1/inspection_rules')).toMatchObject({ inspection_rules: [{ phase: 'main' }] });
    expect(await send('GET', `/v1/nodes/${NODE}/firmware`)).toEqual({ firmware: expect.any(Array) });
    expect(await send('GET', `/v1/nodes/${NODE}/children`)).toMatchObject({ children: [] });
    expect(await send('GET', `/v1/nodes/${NODE}/inventory`)).toHaveProperty('inventory');
  });
});

describe('with names and passwords', () => {
  it('the administrator of the first start may do everything, a wrong password nothing', async () => {
    const dataDir = join(folder, 'basic');
    const basic = await startRole({ role: 'up', dataDir, set: { 'api.auth': 'http_basic' } });
    try {
      const profile = JSON.parse(readFileSync(join(dataDir, 'profile.json'), 'utf8'));
      const as = (password: string) => [
        ...['--os-auth-type', 'http_basic', '--os-endpoint', basic.apiUrl!],
        ...['--os-username', profile.username, '--os-password', password],
      ];
      const create = ['node', 'create', '--driver', 'fake-hardware', '--name', 'mine', '-f', 'value', '-c', 'name'];
      expect(await baremetal(create, as(profile.password))).toMatchObject({ code: 0, out: 'mine\n' });
      for (const command of ['node manage --wait 60 mine', 'node provide --wait 60 mine', 'node deploy --wait 60 mine'])
        expect((await baremetal(command.split(' '), as(profile.password))).code, command).toBe(0);
      const wrong = await baremetal(['node', 'list'], as('guess'));
      expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('Incorrect username or password')]);
      const nobody = await baremetal(['node', 'list'], ['--os-auth-type', 'none', '--os-endpoint', basic.apiUrl!]);
      expect([nobody.code, nobody.err]).toEqual([1, expect.stringContaining('401')]);
      expect(nobody.err).not.toContain('Traceback');
    } finally {
      await basic.stop();
    }
  });
});
