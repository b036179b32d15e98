/** One thing of every kind, and a request that each operation takes: what tests over all operations start from. */
import type { OperationSpec } from '@bessemer/api-spec';
import { asChassisId, asNodeId, type Json, type JsonObject } from '@bessemer/core';
import type { Random } from '@bessemer/ports';
import type { TestApi } from './testing.ts';

/** Idents by the name of the path parameter that takes them; and some that only bodies take. */
export type Things = Readonly<Record<string, string>>;

/** A MAC address that nobody makes. */
export const macFrom = (random: Random): string =>
  ['52', '54', ...Array.from(random.bytes(4), (byte) => byte.toString(16).padStart(2, '0'))].join(':');

/** A node with everything that can belong to one, a child, and one of each thing that belongs to none. The node is in enroll and off. */
export async function makeThings(api: TestApi, random: Random): Promise<Things> {
  const uuid = () => random.uuid();
  const node = asNodeId(uuid());
  const made = {
    node,
    name: `node-${node.slice(0, 8)}`,
    chassis: asChassisId(uuid()),
    child: asNodeId(uuid()),
    port: uuid(),
    portgroup: uuid(),
    connector: uuid(),
    target: uuid(),
    allocation: uuid(),
    runbook: uuid(),
    template: uuid(),
    rule: uuid(),
    token: uuid(),
    webhook: uuid(),
  };
  const custom = `CUSTOM_${node.slice(0, 8).toUpperCase()}`;
  await api.db.write('things', async (tx) => {
    await tx.chassis.create({ uuid: made.chassis, description: 'rack 1' });
    await tx.nodes.create({
      uuid: node,
      name: made.name,
      driver: 'fake-hardware',
      chassisUuid: made.chassis,
      powerState: 'power off',
      resourceClass: 'baremetal',
      owner: 'p1',
      shard: 'a',
      driverInfo: { ipmi_address: '192.0.2.1', ipmi_password: 'secret' },
      traits: [custom],
    });
    await tx.nodes.create({ uuid: made.child, driver: 'fake-hardware', parentNode: node, owner: 'p1' });
    await tx.nodes.setInventory(node, { inventory: { cpu: { count: 4 } }, pluginData: {} });
    await tx.nodes.setDocument(node, 'bios', {
      Boot: { name: 'Boot', value: 'Uefi', attribute_type: 'Enumeration', read_only: false },
    });
    await tx.nodes.setDocument(node, 'firmware', {
      bmc: { component: 'bmc', initial_version: '1.0', current_version: '1.2', vendor: 'Acme' },
    });
    await tx.events.append({
      type: 'node.provision_state',
      nodeUuid: node,
      runId: null,
      severity: 'error',
      data: { from: 'deploying', to: 'deploy failed', target: 'active', error: 'The image did not come.' },
    });
    await tx.portgroups.create({ uuid: made.portgroup as never, nodeUuid: node, name: `bond-${made.name}` });
    await tx.ports.create({
      uuid: made.port as never,
      nodeUuid: node,
      address: macFrom(random),
      portgroupUuid: made.portgroup,
    });
    await tx.volumeConnectors.create({
      uuid: made.connector as never,
      nodeUuid: node,
      type: 'iqn',
      connectorId: made.connector,
    });
    await tx.volumeTargets.create({
      uuid: made.target as never,
      nodeUuid: node,
      volumeType: 'iscsi',
      bootIndex: 0,
      volumeId: made.target,
    });
    await tx.allocations.create({
      uuid: made.allocation as never,
      name: `for-${made.name}`,
      resourceClass: 'baremetal',
      nodeUuid: node,
      state: 'active',
    });
    await tx.nodes.update(node, { allocationUuid: made.allocation });
    const step = { interface: 'deploy', step: 'erase_devices', args: {} };
    await tx.runbooks.create({
      uuid: made.runbook as never,
      name: custom,
      steps: [{ ...step, order: 1 }],
      traits: [custom],
    });
    await tx.deployTemplates.create({ uuid: made.template as never, name: custom, steps: [{ ...step, priority: 90 }] });
    await tx.inspectionRules.create({ uuid: made.rule as never, actions: [{ op: 'fail', args: { msg: 'no' } }] });
    await tx.tokens.create({
      uuid: made.token,
      name: `token-${made.name}`,
      sha256: made.token.padEnd(64, '0'),
      role: 'reader',
      project: 'p1',
      createdBy: 'x',
      expiresAt: null,
    });
    const cursor = await tx.events.head();
    await tx.webhooks.create({ uuid: made.webhook, name: `hook-${made.name}`, url: 'https://192.0.2.9/', cursor });
    await tx.webhooks.lease(made.webhook, 'test', 60_000);
    await tx.webhooks.giveUp(made.webhook, 'test', {
      status: 500,
      error: 'HTTP 500',
      event: { type: 'node.created' },
      cursor,
      kept: 10,
    });
    await tx.webhooks.endLeases('test');
  });
  const [letter] = await api.db.read.webhooks.listDeadLetters(made.webhook, 0, 1);
  const history = await api.request('GET', `/v1/nodes/${node}/history`);
  const [entry] = history.json['history'] as JsonObject[];
  return {
    ...made,
    trait: custom,
    driver: 'fake-hardware',
    conductor: 'c1',
    setting: 'Boot',
    indicator: 'led@chassis',
    method: 'first_method',
    vif: 'vif-1',
    letter: String(letter?.id),
    entry: String(entry?.['uuid']),
  };
}

