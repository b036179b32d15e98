/** The hardware types and implementations that ship. */
import { INTERFACE_KINDS, type InterfaceKind } from '@bessemer/core';
import type { Clock } from '@bessemer/ports';
import { agentInspect, directDeploy, ipxeBoot } from './direct.ts';
import { createFakeManagement, createFakePower, fakeBoot, fakeDeploy, fakeInspect, fakePassive } from './fake.ts';
import { fakeConsole } from './fake/switches.ts';
import { fakeVendor } from './fake/vendor.ts';
import { createNoInterface, noConsole, noInspect, noopManagement, noopPassive, noVendor } from './noop.ts';
import { createDriverRegistry, type DriverRegistry, type HardwareType } from './registry.ts';
import { createIpmiManagement, createIpmiPower, type IpmiDeps } from './ipmi.ts';

/** What is the same for every type that boots a ramdisk from the network. */
const networkBooted = {
  bios: ['no-bios'],
  boot: ['ipxe', 'pxe'],
  console: ['no-console'],
  deploy: ['direct'],
  firmware: ['no-firmware'],
  inspect: ['no-inspect', 'agent'],
  network: ['flat', 'noop'],
  raid: ['no-raid'],
  rescue: ['no-rescue'],
  storage: ['noop'],
  vendor: ['no-vendor'],
} as const satisfies Partial<HardwareType['supported']>;

export const HARDWARE_TYPES: readonly HardwareType[] = [
  { name: 'ipmi', supported: { ...networkBooted, power: ['ipmitool'], management: ['ipmitool', 'noop'] } },
  { name: 'manual-management', supported: { ...networkBooted, power: ['fake'], management: ['noop', 'fake'] } },
  {
    name: 'fake-hardware',
    supported: {
      bios: ['fake', 'no-bios'],
      boot: ['fake'],
      console: ['fake', 'no-console'],
      deploy: ['fake', 'direct'],
      firmware: ['fake', 'no-firmware'],
      inspect: ['fake', 'no-inspect'],
      management: ['fake', 'noop'],
      network: ['noop', 'flat'],
      power: ['fake'],
      raid: ['fake', 'no-raid'],
      rescue: ['fake', 'no-rescue'],
      storage: ['noop', 'fake'],
      vendor: ['fake', 'no-vendor'],
    },
  },
];

const ACTIVE_KINDS = ['power', 'management', 'boot', 'deploy', 'inspect', 'console', 'vendor'] as const;
type PassiveKind = Exclude<InterfaceKind, (typeof ACTIVE_KINDS)[number]>;
const isPassive = (kind: InterfaceKind): kind is PassiveKind =>
  !(ACTIVE_KINDS as readonly InterfaceKind[]).includes(kind);

/** A registry with everything that ships; `enabledTypes` is the operator's choice. */
export function createDefaultRegistry(options: {
  readonly clock: Clock;
  readonly enabledTypes: readonly string[];
  readonly ipmi: IpmiDeps;
}): DriverRegistry {
  const registry = createDriverRegistry(options.enabledTypes);
  registry.register('power', 'fake', createFakePower(options.clock));
  registry.register('power', 'ipmitool', createIpmiPower(options.ipmi));
  registry.register('management', 'fake', createFakeManagement());
  registry.register('management', 'noop', noopManagement);
  registry.register('management', 'ipmitool', createIpmiManagement(options.ipmi));
  registry.register('boot', 'fake', fakeBoot);
  registry.register('boot', 'ipxe', ipxeBoot);
  registry.register('boot', 'pxe', ipxeBoot);
  registry.register('deploy', 'fake', fakeDeploy);
  registry.register('deploy', 'direct', directDeploy);
  registry.register('inspect', 'fake', fakeInspect);
  registry.register('inspect', 'no-inspect', noInspect);
  registry.register('inspect', 'agent', agentInspect);
  registry.register('console', 'fake', fakeConsole);
  registry.register('console', 'no-console', noConsole);
  registry.register('vendor', 'fake', fakeVendor);
  registry.register('vendor', 'no-vendor', noVendor);
  for (const kind of INTERFACE_KINDS.filter(isPassive)) {
    registry.register(kind, 'fake', fakePassive);
    registry.register(kind, 'noop', noopPassive);
    registry.register(kind, `no-${kind}`, createNoInterface(kind));
  }
  registry.register('network', 'flat', noopPassive);
  for (const type of HARDWARE_TYPES) registry.addType(type);
  return registry;
}
