/** The REST API: routes from the specification, Ironic's forms, the event stream. */
export { type Api, type ApiOptions, createApi } from './app.ts';
export {
  type Authenticator,
  basicAuthentication,
  keystoneAuthentication,
  noAuthentication,
} from './access/authenticator.ts';
export { accessDocument } from './access/document.ts';
export { createKeystoneCheck } from './access/keystone.ts';
export { createLoginLimiter } from './access/login-limiter.ts';
export { createPasswordCheck, hashPassword } from './access/passwords.ts';
export { createTokenCheck, newToken, tokenHash } from './access/tokens.ts';
export { createUsers } from './access/users.ts';
