/** Debian's `baremetal`: ports, port groups and volumes of nodes. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Baremetal, createBaremetal, refused, row } from './baremetal.ts';
import { type ClientWorld, NOBODY, startClientWorld } from './world.ts';

const NODE = '11111111-1111-4111-8111-111111111111';
const OTHER = '22222222-2222-4222-8222-222222222222';
const PORT = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
const CONNECTOR = 'dddddddd-dddd-4ddd-8ddd-dddddddddddd';
const TARGET = 'eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee';
const CHOSEN = '77777777-7777-4777-8777-777777777777';
const AT = `--node ${NODE}`;

let world: ClientWorld;
let baremetal: Baremetal;
beforeAll(async () => {
  world = await startClientWorld();
  baremetal = createBaremetal(world);
});
afterAll(() => world.stop());

it('two nodes are there, turned off, as volumes need it', async () => {
  await baremetal.run([
    row(`node create --driver fake-hardware --uuid ${NODE} --name n1`),
    row(`node create --driver fake-hardware --uuid ${OTHER} --name n2`),
  ]);
  for (const name of ['n1', 'n2']) await baremetal.turnOff(name);
});

/** The group bond0: Debian's client cannot choose its UUID. */
let group: string;
it('port groups are made, listed, changed, shown and deleted', async () => {
  await baremetal.run([
    row(
      `port group create ${AT} --name bond0 --address 52:54:00:00:00:10 --mode 802.3ad --property miimon=50 --support-standalone-ports --extra a=b`,
      {
        name: 'bond0',
        node_uuid: NODE,
        mode: '802.3ad',
        standalone_ports_supported: true,
        properties: { miimon: 50 },
      },
    ),
  ]);
  ({ uuid: group } = await baremetal.read('port group show bond0'));
  const chosen = `port group create ${AT} --uuid ${CHOSEN}`;
  if (await baremetal.runOrTold(row(chosen), 'are invalid; they are not needed to create portgroups'))
    await baremetal.run([row(`port group delete ${CHOSEN}`)]);
  await baremetal.run([
    row(`port group create ${AT} --name bond1 --unsupport-standalone-ports`, { standalone_ports_supported: false }),
    row(`port group create ${AT} --name bond0`, refused(409, 'A portgroup with name bond0 already exists.')),
    row(
      `port group create ${AT} --address 52:54:00:00:00:10`,
      refused(409, 'A portgroup with MAC address 52:54:00:00:00:10 already exists.'),
    ),
    row(`port group create ${AT} --address notamac`, refused(400, 'notamac')),
    row('port group list --sort name:desc', [{ Name: 'bond1' }, { Name: 'bond0', Address: '52:54:00:00:00:10' }]),
    row(`port group list --long ${AT} --limit 1`, [{ Mode: '802.3ad' }]),
    row(`port group list --marker ${group} --fields name`, [{ Name: 'bond1' }]),
    row('port group list --address 52:54:00:00:00:10', [{ Name: 'bond0' }]),
    row('port group set bond0 --extra c=d --property miimon=100 --mode active-backup --unsupport-standalone-ports'),
    row('port group unset bond0 --extra a'),
    row('port group show bond0', { extra: { c: 'd' }, mode: 'active-backup', standalone_ports_supported: false }),
    row('port group show --address 52:54:00:00:00:10 --fields name properties', { properties: { miimon: 100 } }),
    row('port group set bond1 --name bond2 --address 52:54:00:00:00:11 --support-standalone-ports'),
    row(`port group set bond2 --node ${OTHER}`),
    row('port group show bond2', { node_uuid: OTHER, address: '52:54:00:00:00:11' }),
    row(`port group set bond2 --node ${NOBODY}`, refused(400, NOBODY)),
    row('port group show nosuch', refused(404, 'Portgroup nosuch could not be found.')),
    row(`port group set bond2 ${AT}`),
    row('port group unset bond2 --address --name'),
    row('port group unset bond0 --property miimon'),
    row('port group show bond0', { properties: {} }),
  ]);
  await baremetal.runKnown([
    row('port group set bond0 --physical-network physnet2 --category green'),
    row('port group show bond0', { physical_network: 'physnet2', category: 'green' }),
    row('port group list --shards s1', []),
    row('port group unset bond0 --physical-network --category'),
    row(`port group create ${AT} --name bond3 --physical-network physnet3 --category blue`, { category: 'blue' }),
  ]);
});

