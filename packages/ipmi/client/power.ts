/** Power, as a caller means it. */
import { COMPLETION } from '../commands/completion-codes.ts';
import { chassisControl } from '../commands/chassis-control.ts';
import type { ChassisControl, PowerState } from '../commands/chassis-words.ts';
import { getChassisStatus } from '../commands/get-chassis-status.ts';
import { IpmiError } from '../errors.ts';
import type { IpmiEndpoint, SendOptions } from './client.ts';

type CallOptions = Pick<SendOptions, 'signal' | 'notAfterMs'>;

/** Get Chassis Status (IPMI v2.0 section 28.2). Rejects as `IpmiEndpoint.send`. */
export async function getPowerState(endpoint: IpmiEndpoint, options: CallOptions = {}): Promise<PowerState> {
  return (await endpoint.send(getChassisStatus, undefined, options)).power;
}

/**
 * Chassis Control (section 28.3). `on` when on, and `off` and `soft` when off, are no error. `cycle`, `reset` and `diag` are preceded by a
 * status query, which proves the session alive, and go out once: without an answer they reject with OUTCOME_UNKNOWN, whose
 * `details.powerState` is the state read afterwards, if it could be read. Of a machine that is off they reject with
 * COMPLETION_CODE (0xd5). Resolves when the BMC has accepted the order; the power state may follow seconds later.
 */
export async function setPower(
  endpoint: IpmiEndpoint,
  action: ChassisControl,
  options: CallOptions = {},
): Promise<void> {
  if (action === 'soft') return softOff(endpoint, options);
  if (chassisControl.isIdempotent({ action })) return endpoint.send(chassisControl, { action }, options);
  await getPowerState(endpoint, options);
  try {
    await endpoint.send(chassisControl, { action }, options);
  } catch (error) {
    if (!(error instanceof IpmiError) || error.code !== 'OUTCOME_UNKNOWN') throw error;
    const powerState = await getPowerState(endpoint, options).catch(() => undefined);
    if (powerState === undefined) throw error;
    throw new IpmiError(
      'OUTCOME_UNKNOWN',
      `${error.message} (the machine is ${powerState})`,
      { ...error.details, powerState },
      { cause: error },
    );
  }
}

/** A repeat of a soft-off that worked is refused, since the machine is off by then: that is what was asked for. */
async function softOff(endpoint: IpmiEndpoint, options: CallOptions): Promise<void> {
  try {
    await endpoint.send(chassisControl, { action: 'soft' }, options);
  } catch (error) {
    const isRefused =
      error instanceof IpmiError && error.details.completionCode === COMPLETION.notSupportedInPresentState;
    if (!isRefused || (await getPowerState(endpoint, options)) === 'on') throw error;
  }
}
