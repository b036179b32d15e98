/** Child processes: the adapter that starts real ones. A child dies with this process, however this process ends. */
import { spawn } from 'node:child_process';

export interface ChildStream {
  readonly pid: number | undefined;
  write(bytes: Uint8Array): void;
  onData(listener: (bytes: Uint8Array) => void): void;
  onErrorText(listener: (bytes: Uint8Array) => void): void;
  /** Called once, after all output was given. `code` is null when a signal ended it or it did not start. */
  onExit(listener: (end: { code: number | null; problem?: string }) => void): void;
  /** No more input: the other side sees the end of its channel. */
  end(): void;
  kill(): void;
}

export type StartChild = (command: readonly string[]) => ChildStream;

/** Starts a command whose life is bound to ours: the kernel kills it when this process is gone, kill -9 included. */
export const startChild: StartChild = (command) => {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], { stdio: 'pipe' });
  // A write to a child that has just ended fails: its end is told by onExit.
  child.stdin.on('error', () => {});
  let problem: string | undefined;
  child.on('error', (error) => {
    problem = error.message;
  });
  return {
    pid: child.pid,
    write: (bytes) => void child.stdin.write(bytes),
    onData: (listener) => void child.stdout.on('data', listener),
    onErrorText: (listener) => void child.stderr.on('data', listener),
    onExit: (listener) =>
      void child.on('close', (code) => listener({ code, ...(problem === undefined ? {} : { problem }) })),
    end: () => void child.stdin.end(),
    kill: () => void child.kill('SIGKILL'),
  };
};