it('ports are made, listed, changed, shown and deleted', async () => {
  const address = '52:54:00:00:00:01';
  await baremetal.run([
    row(
      `port create ${address} ${AT} --uuid ${PORT} --pxe-enabled true --physical-network physnet1 --is-smartnic --local-link-connection hostname=h1 --local-link-connection port_id=Eth0 --extra a=b`,
      { uuid: PORT, address, pxe_enabled: true, is_smartnic: true, physical_network: 'physnet1' },
    ),
    row(
      `port create 52:54:00:00:00:02 ${AT} --port-group ${group} --physical-network physnet1 --local-link-connection switch_id=00:11:22:33:44:55 --local-link-connection port_id=Eth1`,
      { portgroup_uuid: group, local_link_connection: { switch_id: '00:11:22:33:44:55', port_id: 'Eth1' } },
    ),
    row(`port create ${address} ${AT}`, refused(409, `A port with MAC address ${address} already exists.`)),
    row(`port create notamac ${AT}`, refused(400, /notamac/)),
    row(`port create 52:54:00:00:00:03 --node ${NOBODY}`, refused(400, `Node ${NOBODY} could not be found.`)),
    row(`port set ${PORT} --local-link-connection hostname=h2`),
    row('port list --sort address:desc', [{ Address: '52:54:00:00:00:02' }, { UUID: PORT, Address: address }]),
    row(`port list --long ${AT} --limit 1`, [{ 'Physical Network': 'physnet1' }]),
    row('port list --node n1 --fields address', [{}, {}]),
    row(`port list --marker ${PORT} --fields address`, [{ Address: '52:54:00:00:00:02' }]),
    row('port list --address 52:54:00:00:00:09', []),
    row(`port list --port-group ${group}`, [{ Address: '52:54:00:00:00:02' }]),
    row('port list --node nosuch', refused(404, 'Node nosuch could not be found.')),
    row(
      `port set ${PORT} --address 52:54:00:00:00:03 --extra c=d --port-group ${group} --local-link-connection switch_id=00:11:22:33:44:55 --local-link-connection port_id=Eth2 --pxe-disabled`,
    ),
    row('port show --address 52:54:00:00:00:03', { uuid: PORT, local_link_connection: { port_id: 'Eth2' } }),
    row(`port set ${PORT} --physical-network physnet2`, refused(409, 'which has ports in physical network physnet1')),
    row(`port set ${PORT} --pxe-enabled`),
    row(`port show ${PORT} --fields pxe_enabled physical_network`, { pxe_enabled: true, physical_network: 'physnet1' }),
    row(`port unset ${PORT} --extra a --physical-network --port-group --is-smartnic`),
    row(`port show ${PORT}`, { extra: { c: 'd' }, physical_network: null, portgroup_uuid: null, is_smartnic: false }),
    row(`port set ${PORT} --is-smartnic`),
    row(`port set ${PORT} --node ${OTHER}`),
    row(`port show ${PORT}`, { node_uuid: OTHER, is_smartnic: true }),
    row(`port set ${PORT} --address 52:54:00:00:00:02`, refused(409, '52:54:00:00:00:02 already exists')),
    row(`port show ${NOBODY}`, refused(404, `Port ${NOBODY} could not be found.`)),
    row(`port set ${NOBODY} --pxe-disabled`, refused(404, `Port ${NOBODY} could not be found.`)),
  ]);
  // The short form goes away with later releases.
  await baremetal.runOrTold(
    row(`port create 52:54:00:00:00:05 ${AT} -l switch_id=00:11:22:33:44:55 -l port_id=Eth1`),
    'unrecognized arguments',
  );
  await baremetal.runKnown([
    row(`port set ${PORT} --name eth0 --description first --vendor acme --category green`),
    row('port show eth0', { name: 'eth0', description: 'first', vendor: 'acme', category: 'green' }),
    row(`port unset ${PORT} --name --description --vendor --category`),
    row(`port unset ${PORT} --is-smartnic`),
    row(`port unset ${PORT} --local-link-connection port_id`),
    row(`port create 52:54:00:00:00:04 ${AT} --name eth1 --description second --vendor acme --category blue`, {
      name: 'eth1',

      vendor: 'acme',
      category: 'blue',
    }),
  ]);
  for (const command of ['port list', `port show ${PORT}`, 'port group list', 'port group show bond0'])
    await baremetal.readWithEveryField(command);
  await baremetal.run([
    row('port group delete bond0', refused(400, /contains ports/)),
    row(`port delete ${PORT}`, `Deleted port ${PORT}`),
    row(`port delete ${PORT}`, refused(404, `Port ${PORT} could not be found.`)),
  ]);
  const rest = await baremetal.read('port list');
  for (const { uuid } of rest) await baremetal.run([row(`port delete ${uuid}`)]);
  await baremetal.run([row('port group delete bond0', 'Deleted port group bond0')]);
});

