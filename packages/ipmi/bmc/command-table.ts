/** What the reference BMC answers: everything `ipmitool` and FreeIPMI ask on their way; any other command is C1h. */
import type { Clock } from '@bessemer/ports';
import { concat, readUint32 } from '../codec/bytes.ts';
import { COMPLETION } from '../commands/completion-codes.ts';
import { NETFN } from '../commands/command.ts';
import { PRIVILEGE_NUMBER } from '../commands/privilege.ts';
import type { CipherSuiteId } from '../crypto/cipher-suites.ts';
import { CIPHER_SUITES } from '../crypto/cipher-suites.ts';
import type { ChassisBackend } from './chassis-backend.ts';
import { chassisHandlers } from './chassis-commands.ts';
import type { BmcUser } from './options.ts';
import type { BmcSession } from './session-table.ts';

/** Completion code and data bytes. */
export interface Reply {
  readonly code: number;
  readonly data?: Uint8Array;
}

export type Handler = (data: Uint8Array, session: BmcSession | undefined) => Reply | Promise<Reply>;

export interface HandlerEntry {
  /** Least privilege number; `none` is answered outside a session too. */
  readonly privilege: keyof typeof PRIVILEGE_NUMBER | 'none';
  readonly handle: Handler;
}

export interface CommandTableOptions {
  readonly clock: Clock;
  readonly guid: Uint8Array;
  readonly users: readonly BmcUser[];
  readonly hasBmcKey: boolean;
  readonly address: string;
  readonly cipherSuites: readonly CipherSuiteId[];
  readonly chassis: ChassisBackend;
  readonly powerLagMs: number;
  readonly losesOneShotOnReset: boolean;
  /** The session goes after its reply has been sent. */
  readonly closeSession: (session: BmcSession) => void;
  readonly findSession: (bmcSessionId: number) => BmcSession | undefined;
  readonly activeSessions: () => number;
  /** Cold and warm reset: all sessions are forgotten. */
  readonly reset: () => void;
}

export const reply = (...data: number[]): Reply => ({ code: COMPLETION.ok, data: Uint8Array.from(data) });
export const refuse = (code: number): Reply => ({ code });

const LAN_CHANNEL = 1;

export function commandKey(netFn: number, cmd: number): number {
  return (netFn << 8) | cmd;
}

/** All commands by (netFn, cmd). */
export function createCommandTable(options: CommandTableOptions): ReadonlyMap<number, HandlerEntry> {
  const table = new Map<number, HandlerEntry>();
  const put = (netFn: number, entries: Readonly<Record<number, HandlerEntry>>): void => {
    for (const [cmd, entry] of Object.entries(entries)) table.set(commandKey(netFn, Number(cmd)), entry);
  };
  put(NETFN.app, appHandlers(options));
  put(NETFN.chassis, chassisHandlers(options));
  put(NETFN.storage, STORAGE_HANDLERS);
  put(NETFN.transport, { 0x02: { privilege: 'OPERATOR', handle: lanParameters(options) } });
  return table;
}

