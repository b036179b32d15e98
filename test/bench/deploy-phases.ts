/** What both sides of the deployment benchmark have in common: their phases, and how the first login is noticed. */
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import type { Lab } from '@bessemer/lab';
import { systemClock } from '@bessemer/ports/node';
import { sleep } from '@bessemer/ports';
import { runCommand } from '../e2e/world.ts';

/** In the order they are reached. */
export const PHASES = ['power on', 'script', 'hello', 'image written', 'reboot', 'ssh'] as const;
export type Phase = (typeof PHASES)[number];

/** One deployment: seconds since it was ordered at which each phase was reached. */
export type Deployment = Readonly<Record<Phase, number>>;

/** The same in CPU seconds of the emulated server: on a busy machine the steadier figure. */
export interface Measured {
  readonly seconds: Deployment;
  readonly cpuSeconds: Deployment;
}

const PROBE_MS = 200;
const PROBE_PATIENCE_MS = 4_000;
export const LIMIT_MS = 240_000;

/** True when something sends an SSH banner. */
function hasBanner(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    const timer = systemClock.setTimer(PROBE_PATIENCE_MS, () => end(false));
    const end = (isThere: boolean) => {
      timer.cancel();
      socket.destroy();
      resolve(isThere);
    };
    socket.once('data', (chunk: Buffer) => end(chunk.toString('latin1').startsWith('SSH-')));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}

/**
 * When (ms since the epoch) a login by key first worked. A probe of the port every 200 ms, then a real login: the same for
 * both sides. Throws after four minutes.
 */
export async function firstLogin(port: number, key: string): Promise<number> {
  const end = systemClock.nowMs() + LIMIT_MS;
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes', 'LogLevel=ERROR'];
  const login = ['-F', 'none', '-i', key, '-p', String(port), ...options.flatMap((option) => ['-o', option])];
  while (systemClock.nowMs() < end) {
    if (await hasBanner(port)) {
      const { code } = await runCommand(['ssh', ...login, '-o', 'ConnectTimeout=20', 'debian@127.0.0.1', 'true']);
      if (code === 0) return systemClock.nowMs();
    }
    await sleep(systemClock, PROBE_MS);
  }
  throw new Error(`no login worked within ${LIMIT_MS / 1000} s`);
}

const CPU_SAMPLE_MS = 200;
const TICKS_PER_SECOND = 100;

/** User and system time of a process in seconds; undefined when it is gone. */
function cpuOf(pid: number): number | undefined {
  try {
    // Behind the name in brackets, utime and stime are the 12th and 13th field (proc(5)).
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}

/** Follows the CPU time of a server over all processes that it is started as, until `stop`. */
export function followCpu(lab: Lab, node: string): { at(ms: number): number; stop(): Promise<void> } {
  const samples: Array<{ readonly at: number; readonly cpu: number }> = [];
  const usedBy = new Map<number, number>();
  const stopping = new AbortController();
  const following = (async () => {
    while (!stopping.signal.aborted) {
      const pid = (await lab.status())[node]?.pid;
      const used = pid === undefined ? undefined : cpuOf(pid);
      if (pid !== undefined && used !== undefined) usedBy.set(pid, used);
      samples.push({ at: systemClock.nowMs(), cpu: [...usedBy.values()].reduce((sum, one) => sum + one, 0) });
      await sleep(systemClock, CPU_SAMPLE_MS, stopping.signal).catch(() => {});
    }
  })();
  return {
    at: (ms) => samples.findLast((sample) => sample.at <= ms)?.cpu ?? 0,
    async stop() {
      stopping.abort();
      await following;
    },
  };
}

/** Seconds since `startMs`, and CPU seconds, for each phase. Throws naming a phase that was not reached. */
export function measuredOf(
  startMs: number,
  reachedMs: Readonly<Partial<Record<Phase, number>>>,
  cpuAt: (ms: number) => number,
): Measured {
  const each = (figure: (ms: number) => number): Deployment =>
    Object.fromEntries(
      PHASES.map((phase) => {
        const at = reachedMs[phase];
        if (at === undefined) throw new Error(`phase "${phase}" was not seen`);
        return [phase, figure(at)];
      }),
    ) as Record<Phase, number>;
  return { seconds: each((ms) => (ms - startMs) / 1000), cpuSeconds: each(cpuAt) };
}
