/** The REST API: routes from the specification, Ironic's forms, the event stream. */
export { type Api, type ApiOptions, createApi } from './app.ts';
export { type Authenticator, basicAuthentication, hashPassword, noAuthentication } from './auth.ts';
