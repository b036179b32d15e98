/** Power and management over IPMI v2.0, natively. The names are Ironic's (`ipmitool`), so that its clients' nodes work unchanged. */
import { isIP } from 'node:net';
import type { DriverProperty, Json, Node, PowerState } from '@bessemer/core';
import { ServiceError } from '@bessemer/core';
import {
  getBootDevice,
  getPowerState,
  IpmiError,
  setBootDevice,
  setPower,
  type BootDevice,
  type CipherSuiteId,
  type IpmiClient,
  type IpmiEndpoint,
  type PrivilegeLevel,
} from '@bessemer/ipmi';
import { type Clock, Secret } from '@bessemer/ports';
import { bmcFailure } from './errors.ts';
import type { DriverTask, ManagementInterface, PowerInterface } from './interfaces.ts';

export interface IpmiDeps {
  readonly client: IpmiClient;
  /** Tried in this order for nodes that name none: `ipmi.default_cipher_suites`. */
  readonly cipherSuites: readonly string[];
  /** Budget of one command with its retransmissions: `ipmi.command_timeout_ms`. */
  readonly commandTimeoutMs: number;
  readonly clock: Clock;
}

const property = (description: string, more: Partial<DriverProperty> = {}): DriverProperty => ({
  description,
  required: false,
  secret: false,
  ...more,
});

const IPMI_PROPERTIES: Readonly<Record<string, DriverProperty>> = {
  ipmi_address: property('IP address of the BMC.', { required: true }),
  ipmi_port: property('UDP port of the BMC. Default 623.'),
  ipmi_username: property('User name. Default: the null user.'),
  ipmi_password: property('Password. Default: empty.', { secret: true }),
  ipmi_priv_level: property('Privilege level: ADMINISTRATOR (default), OPERATOR or USER.'),
  ipmi_cipher_suite: property('Cipher suite, 17 or 3. Default: the configured ones in order.'),
  ipmi_protocol_version: property('2.0, the only one spoken.'),
  ipmi_hex_kg_key: property('Kg key for two-key authentication, 40 hexadecimal digits.', { secret: true }),
  ipmi_force_boot_device: property('Whether every boot device order is persistent. Default false.'),
};

const PRIVILEGES: readonly PrivilegeLevel[] = ['USER', 'OPERATOR', 'ADMINISTRATOR'];
const SUITES: readonly CipherSuiteId[] = [3, 17];

const invalid = (name: string, expected: string, value: Json): ServiceError =>
  new ServiceError('INVALID_PARAMETER', `driver_info/${name} must be ${expected}, not ${JSON.stringify(value)}.`);

function textOf(node: Node, name: string): string {
  const value = node.driverInfo[name] ?? '';
  if (typeof value !== 'string' && typeof value !== 'number') throw invalid(name, 'text', value);
  return String(value);
}

interface BmcAccess {
  readonly address: string;
  readonly port: number;
  readonly username: string;
  readonly password: Secret;
  readonly cipherSuites: readonly CipherSuiteId[];
  readonly privilege: PrivilegeLevel;
  readonly kgKey?: Secret;
}

function suitesOf(names: readonly string[], where: string): CipherSuiteId[] {
  return names.map((name) => {
    const suite = SUITES.find((s) => String(s) === name);
    if (suite === undefined)
      throw new ServiceError('INVALID_PARAMETER', `${where} must be 17 or 3, not ${JSON.stringify(name)}.`);
    return suite;
  });
}

