/** Inspects nothing, and finds what the node says of itself. */
import type { DriverTask, InspectInterface } from '../interfaces.ts';
import { conductorSegment, driverStep } from '../../steps/catalogue.ts';
import { type Pretence, pretendedProperties, pretendedStep } from './pretence.ts';

const row = driverStep('inspect', { ...pretendedStep('inspect_hardware'), abortable: true }, {}, 100);

/** An inventory in the form of an agent's: what properties and ports say, and a plain machine where they say nothing. */
function inventoryOf({ node, ports }: DriverTask) {
  const numberOf = (name: string, otherwise: number): number => {
    const value = Number(node.properties[name] ?? otherwise);
    return Number.isFinite(value) ? value : otherwise;
  };
  return {
    interfaces: ports.map((port, index) => ({
      name: `eth${index}`,
      mac_address: port.address,
      ipv4_address: null,
      ipv6_address: null,
      has_carrier: true,
      lldp: null,
      vendor: null,
      product: null,
      client_id: null,
      biosdevname: null,
      speed_mbps: null,
    })),
    cpu: {
      model_name: 'Pretended CPU',
      frequency: '2000.0000',
      count: numberOf('cpus', 4),
      architecture: String(node.properties['cpu_arch'] ?? 'x86_64'),
      flags: [],
      socket_count: 1,
    },
    disks: [
      {
        name: '/dev/sda',
        model: 'Pretended disk',
        size: numberOf('local_gb', 100) * 1024 ** 3,
        rotational: false,
        wwn: null,
        serial: `fake-${node.uuid}`,
        vendor: null,
        wwn_with_extension: null,
        wwn_vendor_extension: null,
        hctl: null,
        by_path: null,
      },
    ],
    memory: { total: numberOf('memory_mb', 8192) * 1024 ** 2, physical_mb: numberOf('memory_mb', 8192) },
    bmc_address: null,
    bmc_v6address: null,
    system_vendor: { product_name: 'fake-hardware', serial_number: node.uuid, manufacturer: 'Bessemer' },
    boot: { current_boot_mode: node.bootMode ?? 'uefi', pxe_interface: ports[0]?.address ?? null },
    hostname: node.name,
  };
}

export function createFakeInspect(pretence: Pretence): InspectInterface {
  return {
    properties: pretendedProperties('inspect'),
    validate: (task) => pretence.check(task.node, 'inspect'),
    planInspect: () => [conductorSegment(row)],
    async runStep(task) {
      const outcome = pretence.step(task, 'inspect');
      if (outcome.kind === 'done')
        task.storeInventory({
          inventory: inventoryOf(task),
          pluginData: { configuration: { collectors: ['default'], managers: [] } },
        });
      return outcome;
    },
  };
}
