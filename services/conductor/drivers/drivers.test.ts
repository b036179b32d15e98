import { describe, expect, it } from 'vitest';
import { type Node, resolveConfig } from '@bessemer/core';
import { createMemoryChassis, createReferenceBmc, type BmcLie, type BmcLimits } from '@bessemer/ipmi/bmc';
import { createIpmiClient } from '@bessemer/ipmi';
import { Secret, silentLog } from '@bessemer/ports';
import { ManualClock, memoryDatagrams, seededRandom, settle } from '@bessemer/ports/testing';
import {
  describeDeployInterface,
  describeManagementInterface,
  describePowerInterface,
  type MakeSubject,
} from './contract-suites.ts';
import { directDeploy } from './direct.ts';
import { createFakes } from './fake/index.ts';
import { createDefaultRegistry, HARDWARE_TYPES } from './index.ts';
import type { DriverInterface } from './interfaces.ts';
import { createIpmiManagement, createIpmiPower, type IpmiDeps } from './ipmi.ts';
import { noopManagement } from './noop.ts';
import { createWorld } from '../testing.ts';

const image = { image_source: 'http://images.test/x', image_checksum: 'a'.repeat(64) };

/** A subject without hardware. */
function plain<I extends DriverInterface>(make: (clock: ManualClock) => I, patch: Partial<Node> = {}): MakeSubject<I> {
  return async () => {
    const world = await createWorld();
    const node = await world.node({ instanceInfo: image, ...patch });
    const subject = {
      implementation: make(world.clock),
      node,
      mayOrder: true,
      task: (more: Partial<Node> = {}) => ({
        node: { ...node, ...more },
        ports: [],
        log: silentLog,
        async checkMayOrder() {
          if (!subject.mayOrder) throw new Error('no more orders');
          return Number.POSITIVE_INFINITY;
        },
      }),
      settle: () => world.clock.advance(5_000),
      during: <T>(promise: Promise<T>) => promise,
      close: () => world.close(),
    };
    return subject;
  };
}

interface BmcWorldOptions {
  readonly limits?: BmcLimits;
  readonly lie?: () => BmcLie | undefined;
  readonly password?: string;
}

/** A reference BMC on a network in memory, and our client. */
async function bmcWorld(options: BmcWorldOptions = {}) {
  const clock = new ManualClock();
  const datagrams = memoryDatagrams(clock, () => [1]);
  const chassis = createMemoryChassis(clock);
  const bmc = createReferenceBmc({
    datagrams,
    clock,
    random: seededRandom(5),
    log: silentLog,
    address: '192.0.2.9',
    users: [{ name: 'admin', password: new Secret('secret'), privilege: 'ADMINISTRATOR' }],
    chassis,
    ...(options.limits ? { limits: options.limits } : {}),
    ...(options.lie ? { lie: options.lie } : {}),
  });
  await bmc.start();
  const client = createIpmiClient({ datagrams, clock, random: seededRandom(6), log: silentLog });
  const deps: IpmiDeps = { client, clock, cipherSuites: ['17', '3'], commandTimeoutMs: 5_000 };
  const driverInfo = {
    ipmi_address: '192.0.2.9',
    ipmi_username: 'admin',
    ipmi_password: options.password ?? 'secret',
  };
  const during = async <T>(promise: Promise<T>): Promise<T> => {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    promise.then(end, end);
    for (let turns = 0; !isOver && turns < 10_000; turns++) {
      await settle();
      if (!isOver) clock.step();
    }
    return promise;
  };
  return {
    clock,
    chassis,
    bmc,
    deps,
    driverInfo,
    during,
    async close() {
      await during(client.close());
      await bmc.stop();
    },
  };
}

function overIpmi<I extends DriverInterface>(make: (deps: IpmiDeps) => I, limits?: BmcLimits): MakeSubject<I> {
  return async () => {
    const bmc = await bmcWorld(limits ? { limits } : {});
    const inner = await plain(() => make(bmc.deps), { driver: 'ipmi', driverInfo: bmc.driverInfo })();
    const subject = {
      ...inner,
      mayOrder: true,
      task: (patch?: Partial<Node>) => ({
        ...inner.task(patch),
        async checkMayOrder() {
          if (!subject.mayOrder) throw new Error('no more orders');
          return Number.POSITIVE_INFINITY;
        },
      }),
      settle: () => bmc.clock.advance(3_000),
      during: bmc.during,
      async close() {
        await bmc.close();
        await inner.close();
      },
    };
    return subject;
  };
}

describePowerInterface(
  'fake',
  plain((clock) => createFakes(clock).power, { powerState: 'power off' }),
);
describePowerInterface(
  'fake with a lag',
  plain((clock) => createFakes(clock).power, {
    driverInfo: { fake_power_delay_ms: 2_000 },
    powerState: 'power off',
  }),
);
it('a pretended node is in no power state before it was told one', async () => {
  const subject = await plain((clock) => createFakes(clock).power)();
  expect(await subject.implementation.getPowerState(subject.task())).toBeNull();
  await subject.close();
});
describePowerInterface('ipmitool', overIpmi(createIpmiPower));
describePowerInterface('ipmitool with a BMC that lags', overIpmi(createIpmiPower, { powerLagMs: 2_000 }));
describeManagementInterface(
  'fake',
  plain((clock) => createFakes(clock).management),
);
describeManagementInterface(
  'noop',
  plain(() => noopManagement),
  { isFixed: true },
);
describeManagementInterface('ipmitool', overIpmi(createIpmiManagement));
describeDeployInterface(
  'fake',
  plain((clock) => createFakes(clock).deploy),
);
describeDeployInterface(
  'direct',
  plain(() => directDeploy),
);

