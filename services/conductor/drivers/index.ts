/** The hardware types and implementations that ship. */
import { INTERFACE_KINDS } from '@bessemer/core';
import type { Clock } from '@bessemer/ports';
import { agentInspect, directDeploy, ipxeBoot } from './direct.ts';
import { createFakes } from './fake/index.ts';
import { createNoInterface, noConsole, noInspect, noopManagement, noopPassive, noRescue, noVendor } from './noop.ts';
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
  // Without an integration for switches there is nothing to be done to a network: `noop` is first, and so the default.
  network: ['noop', 'flat'],
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

/** Kinds whose `noop` and `no-<kind>` have nothing to say but that. */
const PASSIVE = ['bios', 'firmware', 'network', 'raid', 'storage'] as const;

/** A registry with everything that ships; `enabledTypes` is the operator's choice. */
export function createDefaultRegistry(options: {
  readonly clock: Clock;
  readonly enabledTypes: readonly string[];
  readonly ipmi: IpmiDeps;
}): DriverRegistry {
  const registry = createDriverRegistry(options.enabledTypes);
  const fakes = createFakes(options.clock);
  for (const kind of INTERFACE_KINDS) registry.register(kind, 'fake', fakes[kind]);
  registry.register('console', 'no-console', noConsole);
  registry.register('vendor', 'no-vendor', noVendor);
  for (const kind of PASSIVE) {
    registry.register(kind, 'noop', noopPassive);
    registry.register(kind, `no-${kind}`, createNoInterface(kind));
  }
  registry.register('power', 'ipmitool', createIpmiPower(options.ipmi));
  registry.register('management', 'noop', noopManagement);
  registry.register('management', 'ipmitool', createIpmiManagement(options.ipmi));
  registry.register('boot', 'ipxe', ipxeBoot);
  registry.register('boot', 'pxe', ipxeBoot);
  registry.register('deploy', 'direct', directDeploy);
  registry.register('inspect', 'no-inspect', noInspect);
  registry.register('inspect', 'agent', agentInspect);
  registry.register('rescue', 'no-rescue', noRescue);
  registry.register('network', 'flat', noopPassive);
  for (const type of HARDWARE_TYPES) registry.addType(type);
  return registry;
}
