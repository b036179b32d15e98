/** Errors of hardware, told apart by whether a repeat may help. */
import { isServiceError, ServiceError } from '@bessemer/core';

/** A BMC failed. `isTransient`: it may answer next time. */
export const bmcFailure = (message: string, isTransient: boolean, cause?: unknown): ServiceError =>
  new ServiceError('BMC_FAILURE', message, { context: { isTransient }, ...(cause === undefined ? {} : { cause }) });

/** The database is away for a while: that is nothing of the node's, and no work fails for it. */
export const isDatabaseAway = (error: unknown): boolean =>
  isServiceError(error, 'TEMPORARY_FAILURE') && !isTransientError(error);

export const isTransientError = (error: unknown): boolean =>
  isServiceError(error) && error.context['isTransient'] === true;
