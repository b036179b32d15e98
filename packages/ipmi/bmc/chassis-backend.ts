/** What a reference BMC stands in front of: the machine's power button and boot order, whoever implements them. */
import type { BootOptions, ChassisControl, PowerState } from '../commands/chassis-words.ts';

/**
 * The machine behind a BMC. The lab implements it over QEMU, the simulator over virtual machines, and
 * `createMemoryChassis` over a variable. A rejected promise is answered to the client as completion code 0xFF.
 */
export interface ChassisBackend {
  /** The true power state at this moment (a BMC that lags adds its lag itself). */
  getPower(): Promise<PowerState> | PowerState;
  /**
   * Does what the command says (IPMI v2.0 section 28.3) and resolves when it has been ordered; `off` and `cycle` are hard,
   * `soft` is the ACPI button. The BMC answers `cycle`, `reset`, `diag` and `soft` of a machine that is off with 0xD5
   * itself. `on` when on and `off` when off do nothing.
   */
  control(action: ChassisControl): Promise<void>;
  /**
   * Stores the boot override (section 28.12, parameter 5). The backend spends a one-shot override (`persistent: false`)
   * at the next start or reset of the system: from then on `getBootOptions` says `valid: false`.
   */
  setBootOptions(options: BootOptions): Promise<void> | void;
  getBootOptions(): Promise<BootOptions> | BootOptions;
}
