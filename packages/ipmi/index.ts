/** IPMI v2.0 over RMCP+ (cipher suites 3 and 17): a client for many BMCs over one UDP socket. The reference BMC is `./bmc`. */
export { getBootDevice, setBootDevice } from './client/boot-device.ts';
export type { BootDeviceRequest } from './client/boot-device.ts';
export { createIpmiClient } from './client/client.ts';
export type {
  EndpointOptions,
  IpmiClient,
  IpmiClientDeps,
  IpmiClientOptions,
  IpmiClientStats,
  IpmiEndpoint,
  SendOptions,
} from './client/client.ts';
export { getPowerState, setPower } from './client/power.ts';
export { malformed, ok } from './codec/result.ts';
export type { Result } from './codec/result.ts';
export { chassisControl } from './commands/chassis-control.ts';
export type { BootDevice, BootOptions, ChassisControl, PowerState } from './commands/chassis-words.ts';
export type { Command } from './commands/command.ts';
export { getChannelAuthenticationCapabilities } from './commands/get-channel-authentication-capabilities.ts';
export type { ChannelAuthenticationCapabilities } from './commands/get-channel-authentication-capabilities.ts';
export { getChassisStatus } from './commands/get-chassis-status.ts';
export type { ChassisStatus } from './commands/get-chassis-status.ts';
export { getDeviceId } from './commands/get-device-id.ts';
export type { DeviceId } from './commands/get-device-id.ts';
export { getSelfTestResults } from './commands/get-self-test-results.ts';
export type { SelfTestResults } from './commands/get-self-test-results.ts';
export { getSystemBootOptions } from './commands/get-system-boot-options.ts';
export type { SystemBootOption } from './commands/get-system-boot-options.ts';
export type { PrivilegeLevel } from './commands/privilege.ts';
export { rawCommand } from './commands/raw.ts';
export { BOOT_PARAMETER, setSystemBootOptions } from './commands/set-system-boot-options.ts';
export type { CipherSuiteId } from './crypto/cipher-suites.ts';
export { IpmiError } from './errors.ts';
export type { IpmiErrorCode, IpmiErrorDetails } from './errors.ts';
