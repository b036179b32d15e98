/** What can go wrong between this side and a BMC, as one class with a code. */

export type IpmiErrorCode =
  | 'TIMEOUT'
  | 'AUTHENTICATION_FAILED'
  | 'CIPHER_SUITE_REFUSED'
  | 'PRIVILEGE_REFUSED'
  | 'SESSION_LIMIT'
  | 'COMPLETION_CODE'
  | 'CIRCUIT_OPEN'
  | 'MALFORMED'
  | 'OUTCOME_UNKNOWN'
  | 'EXPIRED'
  | 'ABORTED';

export interface IpmiErrorDetails {
  /** "address:port" of the BMC. */
  readonly bmc?: string;
  readonly command?: string;
  readonly completionCode?: number;
  /** RMCP+ / RAKP status code (IPMI v2.0 table 13-15). */
  readonly status?: number;
  readonly attempts?: number;
  /** Milliseconds until asking again makes sense. */
  readonly retryAfterMs?: number;
  /** True when a command that must not be repeated may have been carried out. */
  readonly mayHaveBeenReceived?: boolean;
  /** Read after a control command whose outcome is unknown. */
  readonly powerState?: 'on' | 'off';
}

/** `message` says what happened and what to do; it never holds a password. */
export class IpmiError extends Error {
  readonly code: IpmiErrorCode;
  readonly details: IpmiErrorDetails;
  constructor(code: IpmiErrorCode, message: string, details: IpmiErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = 'IpmiError';
    this.code = code;
    this.details = details;
  }
}
