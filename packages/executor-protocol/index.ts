/** The executor as its callers see it: requests, events, errors, and the client of the manager's socket. */
export * from './errors.ts';
export * from './types.ts';
export * from './frames.ts';
export {
  checkPlayRequest,
  isAccountName,
  MAX_FILES_BYTES,
  playProblem,
} from './validate.ts';
export type { Checked } from './validate.ts';
export { connectExecutor } from './client.ts';
export { createRunLog, type RunLog } from './run-log.ts';
