/** Virtual servers with BMCs (QEMU) in a network namespace of their own. */
export { createLab, openLab } from './lab.ts';
export type { Lab, LabNode, LabNodeOptions, LabOptions } from './lab.ts';
export type { Firmware } from './command-line.ts';
export type { Forwarder, ForwardTarget } from './forwarder.ts';
export type { MachineStatus } from './machine.ts';
export type { CommandResult } from './process.ts';
export { CIDR, GATEWAY } from './network.ts';
