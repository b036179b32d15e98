/** The closed set of errors of the executor: each code with the sentence that explains it and whether a retry can help. */
export const EXECUTOR_ERRORS = {
  UNREACHABLE: { sentence: 'The target did not answer, or the connection to it broke.', retryable: true },
  AUTHENTICATION_FAILED: { sentence: 'The target refused the key or the user.', retryable: false },
  HOST_KEY_CHANGED: {
    sentence: 'The target showed another host key than the one that was told; nothing was sent to it.',
    retryable: false,
  },
  BECOME_FAILED: { sentence: 'The target did not let the login user become the other account.', retryable: false },
  TIMEOUT: { sentence: 'A time limit passed.', retryable: true },
  PYTHON_MISSING: { sentence: 'The target has no usable Python 3.6 or later.', retryable: false },
  MODULE_NOT_FOUND: {
    sentence: 'A module is in no ansible-core or collection of the controller.',
    retryable: false,
  },
  TASK_FAILED: { sentence: 'A task of the play failed.', retryable: false },
  PLAY_INVALID: { sentence: 'The play uses something that is wrong or not supported.', retryable: false },
  CANCELLED: { sentence: 'The play was cancelled.', retryable: false },
  BAD_REQUEST: { sentence: 'The request to the executor is malformed.', retryable: false },
  MANAGER_LOST: { sentence: "The executor's manager ended or cannot be reached.", retryable: true },
  INTERNAL: { sentence: 'The executor failed in a way that it does not expect.', retryable: false },
} as const satisfies Record<string, { sentence: string; retryable: boolean }>;

export type ExecutorErrorCode = keyof typeof EXECUTOR_ERRORS;

/** What crosses the socket. `message` is a whole sentence for an operator; `transportText` what ssh, sudo or Python said. */
export interface ExecutorErrorBody {
  readonly code: ExecutorErrorCode;
  readonly message: string;
  readonly transportText?: string;
  /** Where in the playbook, when the error is about its text. */
  readonly at?: { readonly file: string; readonly line: number };
}

/** An error of the executor, with one of the codes of EXECUTOR_ERRORS. */
export class ExecutorError extends Error {
  readonly code: ExecutorErrorCode;
  readonly transportText: string | undefined;
  readonly at: { readonly file: string; readonly line: number } | undefined;
  constructor(
    code: ExecutorErrorCode,
    detail?: string,
    options: { transportText?: string; at?: { file: string; line: number }; cause?: unknown } = {},
  ) {
    super(detail ?? EXECUTOR_ERRORS[code].sentence, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ExecutorError';
    this.code = code;
    this.transportText = options.transportText || undefined;
    this.at = options.at;
  }
  toBody(): ExecutorErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.transportText ? { transportText: this.transportText } : {}),
      ...(this.at ? { at: this.at } : {}),
    };
  }
}

/** Rebuilds an error that crossed the socket; an unknown code becomes INTERNAL. */
export function errorFromBody(body: ExecutorErrorBody): ExecutorError {
  const code = Object.hasOwn(EXECUTOR_ERRORS, body.code) ? body.code : 'INTERNAL';
  return new ExecutorError(code, body.message, {
    ...(body.transportText ? { transportText: body.transportText } : {}),
    ...(body.at ? { at: body.at } : {}),
  });
}

/** Any caught value as an ExecutorError; what is none becomes INTERNAL with the value as cause. */
export function coerceExecutorError(value: unknown): ExecutorError {
  if (value instanceof ExecutorError) return value;
  const text = value instanceof Error ? value.message : String(value);
  return new ExecutorError('INTERNAL', `The executor failed: ${text}`, { cause: value });
}