/** A conductor that answers everything, in the shapes of the RPC contract. */
export function answerEverything(api: TestApi): void {
  const answers = {
    validateDriverInterfaces: { power: { result: true }, boot: { result: null, reason: 'not supported' } },
    getBootDevice: { boot_device: 'pxe', persistent: false },
    getSupportedBootDevices: { supported_boot_devices: ['pxe', 'disk'] },
    getConsole: { console_info: { type: 'ipmitool', url: 'ws://192.0.2.5:8000/' } },
    listIndicators: { components: { chassis: { led: { readonly: false, states: ['OFF', 'ON'] } } } },
    getIndicator: { state: 'ON' },
    listVirtualMedia: { media: [] },
    listVendorMethods: {
      methods: {
        first_method: {
          http_methods: ['POST'],
          async: false,
          description: 'A method.',
          attach: false,
          require_exclusive_lock: true,
        },
      },
    },
    callVendorMethod: { isAsync: false, result: 'done' },
  } as const;
  for (const [method, result] of Object.entries(answers)) api.answer(method as keyof typeof answers, result);
}

const STEP = { interface: 'deploy', step: 'erase_devices', args: {} };
const ADD_EXTRA: Json = [{ op: 'add', path: '/extra/rack', value: '7' }];

/** A body that the operation takes, of things made by makeThings; undefined when it has none. */
export function bodyOf({ operationId, method, bodySchema }: OperationSpec, things: Things, random: Random): unknown {
  const { node, port } = things;
  const unique = random.uuid().replaceAll('-', '').slice(0, 10);
  const bodies: Readonly<Record<string, Json>> = {
    createNode: { driver: 'fake-hardware' },
    createPort: { node_uuid: node!, address: macFrom(random) },
    createPortgroup: { node_uuid: node! },
    createVolumeConnector: { node_uuid: node!, type: 'wwnn', connector_id: unique },
    createVolumeTarget: { node_uuid: node!, volume_type: 'iscsi', boot_index: 1, volume_id: unique },
    createAllocation: { resource_class: 'baremetal' },
    createRunbook: { name: `CUSTOM_${unique.toUpperCase()}`, steps: [{ ...STEP, order: 1 }] },
    createDeployTemplate: { name: `CUSTOM_${unique.toUpperCase()}`, steps: [{ ...STEP, priority: 90 }] },
    createInspectionRule: { actions: [{ op: 'fail', args: { msg: 'no' } }] },
    createToken: { name: `t-${unique}`, role: 'reader' },
    createWebhook: { url: 'https://192.0.2.9/hook' },
    createChassis: {},
    patchInspectionRule: [{ op: 'replace', path: '/description', value: 'checked' }],
    patchWebhook: [{ op: 'replace', path: '/severity', value: 'error' }],
    setPowerState: { target: 'power on' },
    setProvisionState: { target: 'manage' },
    setMaintenance: { reason: 'new fans' },
    setBootDevice: { boot_device: 'pxe' },
    setBootMode: { target: 'uefi' },
    setSecureBoot: { target: true },
    setRaidConfig: { logical_disks: [{ raid_level: '1', size_gb: 100 }] },
    setConsole: { enabled: true },
    setIndicator: { state: 'ON' },
    setTraits: { traits: ['CUSTOM_GPU'] },
    setRunbookTraits: { traits: ['CUSTOM_GPU'] },
    attachVif: { id: 'vif-1' },
    attachVirtualMedia: { device_type: 'cdrom', image_url: 'https://192.0.2.7/rescue.iso' },
    configureNode: { playbook: '- hosts: all\n' },
    bulk: { action: 'power', nodes: [node!], target: 'power on' },
    patchVendorMethod: {},
    patchVendorQuery: {},
    postEvents: {
      events: [{ event: 'network.bind_port', port_id: port!, mac_address: '52:54:00:00:00:01', status: 'ACTIVE' }],
    },
  };
  return bodies[operationId] ?? (bodySchema === undefined ? undefined : method === 'PATCH' ? ADD_EXTRA : {});
}

/** The path with its parameters filled in. */
export const pathOf = ({ path }: OperationSpec, things: Things): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(things[name] ?? 'x'));

/** A query without which the operation does not answer, or does not end. */
export const queryOf = ({ operationId }: OperationSpec, things: Things): Record<string, string> => {
  if (operationId === 'streamEvents') return { follow: 'false' };
  if (operationId === 'validateNodeByQuery') return { node: things['node']! };
  if (operationId.endsWith('VendorQuery')) return { method: 'first_method' };
  return {};
};