function appHandlers(options: CommandTableOptions): Readonly<Record<number, HandlerEntry>> {
  // Users 1 (the null user, unused) and up, as Get User Name numbers them.
  const userName = (id: number): string | undefined => options.users[id - 2]?.name;
  const guid: HandlerEntry = { privilege: 'none', handle: () => ({ code: COMPLETION.ok, data: options.guid }) };
  const resetBmc: HandlerEntry = {
    privilege: 'ADMINISTRATOR',
    handle: () => {
      options.reset();
      return reply();
    },
  };
  return {
    // Get Device ID (20.1): IPMI 2.0, chassis device, SEL and SDR repository; manufacturer 0, product 1.
    0x01: { privilege: 'none', handle: () => reply(0x20, 0x01, 0x01, 0x00, 0x02, 0x86, 0, 0, 0, 1, 0, 0, 0, 0, 0) },
    0x02: resetBmc, // Cold Reset (20.2)
    0x03: resetBmc, // Warm Reset (20.3)
    0x04: { privilege: 'USER', handle: () => reply(0x55, 0x00) }, // Get Self Test Results (20.4)
    0x08: guid, // Get Device GUID (20.8)
    0x37: guid, // Get System GUID (22.14)
    // Get Channel Authentication Capabilities (22.13)
    0x38: {
      privilege: 'none',
      handle: (data) => {
        if (data.length < 2) return refuse(COMPLETION.requestDataLengthInvalid);
        const wantsV20 = (data[0]! & 0x80) !== 0;
        const status = (options.hasBmcKey ? 0x20 : 0) | 0x04;
        return wantsV20
          ? reply(LAN_CHANNEL, 0x80, status, 0x02, 0, 0, 0, 0)
          : reply(LAN_CHANNEL, 0x00, status & 0x1f, 0, 0, 0, 0, 0);
      },
    },
    // Set Session Privilege Level (22.18)
    0x3b: {
      privilege: 'USER',
      handle: (data, session) => {
        if (data.length < 1) return refuse(COMPLETION.requestDataLengthInvalid);
        if (!session) return refuse(COMPLETION.insufficientPrivilege);
        const wanted = data[0]! & 0x0f;
        if (wanted === 1 || wanted > 5) return refuse(COMPLETION.invalidDataField);
        if (wanted > session.maxPrivilege) return refuse(0x81);
        if (wanted !== 0) session.privilege = wanted;
        return reply(session.privilege);
      },
    },
    // Close Session (22.19)
    0x3c: {
      privilege: 'none',
      handle: (data, session) => {
        if (!session) return refuse(COMPLETION.insufficientPrivilege);
        if (data.length < 4) return refuse(COMPLETION.requestDataLengthInvalid);
        const id = readUint32(data, 0);
        const named = id === session.bmcSessionId ? session : options.findSession(id);
        if (!named) return refuse(0x87);
        if (named !== session && session.privilege < PRIVILEGE_NUMBER.ADMINISTRATOR)
          return refuse(COMPLETION.insufficientPrivilege);
        options.closeSession(named);
        return reply();
      },
    },
    // Get Session Info (22.20), of the session that asks
    0x3d: {
      privilege: 'USER',
      handle: (data, session) => {
        if (data.length < 1) return refuse(COMPLETION.requestDataLengthInvalid);
        const active = options.activeSessions();
        if (data[0] !== 0 || !session) return reply(0, 0x3f, active);
        return reply(1, 0x3f, active, 2, session.privilege, 0x10 | LAN_CHANNEL);
      },
    },
    0x41: { privilege: 'USER', handle: () => reply(0x22, PRIVILEGE_NUMBER.ADMINISTRATOR) }, // Get Channel Access (22.23)
    // Get Channel Info (22.24): 802.3 LAN, IPMB-1.0 protocol, multi-session
    0x42: {
      privilege: 'USER',
      handle: (data) => {
        const channel = (data[0] ?? 0x0e) & 0x0f;
        if (channel !== LAN_CHANNEL && channel !== 0x0e) return refuse(COMPLETION.invalidDataField);
        return reply(LAN_CHANNEL, 0x04, 0x01, 0x80 | options.activeSessions(), 0xf2, 0x1b, 0, 0, 0);
      },
    },
    // Get User Access (22.27)
    0x44: {
      privilege: 'OPERATOR',
      handle: (data) => {
        const user = options.users[(data[1] ?? 0) - 2];
        const count = Math.min(options.users.length, 0x3f);
        return reply(0x3f, 0x40 | count, count, user ? 0x10 | PRIVILEGE_NUMBER[user.privilege] : 0x0f);
      },
    },
    // Get User Name (22.29)
    0x46: {
      privilege: 'OPERATOR',
      handle: (data) => {
        const name = new Uint8Array(16);
        name.set(new TextEncoder().encode(userName(data[0] ?? 0) ?? '').subarray(0, 16));
        return { code: COMPLETION.ok, data: name };
      },
    },
    // Get Channel Cipher Suites (22.15): records of 5 bytes, given out in chunks of 16
    0x54: {
      privilege: 'none',
      handle: (data) => {
        if (data.length < 3) return refuse(COMPLETION.requestDataLengthInvalid);
        const records = concat(
          ...options.cipherSuites.map((id) => {
            const suite = CIPHER_SUITES[id];
            return Uint8Array.of(0xc0, id, suite.authentication, 0x40 | suite.integrity, 0x80 | suite.confidentiality);
          }),
        );
        const at = (data[2]! & 0x3f) * 16;
        return { code: COMPLETION.ok, data: concat(Uint8Array.of(LAN_CHANNEL), records.subarray(at, at + 16)) };
      },
    },
  };
}

