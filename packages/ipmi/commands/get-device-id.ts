/** Get Device ID (IPMI v2.0 section 20.1). */
import { readUint16 } from '../codec/bytes.ts';
import { malformed, ok } from '../codec/result.ts';
import { always, NETFN, NO_DATA } from './command.ts';
import type { Command } from './command.ts';

export interface DeviceId {
  readonly deviceId: number;
  readonly deviceRevision: number;
  readonly providesDeviceSdrs: boolean;
  /** False while the BMC starts or its firmware is being updated. */
  readonly isAvailable: boolean;
  /** "major.minor". */
  readonly firmwareRevision: string;
  /** "major.minor". */
  readonly ipmiVersion: string;
  /** IANA enterprise number, 20 bits. */
  readonly manufacturerId: number;
  readonly productId: number;
}

export const getDeviceId: Command<void, DeviceId> = {
  name: 'Get Device ID',
  netFn: NETFN.app,
  cmd: 0x01,
  isIdempotent: always,
  encode: () => NO_DATA,
  decode(data) {
    if (data.length < 11) return malformed(`at least 11 data bytes expected, got ${data.length}`);
    const minor = data[3]!; // BCD
    return ok({
      deviceId: data[0]!,
      deviceRevision: data[1]! & 0x0f,
      providesDeviceSdrs: (data[1]! & 0x80) !== 0,
      isAvailable: (data[2]! & 0x80) === 0,
      firmwareRevision: `${data[2]! & 0x7f}.${minor.toString(16).padStart(2, '0')}`,
      ipmiVersion: `${data[4]! & 0x0f}.${data[4]! >> 4}`,
      manufacturerId: (data[6]! | (data[7]! << 8) | (data[8]! << 16)) & 0xfffff,
      productId: readUint16(data, 9),
    });
  },
};
