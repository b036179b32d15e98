/** Messages between the ramdisk's agent and the service, their validators, and the service's side of a session. */
export * from './messages.ts';
export * from './inventory.ts';
export * from './steps.ts';
export * from './parse.ts';
export * from './session.ts';
export { MAX_DEPTH, MAX_MESSAGE_BYTES, type Json, type JsonObject, type Result } from './check.ts';
