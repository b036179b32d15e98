/** What an agent knows about its machine, in the shape of Ironic's inspection data (`inventory`). */
import {
  boolean,
  integer,
  list,
  nullable,
  object,
  objectWithRest,
  oneOf,
  optional,
  text,
  type Check,
} from './check.ts';

export interface InventoryInterface {
  /** Linux's name, such as `eth0`. */
  readonly name: string;
  /** Lower case, colons. */
  readonly mac_address: string;
  readonly ipv4_address?: string | null;
  readonly ipv6_address?: string | null;
  readonly has_carrier?: boolean;
  readonly speed_mbps?: number | null;
  readonly driver?: string | null;
  readonly vendor?: string | null;
  readonly product?: string | null;
  readonly pci_address?: string | null;
}

export interface InventoryDisk {
  /** Device node, such as `/dev/sda`. */
  readonly name: string;
  readonly model: string;
  readonly vendor: string;
  readonly serial: string;
  readonly wwn: string | null;
  readonly wwn_with_extension: string | null;
  readonly wwn_vendor_extension: string | null;
  /** Bytes (Ironic's unit here; root-device hints speak of GiB). */
  readonly size: number;
  readonly rotational: boolean;
  /** SCSI host:channel:target:lun, null where the disk is no SCSI disk. */
  readonly hctl: string | null;
  readonly by_path: string | null;
  /** Bytes of a logical sector: 512 or 4096. */
  readonly logical_sectors: number;
  /** Bytes of a physical sector. */
  readonly physical_sectors: number;
  readonly tran?: string | null;
  readonly removable: boolean;
  readonly read_only: boolean;
}

export interface Inventory {
  readonly interfaces: readonly InventoryInterface[];
  readonly disks: readonly InventoryDisk[];
  readonly cpu: {
    readonly model_name: string;
    readonly count: number;
    readonly architecture: string;
    readonly frequency?: string;
  };
  /** `total` bytes seen by the kernel, `physical_mb` MiB built in. */
  readonly memory: { readonly total: number; readonly physical_mb: number };
  readonly system_vendor: {
    readonly manufacturer: string;
    readonly product_name: string;
    readonly serial_number: string;
    /** SMBIOS system UUID, lower case; empty when the firmware gives none. */
    readonly uuid: string;
  };
  readonly boot: { readonly current_boot_mode: 'bios' | 'uefi'; readonly pxe_interface: string | null };
  readonly bmc_address: string | null;
  readonly hostname?: string;
}

const short = text(256);
const maybe = nullable(short);

export const checkInventory: Check<Inventory> = objectWithRest<Inventory>({
  interfaces: list(
    object<InventoryInterface>({
      name: short,
      mac_address: short,
      ipv4_address: optional(maybe),
      ipv6_address: optional(maybe),
      has_carrier: optional(boolean),
      speed_mbps: optional(nullable(integer(-1))),
      driver: optional(maybe),
      vendor: optional(maybe),
      product: optional(maybe),
      pci_address: optional(maybe),
    }),
    256,
  ),
  disks: list(
    object<InventoryDisk>({
      name: short,
      model: short,
      vendor: short,
      serial: short,
      wwn: maybe,
      wwn_with_extension: maybe,
      wwn_vendor_extension: maybe,
      size: integer(0),
      rotational: boolean,
      hctl: maybe,
      by_path: maybe,
      logical_sectors: integer(0, 1 << 20),
      physical_sectors: integer(0, 1 << 20),
      tran: optional(maybe),
      removable: boolean,
      read_only: boolean,
    }),
    1024,
  ),
  cpu: object<Inventory['cpu']>({
    model_name: short,
    count: integer(0, 1 << 20),
    architecture: short,
    frequency: optional(short),
  }),
  memory: object<Inventory['memory']>({ total: integer(0), physical_mb: integer(0) }),
  system_vendor: object<Inventory['system_vendor']>({
    manufacturer: short,
    product_name: short,
    serial_number: short,
    uuid: short,
  }),
  boot: object<Inventory['boot']>({ current_boot_mode: oneOf('bios', 'uefi'), pxe_interface: maybe }),
  bmc_address: maybe,
  hostname: optional(short),
});
