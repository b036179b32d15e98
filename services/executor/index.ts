/**
 * The executor: runs playbooks on targets over persistent connections. In process (`openExecutor`), or as a manager of its own
 * behind a socket (`startManagerProcess` and the client `connectExecutor`); both are the same `Executor`.
 */
export { connectExecutor } from '@bessemer/executor-protocol';
export { createExecutor, DEFAULT_LIMITS, type ExecutorDeps, type ExecutorLimits } from './executor.ts';
export { openExecutor, type OpenExecutorOptions } from './open-executor.ts';
export { createModuleLibrary, type ModuleLibrary, type ModuleLibraryOptions } from './modules/library.ts';
export { loadRuntimeBundle, type RuntimeBundle } from './connections/runtime-bundle.ts';
export { type ManagerServer, serveExecutor } from './manager/server.ts';
export { managerCommand, type ManagerProcess, startManagerProcess } from './manager/manager-process.ts';
export { startChild, type StartChild } from './process.ts';
