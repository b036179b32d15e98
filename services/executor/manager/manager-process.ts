/** Starts the manager as a process of its own, and waits until it listens. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ExecutorError } from '@bessemer/executor-protocol';

export interface ManagerProcess {
  readonly pid: number;
  readonly socketPath: string;
  /** Resolves when the process is gone, with its exit code or signal. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  /** Ends it in order: plays are cancelled, connections closed. */
  stop(): Promise<void>;
}

/** The command that runs `main.ts` of this service from the source tree; a packed installation names its own. */
function managerCommand(): string[] {
  return [process.execPath, fileURLToPath(new URL('../main.ts', import.meta.url))];
}

/**
 * Starts a manager on `socketPath`. It dies with this process, kill -9 included, and its ssh children die with it. Rejects with
 * MANAGER_LOST and what it printed when it does not come up.
 */
export function startManagerProcess(options: {
  readonly socketPath: string;
  readonly command?: readonly string[];
  readonly extraArguments?: readonly string[];
}): Promise<ManagerProcess> {
  const [program = '', ...rest] = options.command ?? managerCommand();
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', '--', program, ...rest, '--socket', options.socketPath, ...(options.extraArguments ?? [])],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  let errorText = '';
  child.stderr.on('data', (bytes: Buffer) => {
    errorText = (errorText + bytes.toString('utf8')).slice(-8192);
  });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new ExecutorError('MANAGER_LOST', `The executor's manager does not start: ${cause.message}.`, { cause })),
    );
    ended.then(({ code, signal }) =>
      reject(
        new ExecutorError('MANAGER_LOST', `The executor's manager ended at its start (${signal ?? `code ${code}`}).`, {
          transportText: errorText,
        }),
      ),
    );
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('listening ')) return;
      resolve({
        pid: child.pid!,
        socketPath: options.socketPath,
        ended,
        async stop() {
          child.kill('SIGTERM');
          await ended;
        },
      });
    });
  });
}
