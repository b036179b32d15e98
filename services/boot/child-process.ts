/** A child process that boot needs all the time: started so that it dies with us, read line by line, started again when it ends. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Clock, Log, Timer } from '@bessemer/ports';

export interface ChildOptions {
  /** For the log. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  /** True for the line, of stdout or stderr, that says that it works. */
  isReady(line: string): boolean;
  onLine?(line: string): void;
}

export interface SupervisedChild {
  /** Of the running process, or undefined while there is none. */
  readonly pid: number | undefined;
  /** How often it was started again. */
  readonly restarts: number;
  /** Resolves once it is ready. @throws Error with its last words when it ends, or says nothing for 10 s, before that. */
  start(): Promise<void>;
  /** Ends it (TERM, KILL after 2 s) and waits for its end. */
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 10_000;
const KILL_AFTER_MS = 2_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** A life of this length makes the next pause short again. */
const LONG_LIFE_MS = 60_000;
const LAST_WORDS = 5;

export function superviseChild(options: ChildOptions): SupervisedChild {
  const { clock, log, name } = options;
  let child: ChildProcess | undefined;
  let exited: Promise<void> = Promise.resolve();
  let stopping = false;
  let restarts = 0;
  let pauseMs = FIRST_PAUSE_MS;
  let restartTimer: Timer | undefined;

  /** Starts one life. Settles `ready` once; calls `onEnd` when the life is over. */
  function live(onReady: () => void, onEnd: (why: string) => void): void {
    const lastWords: string[] = [];
    // setpriv asks the kernel to kill the child when we die, however that happens, and becomes the child.
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', '--', options.command, ...options.args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    });
    child = started;
    const onLine = (line: string) => {
      lastWords.push(line.slice(0, 500));
      if (lastWords.length > LAST_WORDS) lastWords.shift();
      if (options.isReady(line)) onReady();
      options.onLine?.(line);
    };
    for (const stream of [started.stdout, started.stderr]) createInterface({ input: stream }).on('line', onLine);
    exited = new Promise((resolve) => {
      const end = (why: string) => {
        if (child === started) child = undefined;
        resolve();
        onEnd([why, ...lastWords].join('; '));
      };
      started.once('error', (error) => end(`${name} could not be started: ${error.message}`));
      started.once('close', (code, signal) => end(`${name} ended with ${signal ?? `code ${code}`}`));
    });
  }

  function restartAfterEnd(why: string, livedMs: number): void {
    if (stopping) return;
    if (livedMs >= LONG_LIFE_MS) pauseMs = FIRST_PAUSE_MS;
    log.error(`${name} ended, it is started again`, { why, inMs: pauseMs });
    restartTimer = clock.setTimer(pauseMs, () => {
      restarts++;
      const sinceMs = clock.monotonicMs();
      live(
        () => log.info(`${name} works again`),
        (reason) => restartAfterEnd(reason, clock.monotonicMs() - sinceMs),
      );
    });
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }

  async function stop(): Promise<void> {
    stopping = true;
    restartTimer?.cancel();
    const last = child;
    if (last) {
      last.kill('SIGTERM');
      const timer = clock.setTimer(KILL_AFTER_MS, () => void last.kill('SIGKILL'));
      await exited;
      timer.cancel();
    }
  }

  return {
    get pid() {
      return child?.pid;
    },
    get restarts() {
      return restarts;
    },
    async start() {
      stopping = false;
      const sinceMs = clock.monotonicMs();
      let wasReady = false;
      let timer: Timer | undefined;
      try {
        await new Promise<void>((resolve, reject) => {
          timer = clock.setTimer(READY_WITHIN_MS, () =>
            reject(new Error(`${name} was not ready within ${READY_WITHIN_MS / 1000} s`)),
          );
          live(
            () => {
              wasReady = true;
              resolve();
            },
            (why) => {
              reject(new Error(why));
              if (wasReady) restartAfterEnd(why, clock.monotonicMs() - sinceMs);
            },
          );
        });
      } catch (error) {
        await stop();
        throw error;
      } finally {
        timer?.cancel();
      }
    },
    stop,
  };
}