describe('what an operator is told about a BMC', () => {
  const told = async (options: BmcWorldOptions, driverInfo: Record<string, string | number> = {}) => {
    const bmc = await bmcWorld(options);
    const power = createIpmiPower(bmc.deps);
    const subject = await plain(() => power, { driver: 'ipmi', driverInfo: { ...bmc.driverInfo, ...driverInfo } })();
    const error: unknown = await bmc.during(power.getPowerState(subject.task())).catch((thrown: unknown) => thrown);
    await bmc.close();
    await subject.close();
    return error;
  };

  it('says that the password is wrong, and that a repeat does not help', async () => {
    const error = await told({ password: 'wrong' });
    expect(error).toMatchObject({
      code: 'BMC_FAILURE',
      publicMessage: expect.stringContaining('the BMC at 192.0.2.9 refused the user name or password'),
      context: { isTransient: false },
    });
    expect(JSON.stringify(error)).not.toContain('wrong');
  });
  it('says that a dead BMC does not answer, and that a repeat may help', async () => {
    expect(await told({ lie: () => ({ kind: 'drop' }) })).toMatchObject({
      code: 'BMC_FAILURE',
      publicMessage: expect.stringContaining('does not answer'),
      context: { isTransient: true },
    });
  });
  it('says that a refused cipher suite is refused', async () => {
    expect(await told({ limits: { cipherSuites: [3] } }, { ipmi_cipher_suite: '17' })).toMatchObject({
      code: 'BMC_FAILURE',
      publicMessage: expect.stringContaining('cipher suites'),
    });
  });
  it('falls back to the next suite that the operator allows', async () => {
    expect(await told({ limits: { cipherSuites: [3] } })).toBe('power off');
  });

  it.each([
    ['ipmi_address', 'bmc.example.com', 'an IP address'],
    ['ipmi_port', '99999', 'a port'],
    ['ipmi_priv_level', 'ROOT', 'ADMINISTRATOR'],
    ['ipmi_cipher_suite', '1', '17 or 3'],
    ['ipmi_protocol_version', '1.5', '2.0'],
    ['ipmi_hex_kg_key', 'xyz', '40 hexadecimal digits'],
    ['ipmi_password', 'p'.repeat(21), 'at most 20 bytes'],
  ])('refuses a wrong %s', async (name, value, words) => {
    const bmc = await bmcWorld();
    const power = createIpmiPower(bmc.deps);
    const subject = await plain(() => power, { driverInfo: { ...bmc.driverInfo, [name]: value } })();
    expect(() => power.validate(subject.task())).toThrow(words);
    await bmc.close();
    await subject.close();
  });
});

describe('an order to a BMC', () => {
  it('does not leave after the moment that the lease allows, and a repeat may help', async () => {
    const bmc = await bmcWorld();
    const power = createIpmiPower(bmc.deps);
    const management = createIpmiManagement(bmc.deps);
    const subject = await plain(() => power, { driver: 'ipmi', driverInfo: bmc.driverInfo })();
    const task = { ...subject.task(), checkMayOrder: async () => bmc.clock.monotonicMs() + 3 };
    for (const order of [
      () => power.setPowerState(task, 'power on'),
      () => management.setBootDevice(task, 'pxe', false),
    ])
      expect(await bmc.during(order().catch((error: unknown) => error))).toMatchObject({
        code: 'BMC_FAILURE',
        publicMessage: expect.stringContaining('is not sent any more'),
        context: { isTransient: true },
      });
    expect(bmc.chassis.history).toEqual([]);
    await bmc.close();
    await subject.close();
  });
});

describe('the registry', () => {
  const registry = async (enabledTypes = ['ipmi', 'fake-hardware', 'manual-management']) => {
    const bmc = await bmcWorld();
    return createDefaultRegistry({ clock: bmc.clock, enabledTypes, ipmi: bmc.deps });
  };
  it('resolves defaults when they are used and refuses what a type does not list', async () => {
    const drivers = await registry();
    expect(drivers.nameOf({ driver: 'ipmi', interfaces: {} }, 'power')).toBe('ipmitool');
    expect(drivers.nameOf({ driver: 'fake-hardware', interfaces: {} }, 'deploy')).toBe('fake');
    expect(() => drivers.get({ driver: 'ipmi', interfaces: { power: 'fake' } }, 'power')).toThrow(
      'Valid power interfaces are ipmitool',
    );
    expect(() => drivers.get({ driver: 'ilo', interfaces: {} }, 'power')).toThrow('hardware type(s): ilo');
  });
  it('enables every type that ships when nothing is set, each with the network interface noop', async () => {
    const enabled = (await registry([...resolveConfig([]).conductor.enabled_hardware_types])).descriptions();
    expect(enabled.map((type) => type.name).toSorted()).toEqual(HARDWARE_TYPES.map((type) => type.name).toSorted());
    expect(enabled.map((type) => type.defaults.network)).toEqual(enabled.map(() => 'noop'));
  });
  it('describes only enabled types, with every property of their implementations', async () => {
    const [ipmi, ...others] = (await registry(['ipmi'])).descriptions();
    expect(others).toEqual([]);
    expect(ipmi).toMatchObject({
      name: 'ipmi',
      defaults: { deploy: 'direct', boot: 'ipxe', inspect: 'no-inspect' },
      properties: { ipmi_password: { secret: true }, ipmi_address: { required: true } },
    });
  });
});
