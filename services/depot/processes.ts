import { type ChildProcess, spawn } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import type { WorkerJob, WorkerMessage, WorkerResult } from './worker/jobs.ts';

export interface ProcessSpec {
  readonly command: string;
  readonly args: readonly string[];
  /** Descriptors of this process that become the child's standard input and output. */
  readonly stdin?: number;
  readonly stdout?: number;
  /** Descriptors of this process that become the child's from number 3 on. */
  readonly inherit?: readonly number[];
  /** Limits by prlimit: address space, processor seconds, size of a written file. */
  readonly limits?: { readonly memoryBytes?: number; readonly cpuSeconds?: number; readonly fileBytes?: number };
  readonly signal?: AbortSignal;
  readonly onStdout?: (text: string) => void;
}

export interface ProcessEnd {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last 4 KiB of what it complained about. */
  readonly stderr: string;
}

/** Work that would hold up the event loop: child processes and worker threads. */
export interface Processes {
  /** Runs a child to its end. It dies with this process. Rejects when it cannot start or `signal` aborts, after it is gone. */
  run(spec: ProcessSpec): Promise<ProcessEnd>;
  /** Runs a job in a worker thread. Rejects with the job's error or the signal's reason, after the thread is gone. */
  work<J extends WorkerJob>(
    job: J,
    options?: { signal?: AbortSignal; onProgress?: (bytes: number) => void },
  ): Promise<WorkerResult[J['kind']]>;
}

const STDERR_BYTES = 4096;

/** The worker's program. */
const DEFAULT_WORKER = new URL('./worker/main.ts', import.meta.url);

/** The real adapter. `worker` is the worker's program where it is not in its usual place. */
export function createProcesses(worker: URL = DEFAULT_WORKER): Processes {
  return { run: runProcess, work: (job, options = {}) => runWorker(worker, job, options) };
}

function runProcess(spec: ProcessSpec): Promise<ProcessEnd> {
  const { memoryBytes, cpuSeconds, fileBytes } = spec.limits ?? {};
  const limits = [
    ...(memoryBytes ? [`--as=${memoryBytes}`] : []),
    ...(cpuSeconds ? [`--cpu=${cpuSeconds}`] : []),
    ...(fileBytes ? [`--fsize=${fileBytes}`] : []),
  ];
  const limited = limits.length > 0 ? ['prlimit', ...limits, '--', spec.command] : [spec.command];
  return new Promise((resolve, reject) => {
    if (spec.signal?.aborted) return reject(spec.signal.reason);
    let child: ChildProcess;
    try {
      child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...limited, ...spec.args], {
        stdio: [spec.stdin ?? 'ignore', spec.stdout ?? 'pipe', 'pipe', ...(spec.inherit ?? [])],
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      });
    } catch (error) {
      return reject(error);
    }
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_BYTES);
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => spec.onStdout?.(text));
    const kill = (): void => void child.kill('SIGKILL');
    spec.signal?.addEventListener('abort', kill, { once: true });
    child.once('error', (error) => {
      spec.signal?.removeEventListener('abort', kill);
      reject(new Error(`${spec.command} cannot be started: ${error.message}`, { cause: error }));
    });
    child.once('close', (code, signal) => {
      spec.signal?.removeEventListener('abort', kill);
      if (spec.signal?.aborted) reject(spec.signal.reason);
      else resolve({ code, signal, stderr: stderr.trim() });
    });
  });
}

function runWorker<J extends WorkerJob>(
  program: URL,
  job: J,
  options: { signal?: AbortSignal; onProgress?: (bytes: number) => void },
): Promise<WorkerResult[J['kind']]> {
  const { signal, onProgress } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const worker = new Worker(program, { workerData: job });
    let outcome: (() => void) | undefined;
    const stop = (): void => {
      outcome = () => reject(signal?.reason);
      void worker.terminate();
    };
    signal?.addEventListener('abort', stop, { once: true });
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'progress') onProgress?.(message.bytes);
      else if (message.kind === 'done') outcome ??= () => resolve(message.result as WorkerResult[J['kind']]);
      else outcome ??= () => reject(Object.assign(new Error(message.message), { code: message.code }));
    });
    worker.on('error', (error) => {
      outcome ??= () => reject(error);
    });
    worker.on('exit', (code) => {
      signal?.removeEventListener('abort', stop);
      if (outcome) outcome();
      else reject(new Error(`the worker for ${job.kind} ended with ${code} and without a result`));
    });
  });
}
