/** The reference BMC: the BMC of lab and simulator, with a real one's limits as options. */
export type { BootDevice, BootOptions, ChassisControl, PowerState } from '../commands/chassis-words.ts';
export type { ChassisBackend } from './chassis-backend.ts';
