/** Without authentication only callers on this machine are answered. */
import { ServiceError } from '@bessemer/core';

/**
 * Without authentication the address that we listen on is all that keeps strangers out, and a browser on this machine would let
 * a foreign page in: by a name of its own that leads here (DNS rebinding), or by a request that needs no permission.
 * @throws ServiceError FORBIDDEN unless host and origin are this machine, or the configured public endpoint.
 */
export function checkLocalCaller(host: string, origin: string, publicEndpoint: string): void {
  if (host === known.host && origin === known.origin && publicEndpoint === known.publicEndpoint) return;
  const publicName = nameIn(publicEndpoint);
  const isOurs = (url: string) => {
    const name = nameIn(url);
    return name !== undefined && (LOCAL_NAME.test(name) || name === publicName);
  };
  const foreign =
    host !== '' && !isOurs(`http://${host}`) ? host : origin !== '' && !isOurs(origin) ? origin : undefined;
  if (foreign === undefined) {
    known = { host, origin, publicEndpoint };
    return;
  }
  throw new ServiceError(
    'FORBIDDEN',
    `Without authentication (api.auth is noauth) only this machine is answered, not ${foreign.slice(0, 100)}: ask http://127.0.0.1, set api.public_endpoint, or use http_basic.`,
  );
}

/** Who was let in last: clients ask again and again, and URLs are dear to parse. */
let known = { host: '', origin: '', publicEndpoint: '' };

const LOCAL_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const nameIn = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).hostname : undefined);
