/**
 * The machine room that all examples are of: a few nodes in two racks, with what belongs to them. Each file of examples starts with it
 * anew. Identifiers and times are fixed, so that the answers are.
 */
import { asChassisId, asNodeId, asRunId, type DriverDescription, resolveConfig } from '@bessemer/core';
import { createDefaultRegistry } from '@bessemer/conductor';
import type { IpmiClient } from '@bessemer/ipmi';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { startApi, type TestApi } from '../../testing.ts';

/** Base of all links, where `bessemer up` listens. */
export const ENDPOINT = 'http://127.0.0.1:6385';

const CHASSIS = asChassisId('6b1f0f5e-8f4e-4c58-9d2a-3f0c1d7a5e10');
const NODE_1 = asNodeId('1be26c0b-03f2-4d2e-ae87-c02d7f33c123');
const NODE_2 = asNodeId('2d9a1f7c-5b0e-4f83-9a41-77c2b6e0d2a4');
const NODE_3 = asNodeId('3c7e8b15-9a60-4e1d-b3f8-0a5d49c1e7b6');
const CHILD = asNodeId('4f60b2d9-7c1a-4b95-8e03-d8a7f5c2b190');
const ACTIVE = asNodeId('c2a7e9d1-3f58-4b06-8e94-5d1c7f20b3a8');
const FAILED = asNodeId('d7b4f6a3-1c92-4e85-b0d7-28a9e5c3f61b');
const PORT = 'a4f1d3c8-2b67-4e90-8d15-6c9e0b7a3f21';
const PORTGROUP = 'b8e2c5a7-41d0-4f36-9b7e-15d3f8a6c902';
const CONNECTOR = 'c3d7f9b1-6e28-4a54-8c0f-92b1e4d7a568';
const TARGET = 'd5a8e0c2-7f39-4b16-a9d1-83c6f2e5b047';
const ALLOCATION = 'e7b9f1d3-8a40-4c27-b0e2-74d5a3f6c818';
const HOOK = '1bd0c4e6-b073-4f5a-83b5-670ad9c2f14b';
const RUN = asRunId('f9c0a2e4-9b51-4d38-81f3-65e4b7a0d929');
const FAILED_RUN = asRunId('0ad1b3f5-ac62-4e49-92a4-56f5c8b1e03a');

/** The hardware types that ship, as a conductor tells of them. Nothing is asked of any hardware. */
function shippedDrivers(): readonly DriverDescription[] {
  const { conductor, ipmi } = resolveConfig([]);
  return createDefaultRegistry({
    clock: new ManualClock(),
    enabledTypes: conductor.enabled_hardware_types,
    ipmi: {
      client: {} as IpmiClient,
      cipherSuites: ipmi.default_cipher_suites,
      commandTimeoutMs: ipmi.command_timeout_ms,
      clock: new ManualClock(),
    },
  }).descriptions();
}

const bmc = (address: string) => ({ ipmi_address: address, ipmi_username: 'admin', ipmi_password: 'calvin' });
const PROPERTIES = { cpus: 32, cpu_arch: 'x86_64', memory_mb: 131072, local_gb: 894 };

