/** The QEMU command line of one virtual server: pure, so that it can be read in a test. */
import { bootIndexes, DISK_ID, NIC_ID } from './boot-order.ts';
import type { BootTarget } from './boot-order.ts';

export type Firmware = 'bios' | 'uefi';

/** What a virtual server is made of. Paths may be relative to the directory QEMU is started in. */
export interface MachineSpec {
  readonly name: string;
  readonly firmware: Firmware;
  readonly memoryMb: number;
  readonly cpus: number;
  readonly mac: string;
  /** The tap device in the lab's network. */
  readonly tap: string;
  /** A raw file; its size is the disk's size. */
  readonly diskPath: string;
  readonly diskSerial: string;
  /** SMBIOS type 1. */
  readonly serial: string;
  readonly uuid: string;
  /** Everything the server ever wrote to its serial port, appended. */
  readonly consoleLogPath: string;
  /** A unix socket with the serial port, for an interactive console. */
  readonly serialSocketPath: string;
  /** The server's own copy of the UEFI variables; unused on BIOS. */
  readonly varsPath: string;
}

/** Package `ovmf`: the code is shared and read-only, the variables are copied once per server. */
const OVMF_CODE = '/usr/share/OVMF/OVMF_CODE_4M.fd';
export const OVMF_VARS = '/usr/share/OVMF/OVMF_VARS_4M.fd';

/** QEMU reads `,` in an option's value as its end; doubling it is the escape. */
const escape = (value: string): string => value.replaceAll(',', ',,');

/**
 * Arguments of qemu-system-x86_64, QMP on standard input and output. The server gets no kernel and no initrd: what it boots
 * comes from its firmware, as on hardware.
 *
 * `graphics=off` sends the firmware's screen to the serial port. On UEFI the card has no ROM, so that the firmware's own
 * PXE runs; on BIOS the ROM (an iPXE) is the only PXE there is. `cache=unsafe` survives a killed QEMU, since file data is
 * in the host's page cache by then.
 */
export function qemuArguments(spec: MachineSpec, first: BootTarget): string[] {
  const index = bootIndexes(first);
  const uefi = spec.firmware === 'uefi';
  const options: string[][] = [
    ['-name', escape(spec.name)],
    ['-no-user-config'],
    ['-nodefaults'],
    ['-display', 'none'],
    ['-machine', 'q35,graphics=off'],
    ['-accel', 'tcg,thread=multi'],
    ['-cpu', 'qemu64'],
    ['-smp', String(spec.cpus)],
    ['-m', String(spec.memoryMb)],
    ['-uuid', spec.uuid],
    ['-smbios', `type=1,manufacturer=Bessemer,product=Lab server,serial=${escape(spec.serial)},uuid=${spec.uuid}`],
    ['-chardev', 'stdio,id=qmp0,signal=off'],
    ['-mon', 'chardev=qmp0,mode=control'],
    [
      '-chardev',
      `socket,id=serial0,path=${escape(spec.serialSocketPath)},server=on,wait=off,` +
        `logfile=${escape(spec.consoleLogPath)},logappend=on`,
    ],
    ['-serial', 'chardev:serial0'],
    ['-netdev', `tap,id=net0,ifname=${spec.tap},script=no,downscript=no`],
    [
      '-device',
      `virtio-net-pci,netdev=net0,id=${NIC_ID},mac=${spec.mac},bootindex=${index[NIC_ID]}${uefi ? ',romfile=' : ''}`,
    ],
    ['-drive', `file=${escape(spec.diskPath)},if=none,id=drive0,format=raw,cache=unsafe,discard=unmap`],
    [
      '-device',
      `virtio-blk-pci,drive=drive0,id=${DISK_ID},bootindex=${index[DISK_ID]},serial=${escape(spec.diskSerial)}`,
    ],
    ['-device', 'virtio-rng-pci'],
  ];
  if (uefi)
    options.push(
      ['-drive', `if=pflash,format=raw,readonly=on,file=${OVMF_CODE}`],
      ['-drive', `if=pflash,format=raw,file=${escape(spec.varsPath)}`],
    );
  return options.flat();
}
