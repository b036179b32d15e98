/** Chassis commands of the reference BMC (IPMI v2.0 section 28), over a ChassisBackend. */
import { concat } from '../codec/bytes.ts';
import { BOOT_FLAGS_BYTES, decodeBootFlags, encodeBootFlags } from '../commands/boot-flags.ts';
import { CHASSIS_CONTROL_NUMBER } from '../commands/chassis-control.ts';
import type { ChassisControl, PowerState } from '../commands/chassis-words.ts';
import { COMPLETION } from '../commands/completion-codes.ts';
import { BOOT_PARAMETER, SET_STATE } from '../commands/set-system-boot-options.ts';
import { refuse, reply } from './command-table.ts';
import type { CommandTableOptions, HandlerEntry, Reply } from './command-table.ts';
import type { BmcSession } from './session-table.ts';

const PARAMETER_VERSION = 0x01;
const SET_IN_PROGRESS_ELSEWHERE = 0x81;
const PARAMETER_NOT_SUPPORTED = 0x80;

const ACTION_OF_NUMBER = new Map(
  Object.entries(CHASSIS_CONTROL_NUMBER).map(([action, number]) => [number, action as ChassisControl]),
);

/** Data bytes of the parameters that are only kept. */
const KEPT_PARAMETERS: Readonly<Record<number, number>> = {
  [BOOT_PARAMETER.servicePartitionSelector]: 1,
  [BOOT_PARAMETER.servicePartitionScan]: 1,
  [BOOT_PARAMETER.validBitClearing]: 1,
  [BOOT_PARAMETER.infoAcknowledge]: 2,
  [BOOT_PARAMETER.initiatorInfo]: 9,
};

export function chassisHandlers(options: CommandTableOptions): Readonly<Record<number, HandlerEntry>> {
  const { chassis, clock } = options;
  const kept = new Map<number, Uint8Array>();
  let restorePolicy = 0;
  let lag: { readonly shows: PowerState; readonly untilMs: number } | undefined;
  let setBy: BmcSession | undefined;

  async function shownPower(): Promise<PowerState> {
    if (lag && clock.monotonicMs() < lag.untilMs) return lag.shows;
    return chassis.getPower();
  }

  async function control(action: ChassisControl): Promise<Reply> {
    const before = await chassis.getPower();
    if (before === 'off' && action !== 'on' && action !== 'off') return refuse(COMPLETION.notSupportedInPresentState);
    if (options.losesOneShotOnReset && (action === 'reset' || action === 'cycle')) {
      const boot = await chassis.getBootOptions();
      if (boot.valid && !boot.persistent) await chassis.setBootOptions({ ...boot, device: 'none', valid: false });
    }
    const shows = await shownPower();
    await chassis.control(action);
    if (options.powerLagMs > 0 && (action === 'on' || action === 'off'))
      lag = { shows, untilMs: clock.monotonicMs() + options.powerLagMs };
    return reply();
  }

  async function setBootOption(data: Uint8Array, session: BmcSession | undefined): Promise<Reply> {
    if (data.length < 1) return refuse(COMPLETION.requestDataLengthInvalid);
    const parameter = data[0]! & 0x7f;
    const value = data.slice(1);
    if (parameter === BOOT_PARAMETER.setInProgress) {
      if (value.length < 1) return refuse(COMPLETION.requestDataLengthInvalid);
      const wanted = value[0]! & 0x03;
      // The mark of a session that is gone would block the parameters for ever.
      if (setBy && !options.findSession(setBy.bmcSessionId)) setBy = undefined;
      if (wanted === SET_STATE.inProgress) {
        if (setBy && setBy !== session) return refuse(SET_IN_PROGRESS_ELSEWHERE);
        setBy = session;
      } else if (wanted === SET_STATE.complete && setBy === session) setBy = undefined;
      return reply();
    }
    if (parameter === BOOT_PARAMETER.bootFlags) {
      if (value.length === 0) return reply(); // only the parameter's lock bit is meant
      const flags = decodeBootFlags(value);
      if (!flags.ok) return refuse(COMPLETION.invalidDataField);
      await chassis.setBootOptions(flags.value);
      return reply();
    }
    if (parameter > BOOT_PARAMETER.initiatorMailbox) return refuse(PARAMETER_NOT_SUPPORTED);
    kept.set(parameter, value.slice(0, 17));
    return reply();
  }

  async function getBootOption(data: Uint8Array): Promise<Reply> {
    if (data.length < 3) return refuse(COMPLETION.requestDataLengthInvalid);
    const parameter = data[0]! & 0x7f;
    const head = Uint8Array.of(PARAMETER_VERSION, parameter);
    const answer = (value: Uint8Array): Reply => ({ code: COMPLETION.ok, data: concat(head, value) });
    if (parameter === BOOT_PARAMETER.setInProgress)
      return answer(Uint8Array.of(setBy ? SET_STATE.inProgress : SET_STATE.complete));
    if (parameter === BOOT_PARAMETER.bootFlags) {
      const flags = encodeBootFlags(await chassis.getBootOptions());
      return answer(flags.subarray(0, BOOT_FLAGS_BYTES));
    }
    const length = KEPT_PARAMETERS[parameter];
    if (length === undefined) return refuse(PARAMETER_NOT_SUPPORTED);
    const value = new Uint8Array(length);
    value.set((kept.get(parameter) ?? new Uint8Array(0)).subarray(0, length));
    return answer(value);
  }

  return {
    // Get Chassis Capabilities (28.1)
    0x00: { privilege: 'USER', handle: () => reply(0x00, 0x20, 0x20, 0x20, 0x20) },
    // Get Chassis Status (28.2)
    0x01: {
      privilege: 'USER',
      handle: async () => reply(((await shownPower()) === 'on' ? 0x01 : 0x00) | (restorePolicy << 5), 0x00, 0x40),
    },
    // Chassis Control (28.3)
    0x02: {
      privilege: 'OPERATOR',
      handle: (data) => {
        if (data.length < 1) return refuse(COMPLETION.requestDataLengthInvalid);
        const action = ACTION_OF_NUMBER.get(data[0]! & 0x0f);
        return action ? control(action) : refuse(COMPLETION.invalidDataField);
      },
    },
    0x04: { privilege: 'OPERATOR', handle: () => reply() }, // Chassis Identify (28.5)
    // Set Power Restore Policy (28.8): 3 only asks what is supported
    0x06: {
      privilege: 'OPERATOR',
      handle: (data) => {
        const policy = (data[0] ?? 3) & 0x07;
        if (policy > 3) return refuse(COMPLETION.invalidDataField);
        if (policy < 3) restorePolicy = policy;
        return reply(0x07);
      },
    },
    0x07: { privilege: 'USER', handle: () => reply(0x00, 0x00) }, // Get System Restart Cause (28.11): unknown
    0x08: { privilege: 'OPERATOR', handle: setBootOption }, // Set System Boot Options (28.12)
    0x09: { privilege: 'OPERATOR', handle: getBootOption }, // Get System Boot Options (28.13)
  };
}