/** Reads driver_info. @throws MISSING_PARAMETER, INVALID_PARAMETER naming the field. */
function bmcAccessOf(node: Node, defaultSuites: readonly string[]): BmcAccess {
  const address = textOf(node, 'ipmi_address').trim();
  if (address === '')
    throw new ServiceError(
      'MISSING_PARAMETER',
      "The following IPMI credentials are not supplied to IPMI driver: ['ipmi_address'].",
    );
  if (isIP(address) === 0) throw invalid('ipmi_address', 'an IP address', address);
  const port = Number(textOf(node, 'ipmi_port') || 623);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw invalid('ipmi_port', 'a port between 1 and 65535', node.driverInfo['ipmi_port'] ?? null);
  const privilegeName = (textOf(node, 'ipmi_priv_level') || 'ADMINISTRATOR').toUpperCase();
  const privilege = PRIVILEGES.find((p) => p === privilegeName);
  if (!privilege) throw invalid('ipmi_priv_level', `one of ${PRIVILEGES.join(', ')}`, privilegeName);
  const version = textOf(node, 'ipmi_protocol_version') || '2.0';
  if (version !== '2.0') throw invalid('ipmi_protocol_version', '"2.0", the only version spoken', version);
  const suite = textOf(node, 'ipmi_cipher_suite');
  const username = textOf(node, 'ipmi_username');
  const password = textOf(node, 'ipmi_password');
  if (Buffer.byteLength(username) > 16) throw invalid('ipmi_username', 'at most 16 bytes', '(longer)');
  if (Buffer.byteLength(password) > 20) throw invalid('ipmi_password', 'at most 20 bytes', '(longer)');
  const kg = textOf(node, 'ipmi_hex_kg_key');
  if (kg !== '' && !/^[0-9a-f]{40}$/i.test(kg)) throw invalid('ipmi_hex_kg_key', '40 hexadecimal digits', '[secret]');
  if (Buffer.from(kg, 'hex').some((byte) => byte > 0x7f))
    throw invalid('ipmi_hex_kg_key', 'a key of ASCII characters in hexadecimal digits', '[secret]');
  return {
    address,
    port,
    username,
    password: new Secret(password),
    cipherSuites: suite
      ? suitesOf([suite], 'driver_info/ipmi_cipher_suite')
      : suitesOf(defaultSuites, 'ipmi.default_cipher_suites'),
    privilege,
    ...(kg === '' ? {} : { kgKey: new Secret(Buffer.from(kg, 'hex').toString('ascii')) }),
  };
}

/** Says in one sentence what went wrong between us and a BMC. */
function translate(error: unknown, address: string): unknown {
  if (!(error instanceof IpmiError)) return error;
  const at = `the BMC at ${address}`;
  switch (error.code) {
    case 'AUTHENTICATION_FAILED':
      return bmcFailure(
        `${at} refused the user name or password (driver_info ipmi_username, ipmi_password).`,
        false,
        error,
      );
    case 'CIPHER_SUITE_REFUSED':
      return bmcFailure(`${at} accepts none of the cipher suites that are allowed: ${error.message}`, false, error);
    case 'PRIVILEGE_REFUSED':
      return bmcFailure(
        `${at} does not grant the privilege level: set driver_info/ipmi_priv_level. ${error.message}`,
        false,
        error,
      );
    case 'TIMEOUT':
    case 'ABORTED':
    case 'CIRCUIT_OPEN':
      return bmcFailure(`${at} does not answer. Check its address, cable and power.`, true, error);
    case 'SESSION_LIMIT':
      return bmcFailure(`${at} has no free session: others hold them all.`, true, error);
    case 'OUTCOME_UNKNOWN':
      return bmcFailure(`${at} did not confirm an order that may not be given twice: ${error.message}`, false, error);
    case 'EXPIRED':
      return bmcFailure(
        `${at} did not take the order in the time in which this conductor was sure of its lease, so it is not sent any more. ` +
          'If that happens again, check the address, cable and load of the BMC.',
        true,
        error,
      );
    case 'COMPLETION_CODE':
    case 'MALFORMED':
      return bmcFailure(`${at} failed: ${error.message}`, false, error);
  }
}

interface CallLimits {
  readonly signal: AbortSignal;
  readonly notAfterMs?: number;
}