it('volume connectors and targets are made, listed, changed, shown and deleted', async () => {
  const connectorId = 'iqn.2017-08.org.openstack:1';
  await baremetal.run([
    row(`volume connector create ${AT} --uuid ${CONNECTOR} --type iqn --connector-id ${connectorId} --extra a=b`, {
      uuid: CONNECTOR,
      type: 'iqn',
      extra: { a: 'b' },
    }),
    row(
      `volume connector create ${AT} --type iqn --connector-id ${connectorId}`,
      refused(409, /volume connector.*already exists/),
    ),
    row('volume connector list', [{ 'Connector ID': connectorId }]),
    row(`volume connector list --long ${AT} --limit 1 --sort type:asc`, [{ UUID: CONNECTOR }]),
    row(`volume connector list --marker ${CONNECTOR} --fields uuid`, []),
    row(`volume connector set ${CONNECTOR} --extra c=d --type ip --connector-id 198.51.100.1`),
    row(`volume connector unset ${CONNECTOR} --extra a`),
    row(`volume connector show ${CONNECTOR}`, { extra: { c: 'd' }, type: 'ip', connector_id: '198.51.100.1' }),
    row(`volume connector show ${CONNECTOR} --fields type`, { type: 'ip' }),
    row(`volume connector show ${NOBODY}`, refused(404, `Volume connector ${NOBODY} could not be found.`)),
    row(
      `volume target create ${AT} --uuid ${TARGET} --type iscsi --boot-index 0 --volume-id vol-1 --property k=v --extra a=b`,
      { uuid: TARGET, boot_index: 0, properties: { k: 'v' } },
    ),
    row(
      `volume target create ${AT} --type iscsi --boot-index 0 --volume-id vol-2`,
      refused(409, /volume target.*already exists/),
    ),
    row('volume target list', [{ 'Volume ID': 'vol-1', 'Boot Index': 0 }]),
    row(`volume target list --long ${AT} --limit 1 --sort volume_id:desc`, [{ Properties: { k: 'v' } }]),
    row(`volume target list --marker ${TARGET} --fields uuid`, []),
    row(
      `volume target set ${TARGET} --property k2=v2 --extra c=d --type fibre_channel --volume-id vol-3 --boot-index 2`,
    ),
    row(`volume target unset ${TARGET} --property k --extra a`),
    row(`volume target show ${TARGET}`, {
      properties: { k2: 'v2' },
      extra: { c: 'd' },
      volume_type: 'fibre_channel',
      volume_id: 'vol-3',
      boot_index: 2,
    }),
    row(`volume target show ${TARGET} --fields volume_id`, { volume_id: 'vol-3' }),
    row(`volume target set ${TARGET} --node ${OTHER}`),
    row(`volume connector set ${CONNECTOR} --node ${OTHER}`),
  ]);
  for (const kind of ['connector', 'target'] as const) {
    await baremetal.readWithEveryField(`volume ${kind} list`);
    const ident = kind === 'connector' ? CONNECTOR : TARGET;
    await baremetal.readWithEveryField(`volume ${kind} show ${ident}`);
    await baremetal.run([
      row(`volume ${kind} show ${NOBODY}`, refused(404, NOBODY)),
      row(`volume ${kind} set ${ident} --node ${NOBODY}`, refused(400, NOBODY)),
      row(`volume ${kind} delete ${ident}`),
    ]);
  }
});

it('every command and option was run', async () => {
  expect(await baremetal.notRun('belongings')).toEqual([]);
});