async function furnish(api: TestApi, clock: ManualClock): Promise<void> {
  const session = (await api.db.read.conductors.list())[0]!.session;
  await api.db.write('rack', async (tx) => {
    await tx.chassis.create({ uuid: CHASSIS, description: 'Rack 1, room 2.17' });
    const common = { driver: 'ipmi', resourceClass: 'baremetal', powerState: 'power off', shard: 'room-2' } as const;
    await tx.nodes.create({
      ...common,
      uuid: NODE_1,
      name: 'rack1-01',
      chassisUuid: CHASSIS,
      provisionState: 'available',
      driverInfo: bmc('192.0.2.11'),
      properties: PROPERTIES,
      extra: { rack: 1, unit: 12 },
      traits: ['CUSTOM_NVME', 'HW_CPU_X86_AVX2'],
    });
    await tx.nodes.create({
      ...common,
      uuid: NODE_2,
      name: 'rack1-02',
      driverInfo: bmc('192.0.2.12'),
      provisionState: 'available',
    });
    await tx.nodes.create({ ...common, uuid: NODE_3, name: 'rack1-03', driver: 'fake-hardware' });
    await tx.nodes.create({ uuid: CHILD, name: 'rack1-03-dpu', driver: 'fake-hardware', parentNode: NODE_3 });
    for (const [uuid, name] of [
      [ACTIVE, 'rack2-01'],
      [FAILED, 'rack2-02'],
    ] as const)
      await tx.nodes.create({
        ...common,
        uuid,
        name,
        driverInfo: bmc(`192.0.2.2${name.at(-1)}`),
        provisionState: 'available',
      });

    await tx.portgroups.create({ uuid: PORTGROUP as never, nodeUuid: NODE_1, name: 'rack1-01-bond0', mode: '802.3ad' });
    await tx.ports.create({
      uuid: PORT as never,
      nodeUuid: NODE_1,
      address: '52:54:00:b5:00:01',
      portgroupUuid: PORTGROUP,
    });
    await tx.volumeConnectors.create({
      uuid: CONNECTOR as never,
      nodeUuid: NODE_1,
      type: 'iqn',
      connectorId: 'iqn.2026-01.org.example:rack1-01',
    });
    await tx.volumeTargets.create({
      uuid: TARGET as never,
      nodeUuid: NODE_1,
      volumeType: 'iscsi',
      bootIndex: 0,
      volumeId: 'vol-0042',
      properties: { target_iqn: 'iqn.2026-01.org.example:store', target_lun: 1, target_portal: '192.0.2.80:3260' },
    });
    await tx.allocations.create({
      uuid: ALLOCATION as never,
      name: 'db-primary',
      resourceClass: 'baremetal',
      nodeUuid: NODE_1,
      state: 'active',
      owner: null,
    });
    await tx.nodes.update(NODE_1, { allocationUuid: ALLOCATION });

    await tx.nodes.setInventory(NODE_3, {
      inventory: {
        cpu: { architecture: 'x86_64', count: 32, model_name: 'Xeon Gold 6426Y' },
        memory: { physical_mb: 131072 },
        disks: [{ name: '/dev/nvme0n1', size: 960197124096, serial: 'S6CKNT0W700123' }],
        interfaces: [{ name: 'eno1', mac_address: '52:54:00:b5:00:03', has_carrier: true }],
      },
      pluginData: {},
    });
    await tx.nodes.setDocument(NODE_3, 'bios', {
      BootMode: {
        name: 'BootMode',
        value: 'Uefi',
        attribute_type: 'Enumeration',
        allowable_values: ['Bios', 'Uefi'],
        read_only: false,
      },
      ProcVirtualization: {
        name: 'ProcVirtualization',
        value: 'Enabled',
        attribute_type: 'Enumeration',
        read_only: false,
      },
    });
    await tx.nodes.setDocument(NODE_3, 'firmware', {
      bmc: {
        component: 'bmc',
        initial_version: '7.00.30',
        current_version: '7.10.50',
        last_version_flashed: '7.10.50',
      },
    });
    await tx.boots.seenUnknown({
      mac: '52:54:00:b5:00:2a',
      uuid: '9d8c7b6a-5f4e-4d3c-8b2a-190817263544',
      serial: 'CZ3350LQ7K',
      arch: 'x86_64',
      platform: 'efi',
      address: '192.0.2.142',
    });
  });
  await failedCleaning(api, session, clock);
  await deployed(api, session);
  await undelivered(api);
  await clock.advance(60_000);
  await deployment(api, session, clock);
}

type Session = Awaited<ReturnType<TestApi['db']['read']['conductors']['list']>>[number]['session'];

/** What the history of rack1-03 tells. */
async function failedCleaning(api: TestApi, session: Session, clock: ManualClock): Promise<void> {
  await api.db.write('cleaning', async (tx) => {
    const { fence } = (await tx.nodes.reserve(NODE_3, session, 'c1', 'clean'))!;
    await tx.nodes.processEvent(NODE_3, 'manage', { fence });
    await tx.nodes.processEvent(NODE_3, 'done', { fence });
    const work = { nodeUuid: NODE_3, verb: 'clean', state: 'running', input: {}, segments: [] } as const;
    await tx.runs.create({ ...work, id: FAILED_RUN, deadline: 1e15, owner: session, fence, requestId: 'clean' });
    const error = 'Clean step deploy.erase_devices_metadata failed: /dev/nvme0n1 does not answer.';
    await tx.events.append({
      type: 'node.provision_state',
      nodeUuid: NODE_3,
      runId: FAILED_RUN,
      severity: 'error',
      data: { from: 'cleaning', to: 'clean failed', target: 'manageable', error },
    });
    await tx.runs.update(FAILED_RUN, fence, { state: 'failed', error, finishedAt: clock.nowMs() });
    await tx.nodes.release(NODE_3, fence);
  });
}

