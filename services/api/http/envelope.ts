/** The error envelope of Ironic: a JSON object whose one value is JSON text again. Clients decode it twice. */
import { isServiceError, serializeError, type ServiceError } from '@bessemer/core';

/** The body of any answer that is not 2xx or 3xx. */
export function errorBody(status: number, message: string): string {
  const fault = { faultcode: status >= 500 ? 'Server' : 'Client', faultstring: message, debuginfo: null };
  return JSON.stringify({ error_message: JSON.stringify(fault) });
}

const TITLES: Readonly<Record<number, string>> = {
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
};

/** The body where no controller was found, or the version was refused: what Ironic's web framework makes of it. */
export function routeBody(status: number, message: string): string {
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