/** The one record of the SDR repository: a Management Controller Device Locator (43.9), which says what this device is. */
const MC_LOCATOR = locatorRecord('Bessemer');

function locatorRecord(name: string): Uint8Array {
  const text = new TextEncoder().encode(name);
  // Slave address, channel, power state notification, capabilities (chassis, SEL, SDR), reserved, entity 7.1 (system
  // board), OEM, then an 8-bit ASCII string.
  const body = concat(
    Uint8Array.of(0x20, 0x00, 0x00, 0x86, 0x00, 0x00, 0x00, 0x07, 0x01, 0x00, 0xc0 | text.length),
    text,
  );
  return concat(Uint8Array.of(0x01, 0x00, 0x51, 0x12, body.length), body);
}

/** An SDR repository of one record and an empty SEL: enough for `ipmitool sdr`, `sel`, `fru` and `ipmi-sel`. */
const STORAGE_HANDLERS: Readonly<Record<number, HandlerEntry>> = {
  // Get FRU Inventory Area Info (34.1)
  0x10: { privilege: 'USER', handle: () => refuse(COMPLETION.cannotReturnRequestedData) },
  // Get SDR Repository Info (33.9): version 1.5, one record, reservations supported
  0x20: { privilege: 'USER', handle: () => reply(0x51, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02) },
  0x22: { privilege: 'USER', handle: () => reply(0x01, 0x00) }, // Reserve SDR Repository (33.11)
  // Get SDR (33.12): record 0 is "the first", FFFFh the end
  0x23: {
    privilege: 'USER',
    handle: (data) => {
      if (data.length < 6) return refuse(COMPLETION.requestDataLengthInvalid);
      const recordId = data[2]! | (data[3]! << 8);
      if (recordId > 1) return refuse(COMPLETION.cannotReturnRequestedData);
      const count = data[5]! === 0xff ? MC_LOCATOR.length : data[5]!;
      return reply(0xff, 0xff, ...MC_LOCATOR.subarray(data[4]!, data[4]! + count));
    },
  },
  0x40: { privilege: 'USER', handle: () => reply(0x51, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02) }, // Get SEL Info (31.2)
  0x42: { privilege: 'USER', handle: () => reply(0x01, 0x00) }, // Reserve SEL (31.4)
  0x43: { privilege: 'USER', handle: () => refuse(COMPLETION.cannotReturnRequestedData) }, // Get SEL Entry (31.5)
};

/** Get LAN Configuration Parameters (23.2, table 23-4), what `ipmitool lan print` shows. */
function lanParameters(options: CommandTableOptions): Handler {
  const octets = options.address.split('.').map(Number);
  const address = octets.length === 4 && octets.every((o) => o >= 0 && o <= 255) ? octets : [0, 0, 0, 0];
  const suites = [...options.cipherSuites];
  const levels = [0, ...suites].map(() => PRIVILEGE_NUMBER.ADMINISTRATOR);
  const privileges = Array.from({ length: 8 }, (_, i) => (levels[2 * i + 1] ?? 0) | ((levels[2 * i + 2] ?? 0) << 4));
  const values: Readonly<Record<number, readonly number[]>> = {
    0: [0], // set complete
    1: [0x01], // authentication type support: none
    2: [1, 1, 1, 1, 0], // authentication type enables
    3: address,
    4: [0x01], // address source: static
    5: [0x02, 0, ...address], // MAC address: locally administered
    6: [255, 255, 255, 0],
    12: [0, 0, 0, 0], // default gateway
    13: [0, 0, 0, 0, 0, 0],
    20: [0, 0], // no VLAN
    22: [suites.length],
    23: [0, ...suites],
    24: [0, ...privileges],
  };
  return (data) => {
    if (data.length < 4) return refuse(COMPLETION.requestDataLengthInvalid);
    const value = values[data[1]!];
    if (!value) return refuse(0x80);
    return data[0]! & 0x80 ? reply(0x11) : reply(0x11, ...value);
  };
}
