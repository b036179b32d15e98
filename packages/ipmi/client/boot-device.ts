/** The boot override, set in the order that `ipmitool chassis bootdev` uses, which every BMC has met. */
import { decodeBootFlags, encodeBootFlags } from '../commands/boot-flags.ts';
import type { BootDevice, BootOptions } from '../commands/chassis-words.ts';
import { getSystemBootOptions } from '../commands/get-system-boot-options.ts';
import { BOOT_PARAMETER, SET_STATE, setSystemBootOptions } from '../commands/set-system-boot-options.ts';
import { IpmiError } from '../errors.ts';
import type { IpmiEndpoint, SendOptions } from './client.ts';

type CallOptions = Pick<SendOptions, 'signal' | 'notAfterMs'>;

export interface BootDeviceRequest {
  readonly device: BootDevice;
  readonly persistent: boolean;
  readonly efi: boolean;
}

/** Get System Boot Options, parameter 5 (IPMI v2.0 section 28.13). Rejects as `IpmiEndpoint.send`. */
export async function getBootDevice(endpoint: IpmiEndpoint, options: CallOptions = {}): Promise<BootOptions> {
  const answer = await endpoint.send(getSystemBootOptions, { parameter: BOOT_PARAMETER.bootFlags }, options);
  const flags = decodeBootFlags(answer.data);
  if (!flags.ok)
    throw new IpmiError('MALFORMED', `BMC ${endpoint.bmc} has boot flags that cannot be read: ${flags.error}`, {
      bmc: endpoint.bmc,
      command: getSystemBootOptions.name,
    });
  return flags.value;
}

/**
 * Set System Boot Options (section 28.12): set in progress, acknowledge, boot flags, commit, set complete. BMCs that know
 * nothing of the steps around the flags (parameters 0 and 4 are optional) are not held up by that. Rejects as
 * `IpmiEndpoint.send`; after a failed write the "in progress" mark is taken back.
 */
export async function setBootDevice(
  endpoint: IpmiEndpoint,
  request: BootDeviceRequest,
  options: CallOptions = {},
): Promise<void> {
  const set = (parameter: number, ...data: number[]): Promise<void> =>
    endpoint.send(setSystemBootOptions, { parameter, data: Uint8Array.from(data) }, options);
  const optional = async (parameter: number, ...data: number[]): Promise<void> => {
    try {
      await set(parameter, ...data);
    } catch (error) {
      if (!(error instanceof IpmiError) || error.code !== 'COMPLETION_CODE') throw error;
    }
  };
  const complete = (): Promise<void> => optional(BOOT_PARAMETER.setInProgress, SET_STATE.complete);
  await optional(BOOT_PARAMETER.setInProgress, SET_STATE.inProgress);
  try {
    // "BIOS/POST has not handled it": mask and data of the one bit that the BIOS is to acknowledge.
    await optional(BOOT_PARAMETER.infoAcknowledge, 0x01, 0x01);
    await set(BOOT_PARAMETER.bootFlags, ...encodeBootFlags({ ...request, valid: true }));
  } catch (error) {
    // A BMC that has just answered with a refusal can be told; a silent one would only be waited for again.
    if (error instanceof IpmiError && error.code === 'COMPLETION_CODE') await complete().catch(() => undefined);
    throw error;
  }
  await optional(BOOT_PARAMETER.setInProgress, SET_STATE.commitWrite);
  await complete();
}
