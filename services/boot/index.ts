/**
 * Boot: what a machine meets between its firmware and our ramdisk. `createBoot` runs DHCP (dnsmasq), TFTP and HTTP for one
 * network, and answers from a `BootDirectory`, which the composition root implements on the database.
 */
export { createBoot } from './boot.ts';
export type { Boot, BootAddresses, BootConfig, BootDeps } from './boot.ts';
export { createDbDirectory, type DbDirectoryOptions } from './db-directory.ts';
export type { BootAnswer, BootDirectory, BootEvent, MachineIdentity, UnknownSighting } from './directory.ts';
export type { BootPlan, PlanInput, PlanResult } from './plan.ts';
export type { BootNetwork } from './network.ts';
export type { BootPrograms } from './dnsmasq-config.ts';
