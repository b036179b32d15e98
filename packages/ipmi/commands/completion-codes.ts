/** Generic completion codes (IPMI v2.0 section 5.2, table 5-2). */

export const COMPLETION = {
  ok: 0x00,
  nodeBusy: 0xc0,
  invalidCommand: 0xc1,
  requestDataLengthInvalid: 0xc7,
  parameterOutOfRange: 0xc9,
  invalidDataField: 0xcc,
  cannotReturnRequestedData: 0xcb,
  insufficientPrivilege: 0xd4,
  notSupportedInPresentState: 0xd5,
  unspecified: 0xff,
} as const;

const GENERIC: Readonly<Record<number, string>> = {
  0xc0: 'node busy',
  0xc1: 'invalid command',
  0xc2: 'command invalid for the given LUN',
  0xc3: 'timeout while processing the command',
  0xc4: 'out of space',
  0xc5: 'reservation cancelled or invalid',
  0xc6: 'request data truncated',
  0xc7: 'request data length invalid',
  0xc8: 'request data field length limit exceeded',
  0xc9: 'parameter out of range',
  0xca: 'cannot return the number of requested data bytes',
  0xcb: 'requested sensor, data or record not present',
  0xcc: 'invalid data field in request',
  0xcd: 'command illegal for the specified sensor or record type',
  0xce: 'command response could not be provided',
  0xcf: 'cannot execute duplicated request',
  0xd0: 'SDR repository in update mode',
  0xd1: 'device in firmware update mode',
  0xd2: 'BMC initialization in progress',
  0xd3: 'destination unavailable',
  0xd4: 'insufficient privilege level',
  0xd5: 'command not supported in the present state',
  0xd6: 'command sub-function disabled or unavailable',
  0xff: 'unspecified error',
};

/** The meaning of a code: of this command first, else the generic one. */
export function describeCompletionCode(code: number, own?: Readonly<Record<number, string>>): string {
  return (
    own?.[code] ?? GENERIC[code] ?? (code >= 0x01 && code <= 0x7e ? 'device-specific (OEM) code' : 'reserved code')
  );
}
