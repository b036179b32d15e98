/** Errors of hardware, told apart by whether a repeat may help. */
import { isServiceError, ServiceError } from '@bessemer/core';

/** A BMC failed. `isTransient`: it may answer next time. */
export const bmcFailure = (message: string, isTransient: boolean, cause?: unknown): ServiceError =>
  new ServiceError('BMC_FAILURE', message, { context: { isTransient }, ...(cause === undefined ? {} : { cause }) });

export const isTransientError = (error: unknown): boolean =>
  isServiceError(error) && error.context['isTransient'] === true;
