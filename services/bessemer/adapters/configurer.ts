/** The executor as a conductor sees it: a manager process of its own, started when the first play comes, again when it died. */
import { join } from 'node:path';
import { isJsonObject, type JsonObject } from '@bessemer/core';
import type { Configurer } from '@bessemer/conductor';
import { connectExecutor, type ManagerProcess, startManagerProcess } from '@bessemer/executor';
import type { Executor, ExecutorErrorBody, Resume } from '@bessemer/executor-protocol';
import { coerceExecutorError } from '@bessemer/executor-protocol';
import type { Log } from '@bessemer/ports';

export interface ConfigurerOptions {
  /** A short path: a unix socket's path has 107 bytes at most. */
  readonly runDir: string;
  readonly sshPublicKey: string;
  readonly sshPrivateKeyFile: string;
  readonly idleMs: number;
  readonly maxConnections: number;
  readonly log: Log;
}

export interface OwnedConfigurer extends Configurer {
  stop(): Promise<void>;
}

/** The code that the documentation lists, the play's own words where it failed, and what ssh or Python said behind them. */
export function sentenceOf({ code, message, transportText }: Omit<ExecutorErrorBody, 'at'>): string {
  const said = transportText?.trim().split('\n').at(-1);
  return `${code}: ${message}${said && !message.includes(said) ? ` (${said})` : ''}`;
}

const OUTCOMES = { ok: 'ok', changed: 'changed', skipped: 'skipped', failed: 'failed', unreachable: 'failed' } as const;

export function createConfigurer(options: ConfigurerOptions): OwnedConfigurer {
  const socketPath = join(options.runDir, 'executor.sock');
  let manager: ManagerProcess | undefined;
  let starting: Promise<Executor> | undefined;

  async function start(): Promise<Executor> {
    const started = await startManagerProcess({
      socketPath,
      extraArguments: [
        '--idle-seconds',
        String(Math.ceil(options.idleMs / 1000)),
        '--max-connections',
        String(options.maxConnections),
      ],
    });
    manager = started;
    options.log.info('executor started', { pid: started.pid });
    void started.ended.then(({ code, signal }) => {
      if (manager !== started) return;
      manager = undefined;
      starting = undefined;
      options.log.warn('executor ended', { code, signal });
    });
    return connectExecutor({ socketPath });
  }

  /** The running executor; concurrent callers start one. */
  function executor(): Promise<Executor> {
    starting ??= start().catch((error: unknown) => {
      starting = undefined;
      throw error;
    });
    return starting;
  }

  return {
    servicePublicKey: async () => options.sshPublicKey,
    async check(playbook) {
      const { tasks } = await (await executor()).checkPlay({ text: playbook });
      return { tasks: tasks.length };
    },
    async run(play, onTask, signal) {
      try {
        const run = (await executor()).runPlay(
          {
            requestId: play.requestId,
            target: {
              transport: 'ssh',
              address: play.address,
              port: play.port,
              user: play.user,
              privateKey: { path: options.sshPrivateKeyFile },
              knownHostKey: play.hostKey,
            },
            play: { text: play.playbook },
            vars: play.variables,
            ...(play.resume ? { resume: play.resume as unknown as Resume } : {}),
          },
          { signal },
        );
        for await (const event of run)
          if (event.type === 'task')
            onTask({
              task: event.task.index,
              name: event.task.name,
              outcome: event.ignored ? 'ok' : OUTCOMES[event.status],
            });
        const result = await run.result;
        const { ok, changed, failed, skipped } = result.recap;
        const resume: unknown = result.resume ?? null;
        return {
          ok,
          changed,
          failed,
          skipped,
          error: result.error ? sentenceOf(result.error) : null,
          resume: isJsonObject(resume) ? (resume as JsonObject) : null,
        };
      } catch (error) {
        return {
          ok: 0,
          changed: 0,
          failed: 0,
          skipped: 0,
          error: sentenceOf(coerceExecutorError(error).toBody()),
          resume: play.resume,
        };
      }
    },
    async stop() {
      const running = manager;
      manager = undefined;
      await (await starting?.catch(() => undefined))?.close().catch(() => {});
      await running?.stop();
    },
  };
}
