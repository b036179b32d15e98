/** A machine that is a variable: the backend of tests and of the simplest simulations. */
import type { Clock } from '@bessemer/ports';
import type { BootDevice, BootOptions, ChassisControl, PowerState } from '../commands/chassis-words.ts';
import type { ChassisBackend } from './chassis-backend.ts';

export interface MemoryChassis extends ChassisBackend {
  getPower(): PowerState;
  getBootOptions(): BootOptions;
  /** Every control action that arrived, with the time. */
  readonly history: readonly { readonly action: ChassisControl; readonly atMs: number }[];
  /** Every start of the system, with the device it was told to boot from. */
  readonly boots: readonly { readonly device: BootDevice; readonly atMs: number }[];
}

const NO_OVERRIDE: BootOptions = { device: 'none', persistent: false, efi: false, valid: false };

/** `soft` turns the machine off at once; a one-shot override is spent by the next start, reset or cycle. */
export function createMemoryChassis(clock: Clock, initial: PowerState = 'off'): MemoryChassis {
  const history: { action: ChassisControl; atMs: number }[] = [];
  const boots: { device: BootDevice; atMs: number }[] = [];
  let power = initial;
  let boot = NO_OVERRIDE;

  function start(): void {
    boots.push({ device: boot.valid ? boot.device : 'none', atMs: clock.nowMs() });
    if (boot.valid && !boot.persistent) boot = NO_OVERRIDE;
  }

  return {
    history,
    boots,
    getPower: () => power,
    async control(action) {
      history.push({ action, atMs: clock.nowMs() });
      const wasOn = power === 'on';
      if (action === 'off' || action === 'soft') power = 'off';
      else if (action !== 'diag') power = 'on';
      if (action === 'cycle' || action === 'reset' || (action === 'on' && !wasOn)) start();
    },
    setBootOptions(options) {
      boot = options.valid ? options : NO_OVERRIDE;
    },
    getBootOptions: () => boot,
  };
}
