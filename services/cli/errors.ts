/** Failures that the operator is told in one line; anything else is a mistake of this program. */

/** Ends the command with this exit code; 1: it failed, 2: it was called wrongly. */
export class CliError extends Error {
  readonly exitCode: number;
  /** What to do next, on a line of its own. */
  readonly hint: string | undefined;
  constructor(message: string, options: { exitCode?: 1 | 2; hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'CliError';
    this.exitCode = options.exitCode ?? 1;
    this.hint = options.hint;
  }
}

/** The service refused: its words and its status. */
export class HttpError extends CliError {
  readonly status: number;
  constructor(status: number, message: string, hint?: string) {
    super(`${message} (HTTP ${status})`, hint === undefined ? {} : { hint });
    this.name = 'HttpError';
    this.status = status;
  }
}

/** The service could not be reached, or the connection to it broke. */
export class ConnectionError extends CliError {
  constructor(message: string, hint?: string, cause?: unknown) {
    super(message, { ...(hint === undefined ? {} : { hint }), cause });
    this.name = 'ConnectionError';
  }
}

export const usageError = (message: string): CliError => new CliError(message, { exitCode: 2 });
