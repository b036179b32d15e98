/** The error envelope of Ironic: a JSON object whose one value is JSON text again. Clients decode it twice. */
import { isServiceError, serializeError, type ServiceError } from '@bessemer/core';

/** Errors repeat what was sent, and that may be a megabyte. */
const MAX_FAULT_CHARS = 1_500;
const shortened = (message: string): string =>
  message.length > MAX_FAULT_CHARS ? `${message.slice(0, MAX_FAULT_CHARS)}...` : message;

/** The body of any answer that is not 2xx or 3xx. */
export function errorBody(status: number, message: string): string {
  const fault = { faultcode: status >= 500 ? 'Server' : 'Client', faultstring: shortened(message), debuginfo: null };
  return JSON.stringify({ error_message: JSON.stringify(fault) });
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
};

/** The body where no controller was found, or the version was refused: what Ironic's web framework makes of it. */
function routeBody(status: number, message: string): string {
  const fault = { code: status, title: TITLES[status] ?? 'Error', description: message };
  return JSON.stringify({ error_message: JSON.stringify(fault) });
}

/** Status and body for anything that was thrown. `onUnknown` gets what is not ours, to log it under `errorId`. */
export function errorReply(
  error: unknown,
  errorId: string,
  onUnknown: (error: unknown) => void,
): { status: number; body: string } {
  if (isServiceError(error)) {
    const known: ServiceError = error;
    // The size limit is answered flat, not doubly encoded, as Ironic's body middleware does.
    if (known.code === 'BODY_TOO_LARGE')
      return { status: known.status, body: JSON.stringify({ faultcode: 'Client', faultstring: known.publicMessage }) };
    const body = known.context['isRoute'] ? routeBody : errorBody;
    return { status: known.status, body: body(known.status, known.publicMessage) };
  }
  onUnknown(error);
  return { status: 500, body: errorBody(500, serializeError(error, errorId).publicMessage) };
}
