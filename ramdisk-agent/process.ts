/** Short-lived child processes. */
import { spawn } from 'node:child_process';
import type { Clock } from '@bessemer/ports';

export interface ProcessResult {
  /** The exit code; null when it was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const MAX_OUTPUT_BYTES = 1024 * 1024;

/** Runs a program without a shell. Rejects when it cannot be started; kills it after `timeoutMs`. Output beyond 1 MiB is dropped. */
export function runProcess(
  clock: Clock,
  program: string,
  args: readonly string[],
  timeoutMs = 60_000,
): Promise<ProcessResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        if (output[name].length < MAX_OUTPUT_BYTES) output[name] += chunk;
      });
    const timer = clock.setTimer(timeoutMs, () => child.kill('SIGKILL'));
    child.on('error', (error) => {
      timer.cancel();
      reject(error);
    });
    child.on('close', (code) => {
      timer.cancel();
      resolve({ code, ...output });
    });
  });
}

/** As runProcess; also rejects when it fails, with what it said. */
export async function mustRun(
  clock: Clock,
  program: string,
  args: readonly string[],
  timeoutMs?: number,
): Promise<string> {
  const result = await runProcess(clock, program, args, timeoutMs);
  if (result.code === 0) return result.stdout;
  const said = (result.stderr || result.stdout).trim().slice(0, 500);
  throw new Error(
    `${program} ${args.join(' ')} ${result.code === null ? 'was killed' : `ended with ${result.code}`}${said ? `: ${said}` : ''}`,
  );
}