/** rack2-01 is active, the deployment of rack2-02 has failed. */
async function deployed(api: TestApi, session: Session): Promise<void> {
  await api.db.write('deployed', async (tx) => {
    for (const [uuid, event] of [
      [ACTIVE, 'done'],
      [FAILED, 'fail'],
    ] as const) {
      const { fence } = (await tx.nodes.reserve(uuid, session, 'c1', 'deploy'))!;
      await tx.nodes.processEvent(uuid, 'deploy', { fence });
      await tx.nodes.processEvent(uuid, event, {
        fence,
        error: event === 'fail' ? 'The agent did not say hello in time.' : null,
      });
      await tx.nodes.release(uuid, fence);
    }
  });
}

/** A webhook that nobody answered. */
async function undelivered(api: TestApi): Promise<void> {
  await api.db.write('webhook', async (tx) => {
    const cursor = await tx.events.head();
    await tx.webhooks.create({ uuid: HOOK, name: 'pager', url: 'https://pager.example/', cursor });
    await tx.webhooks.lease(HOOK, 'c1', 60_000);
    const event = { id: cursor, type: 'node.provision_state', node: 'rack1-03', severity: 'error' };
    await tx.webhooks.giveUp(HOOK, 'c1', { status: 503, error: 'HTTP 503', event, cursor, kept: 10 });
    await tx.webhooks.endLeases('c1');
  });
}

/** A deployment of rack1-02 that waits for its agent. */
async function deployment(api: TestApi, session: Session, clock: ManualClock): Promise<void> {
  const nodeUuid = NODE_2;
  const { fence } = await api.db.write('deploy', async (tx) => {
    const lease = (await tx.nodes.reserve(nodeUuid, session, 'c1', 'deploy'))!;
    await tx.nodes.processEvent(nodeUuid, 'deploy', { fence: lease.fence });
    const work = { nodeUuid, verb: 'deploy', state: 'running', input: {}, segments: [] } as const;
    await tx.runs.create({
      ...work,
      id: RUN,
      deadline: clock.nowMs() + 3_600_000,
      owner: session,
      fence: lease.fence,
      requestId: 'deploy',
    });
    await tx.events.append({ type: 'run.started', nodeUuid, runId: RUN, data: { verb: 'deploy' } });
    return lease;
  });
  const reached = [
    [2_100, 'power.ordered', { action: 'power on' }],
    [41_300, 'boot.dhcp', { mac: '52:54:00:b5:00:02', address: '192.0.2.140', arch: 'x86_64' }],
    [800, 'boot.script', { mac: '52:54:00:b5:00:02', answer: 'ramdisk' }],
    [3_200, 'boot.initrd', { bytes: 48347432 }],
  ] as const;
  for (const [afterMs, type, data] of reached) {
    await clock.advance(afterMs);
    await api.db.write('progress', (tx) => tx.events.append({ type, nodeUuid, runId: RUN, data }));
  }
  await api.db.write('wait', (tx) =>
    tx.runs.update(RUN, fence, {
      waitingFor: {
        what: 'agent',
        from: '192.0.2.140',
        since: clock.nowMs(),
        until: clock.nowMs() + 300_000,
        hint: 'The ramdisk was fetched and boots; its agent says hello next. Look at the console when it does not.',
        position: null,
      },
    }),
  );
}

export interface ExampleWorld {
  readonly api: TestApi;
  readonly clock: ManualClock;
}

/** Starts the service with the machine room. */
export async function startExampleWorld(): Promise<ExampleWorld> {
  const clock = new ManualClock();
  const random = seededRandom(7);
  const api = await startApi({ clock, random, config: { public_endpoint: ENDPOINT }, drivers: shippedDrivers() });
  await furnish(api, clock);
  return { api, clock };
}
