/** Microversions 1.1 to 1.115: negotiation as Ironic does it. */
import { ServiceError } from '@bessemer/core';
import { routeError } from './gates.ts';

export const MIN_MINOR = 1;
export const MAX_MINOR = 115;

export const VERSION_HEADERS = {
  version: 'X-OpenStack-Ironic-API-Version',
  min: 'X-OpenStack-Ironic-API-Minimum-Version',
  max: 'X-OpenStack-Ironic-API-Maximum-Version',
} as const;

/** `what` names the field, parameter or value, as the subject of a sentence. @throws ServiceError NOT_ACCEPTABLE below 1.`since`. */
export function needsVersion(what: string, since: number, minor: number): void {
  if (minor < since)
    throw new ServiceError(
      'NOT_ACCEPTABLE',
      `Request not acceptable. ${what} needs API version 1.${since} or newer; this request was made with 1.${minor}.`,
    );
}

/**
 * The minor version N of 1.N that a request asks for: `X-OpenStack-Ironic-API-Version: 1.N|latest`, else
 * `OpenStack-API-Version: baremetal 1.N`, else 1.1, as clients of 2015 expect.
 * @throws ServiceError NOT_ACCEPTABLE, made by `refusal`, for a malformed version or one out of range.
 */
export function negotiateMinor(
  own: string | undefined,
  common: string | undefined,
  refusal: (code: 'NOT_ACCEPTABLE', message: string) => ServiceError = routeError,
): number {
  const fromCommon = common
    ?.split(',')
    .map((part) => /^baremetal\s+(\S+)$/.exec(part.trim())?.[1])
    .find((v) => v !== undefined);
  const asked = own?.trim() || fromCommon;
  if (asked === undefined) return MIN_MINOR;
  if (asked.toLowerCase() === 'latest') return MAX_MINOR;
  // Ironic reads two integers of Python: with signs, blanks and zeros before them.
  const [major, minor] = (/^([+-]?\d+) *\. *([+-]?\d+)$/.exec(asked) ?? []).slice(1).map(Number);
  if (major === undefined || minor === undefined)
    throw refusal('NOT_ACCEPTABLE', `Invalid value for ${VERSION_HEADERS.version} header`);
  const range = `The supported version range is: [1.${MIN_MINOR}, 1.${MAX_MINOR}].`;
  if (major !== 1)
    throw refusal(
      'NOT_ACCEPTABLE',
      `Mutually exclusive versions requested. Version ${major}.${minor} requested but not supported by this service. ${range}`,
    );
  if (minor < MIN_MINOR || minor > MAX_MINOR)
    throw refusal(
      'NOT_ACCEPTABLE',
      `Version ${major}.${minor} was requested but the minor version is not supported by this service. ${range}`,
    );
  return minor;
}
