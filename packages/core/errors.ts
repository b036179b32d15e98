/**
 * The one table of errors. `publicMessage` is what a client reads; `context` and `cause` stay in the log. Read in exactly
 * two places: the API's error middleware and the RPC server.
 */

export const HTTP_STATUS = {
  // 400: the request itself is wrong
  INVALID_PARAMETER: 400,
  MISSING_PARAMETER: 400,
  INVALID_STATE_REQUESTED: 400,
  INVALID_PATCH: 400,
  NODE_IN_MAINTENANCE: 400,
  DRIVER_NOT_FOUND: 400,
  INTERFACE_NOT_SUPPORTED: 400,
  UNSUPPORTED_DRIVER_EXTENSION: 400,
  CHASSIS_NOT_EMPTY: 400,
  PORTGROUP_NOT_EMPTY: 400,
  VERB_NOT_SUPPORTED: 400,
  // Not 409: Ironic's client would send its POST again.
  ALLOCATION_FAILED: 400,
  // 401, 403
  NOT_AUTHENTICATED: 401,
  FORBIDDEN: 403,
  NODE_PROTECTED: 403,
  // 404
  NODE_NOT_FOUND: 404,
  PORT_NOT_FOUND: 404,
  CHASSIS_NOT_FOUND: 404,
  PORTGROUP_NOT_FOUND: 404,
  VOLUME_CONNECTOR_NOT_FOUND: 404,
  VOLUME_TARGET_NOT_FOUND: 404,
  DEPLOY_TEMPLATE_NOT_FOUND: 404,
  RUNBOOK_NOT_FOUND: 404,
  INSPECTION_RULE_NOT_FOUND: 404,
  ALLOCATION_NOT_FOUND: 404,
  CONDUCTOR_NOT_FOUND: 404,
  NO_VALID_HOST: 404,
  RUN_NOT_FOUND: 404,
  WEBHOOK_NOT_FOUND: 404,
  NOT_FOUND: 404,
  // 405, 406, 412, 413, 422, 429
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  PRECONDITION_FAILED: 412,
  BODY_TOO_LARGE: 413,
  IDEMPOTENCY_KEY_REUSED: 422,
  TOO_MANY_REQUESTS: 429,
  // 409: the state of things forbids it now
  NODE_LOCKED: 409,
  NODE_ASSOCIATED: 409,
  NODE_ALREADY_EXISTS: 409,
  ALREADY_EXISTS: 409,
  WEBHOOK_ALREADY_EXISTS: 409,
  INVALID_STATE: 409,
  STALE_FENCE: 409,
  POWER_STATE_FAILURE: 409,
  REQUEST_IN_PROGRESS: 409,
  // 500, 503: our side
  BMC_FAILURE: 500,
  INTERNAL: 500,
  TEMPORARY_FAILURE: 503,
} as const satisfies Record<string, number>;

export type ErrorCode = keyof typeof HTTP_STATUS;

export interface SerializedError {
  readonly code: ErrorCode;
  readonly publicMessage: string;
  readonly context: Record<string, unknown>;
}

/** An error with a code of the table. Throw this wherever a client may see the outcome. */
export class ServiceError extends Error {
  readonly code: ErrorCode;
  readonly publicMessage: string;
  readonly context: Record<string, unknown>;

  constructor(
    code: ErrorCode,
    publicMessage: string,
    options: { context?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(publicMessage, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ServiceError';
    this.code = code;
    this.publicMessage = publicMessage;
    this.context = options.context ?? {};
  }
  get status(): number {
    return HTTP_STATUS[this.code];
  }
}

export function isServiceError(value: unknown, code?: ErrorCode): value is ServiceError {
  return value instanceof ServiceError && (code === undefined || value.code === code);
}

/** Makes an Error of anything that was thrown. */
export function coerceError(value: unknown): Error {
  return value instanceof Error ? value : new Error(typeof value === 'string' ? value : JSON.stringify(value));
}

/** What crosses the bus: never the cause, never a stack. An error that is not ours becomes INTERNAL with `errorId` to find it in the log. */
export function serializeError(error: unknown, errorId: string): SerializedError {
  if (isServiceError(error)) return { code: error.code, publicMessage: error.publicMessage, context: error.context };
  return {
    code: 'INTERNAL',
    publicMessage: `Something went wrong on our side. The log has the details under error id ${errorId}.`,
    context: { errorId },
  };
}

/** The other half of serializeError. */
export function deserializeError(wire: SerializedError): ServiceError {
  const known = Object.hasOwn(HTTP_STATUS, wire.code);
  return new ServiceError(known ? wire.code : 'INTERNAL', wire.publicMessage, { context: wire.context });
}