/** Calls of a BMC, each within its budget; an order, which changes something, also within what `checkMayOrder` gave. */
function createBmcCaller(deps: IpmiDeps) {
  return async function call<T>(
    task: DriverTask,
    fn: (endpoint: IpmiEndpoint, options: CallLimits) => Promise<T>,
    notAfterMs?: number,
  ): Promise<T> {
    const access = bmcAccessOf(task.node, deps.cipherSuites);
    const budget = new AbortController();
    const timer = deps.clock.setTimer(deps.commandTimeoutMs, () => budget.abort(new Error('the time is over')));
    try {
      return await fn(deps.client.endpoint(access), {
        signal: budget.signal,
        ...(notAfterMs === undefined ? {} : { notAfterMs }),
      });
    } catch (error) {
      throw translate(error, access.address);
    } finally {
      timer.cancel();
    }
  };
}

const validate = (deps: IpmiDeps) => (task: DriverTask) => void bmcAccessOf(task.node, deps.cipherSuites);

/** Chassis status and control (IPMI v2.0 sections 28.2, 28.3). */
export function createIpmiPower(deps: IpmiDeps): PowerInterface {
  const call = createBmcCaller(deps);
  const read = (task: DriverTask): Promise<PowerState> =>
    call(task, async (endpoint, options) =>
      (await getPowerState(endpoint, options)) === 'on' ? 'power on' : 'power off',
    );
  const order = async (task: DriverTask, action: Parameters<typeof setPower>[1]): Promise<void> => {
    const notAfterMs = await task.checkMayOrder();
    return call(task, (endpoint, options) => setPower(endpoint, action, options), notAfterMs);
  };
  return {
    properties: IPMI_PROPERTIES,
    validate: validate(deps),
    getPowerState: read,
    async setPowerState(task, target) {
      // The button of a node that is off would be refused (completion code D5h), although there is nothing to do.
      if (target === 'soft power off' && (await read(task)) === 'power off') return;
      await order(task, target === 'power on' ? 'on' : target === 'power off' ? 'off' : 'soft');
    },
    async reboot(task) {
      await order(task, (await read(task)) === 'power off' ? 'on' : 'reset');
    },
    supportedPowerStates: () => ['power on', 'power off', 'rebooting', 'soft rebooting', 'soft power off'],
  };
}

const DEVICES: Readonly<Record<string, BootDevice>> = {
  pxe: 'pxe',
  disk: 'disk',
  cdrom: 'cdrom',
  bios: 'bios',
  safe: 'safe',
};

/** Whether the boot order is given for UEFI. Machines are UEFI unless the node says or its last boot showed otherwise. */
function isEfi(node: Node): boolean {
  if (node.bootMode) return node.bootMode !== 'bios';
  const capabilities = node.properties['capabilities'];
  return !(typeof capabilities === 'string' && /(^|,)boot_mode:bios(,|$)/.test(capabilities));
}

/** The boot override (section 28.12). */
export function createIpmiManagement(deps: IpmiDeps): ManagementInterface {
  const call = createBmcCaller(deps);
  return {
    properties: IPMI_PROPERTIES,
    validate: validate(deps),
    supportedBootDevices: () => Object.keys(DEVICES),
    async getBootDevice(task) {
      const found = await call(task, (endpoint, options) => getBootDevice(endpoint, options));
      if (!found.valid) return { device: null, isPersistent: null };
      const name = Object.keys(DEVICES).find((key) => DEVICES[key] === found.device) ?? null;
      return { device: name, isPersistent: found.persistent };
    },
    async setBootDevice(task, device, isPersistent) {
      if (!Object.hasOwn(DEVICES, device))
        throw new ServiceError(
          'INVALID_PARAMETER',
          `Invalid boot device ${device} specified; it can be ${Object.keys(DEVICES).join(', ')}.`,
        );
      const notAfterMs = await task.checkMayOrder();
      const persistent =
        isPersistent || String(task.node.driverInfo['ipmi_force_boot_device']).toLowerCase() === 'true';
      await call(
        task,
        (endpoint, options) =>
          setBootDevice(endpoint, { device: DEVICES[device]!, persistent, efi: isEfi(task.node) }, options),
        notAfterMs,
      );
    },
    async injectNmi(task) {
      const notAfterMs = await task.checkMayOrder();
      await call(task, (endpoint, options) => setPower(endpoint, 'diag', options), notAfterMs);
    },
  };
}
