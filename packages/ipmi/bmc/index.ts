/** The reference BMC: the BMC of lab and simulator, with a real one's limits as options. */
export type { BootDevice, BootOptions, ChassisControl, PowerState } from '../commands/chassis-words.ts';
export type { PrivilegeLevel } from '../commands/privilege.ts';
export type { CipherSuiteId } from '../crypto/cipher-suites.ts';
export type { ChassisBackend } from './chassis-backend.ts';
export { createMemoryChassis } from './memory-chassis.ts';
export type { MemoryChassis } from './memory-chassis.ts';
export type { BmcLie, BmcLimits, BmcRequest, BmcStats, BmcUser, ReferenceBmcOptions } from './options.ts';
export { createReferenceBmc } from './reference-bmc.ts';
export type { ReferenceBmc } from './reference-bmc.ts';
