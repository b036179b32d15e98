/** An executor with the real adapters: this machine's ssh, ansible-core and files. */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Executor } from '@bessemer/executor-protocol';
import { type Clock, type Log, silentLog } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';
import { loadRuntimeBundle } from './connections/runtime-bundle.ts';
import { createExecutor, type ExecutorLimits } from './executor.ts';
import { createModuleLibrary, type ModuleLibraryOptions } from './modules/library.ts';
import { startChild } from './process.ts';

export interface OpenExecutorOptions extends ModuleLibraryOptions {
  readonly clock?: Clock;
  readonly log?: Log;
  readonly limits?: Partial<ExecutorLimits>;
  /** Where key files stand while a login lasts; removed by `close()`. Default: a folder in the system's temporary one. */
  readonly stateDir?: string;
  /** The folder of the runtime's Python files, as a file: URL ending in a slash. Default: beside this service. */
  readonly runtimeFolder?: URL;
}

/** Rejects with MODULE_NOT_FOUND when this machine has no ansible-core. */
export async function openExecutor(options: OpenExecutorOptions = {}): Promise<Executor> {
  const library = createModuleLibrary(options);
  const bundle = loadRuntimeBundle(options.runtimeFolder);
  if (options.stateDir !== undefined) await mkdir(options.stateDir, { recursive: true, mode: 0o700 });
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'bessemer-executor-')));
  await chmod(stateDir, 0o700);
  const executor = createExecutor({
    clock: options.clock ?? systemClock,
    log: options.log ?? silentLog,
    startChild,
    library,
    bundle,
    stateDir,
    ...(options.limits ? { limits: options.limits } : {}),
    pid: process.pid,
  });
  return {
    ...executor,
    async close() {
      await executor.close();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
