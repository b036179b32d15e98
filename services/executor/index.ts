/**
 * The executor: runs playbooks on targets over persistent connections. In process (`openExecutor`), or as a manager of its own
 * behind a socket (`startManagerProcess` and the client `connectExecutor`); both are the same `Executor`.
 */
export { connectExecutor } from '@bessemer/executor-protocol';
export { openExecutor, type OpenExecutorOptions } from './open-executor.ts';
export { type ManagerProcess, startManagerProcess } from './manager/manager-process.ts';
