/** Waits until a node is where it was sent: one event stream, and a look at `why` at most once a second. */
import type { Clock } from '../clock.ts';
import { duration } from '../clock.ts';
import type { Io } from '../command.ts';
import { record, type Record_ } from '../commands/values.ts';
import type { Api } from '../connection/http.ts';
import { CliError, ConnectionError, HttpError } from '../errors.ts';
import { describeEvent } from './describe.ts';
import { createProgressView } from './progress.ts';
import { openStream, type StreamEvent } from './stream.ts';
import { readWhy, type Why } from './why.ts';

/** What the node must come to. */
export type Goal =
  | { readonly kind: 'provision'; readonly state: string }
  | { readonly kind: 'power'; readonly state: string }
  /** A run with this verb must end well; the provision state does not tell. */
  | { readonly kind: 'run'; readonly verb: string }
  /** Any state in which the node rests. */
  | { readonly kind: 'rest' };

export interface WaitOptions {
  readonly api: Api;
  readonly io: Io;
  readonly clock: Clock;
  /** As the operator named it. */
  readonly node: string;
  readonly goal: Goal;
  /** 0: without end. */
  readonly timeoutS: number;
  /** The request that sets it going; sent once the event stream is open. */
  readonly start: () => Promise<unknown>;
}

export type Verdict =
  | { readonly is: 'reached'; readonly state: string }
  | { readonly is: 'failed'; readonly reason: string };

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** Whether the node is there, or cannot come there any more; undefined: it is on its way. */
export function judge(goal: Goal, node: Record_, finished: StreamEvent | undefined): Verdict | undefined {
  const state = text(node['provision_state']) ?? '';
  const error = text(node['last_error']);
  const isOnTheWay = text(node['target_provision_state']) !== undefined;
  switch (goal.kind) {
    case 'run': {
      if (!finished) return undefined;
      const reason = text(finished.data['error']);
      return finished.data['outcome'] === 'done'
        ? { is: 'reached', state }
        : { is: 'failed', reason: reason ?? `${goal.verb} ended: ${String(finished.data['outcome'])}` };
    }
    case 'power': {
      if (text(node['target_power_state']) !== undefined) return undefined;
      const power = text(node['power_state']);
      if (power === goal.state) return { is: 'reached', state: power };
      return { is: 'failed', reason: error ?? `the power state is ${power ?? 'unknown'}` };
    }
    case 'rest':
      return isOnTheWay && !state.endsWith('failed') && state !== 'error' ? undefined : { is: 'reached', state };
    case 'provision': {
      if (state === goal.state && !isOnTheWay) return { is: 'reached', state };
      if (state === 'error' || state.endsWith(' failed'))
        return { is: 'failed', reason: `${state}: ${error ?? 'no reason was stored'}` };
      if (isOnTheWay) return undefined;
      return { is: 'failed', reason: `it is ${state}${error === undefined ? '' : `: ${error}`}` };
    }
  }
}

/** The goal in words. */
export const targetText = (goal: Goal): string =>
  goal.kind === 'run' ? `the end of ${goal.verb}` : goal.kind === 'rest' ? 'rest' : goal.state;

/** Events that may have brought the node to its goal. */
export const DECISIVE: ReadonlySet<string> = new Set([
  'node.provision_state',
  'node.power_state',
  'run.finished',
  'node.maintenance',
  'node.deleted',
]);
const TICK_MS = 1_000;
/** Without an event stream, and as a net below it, the node's state is read this often. */
export const LOOK_MS = 5_000;
export const STATE_FIELDS = 'provision_state,target_provision_state,power_state,target_power_state,last_error';

/**
 * Sends the request and waits, showing where the node is.
 * @returns the exit code: 0 when it reached its goal.
 * @throws CliError with the reason and what to do when it did not, or when the request was refused.
 */
export async function startAndWait(options: WaitOptions): Promise<number> {
  const { api, io, clock, node, goal } = options;
  const path = `/v1/nodes/${encodeURIComponent(node)}`;
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  io.signal.addEventListener('abort', onInterrupt, { once: true });
  const view = createProgressView(io, clock);
  const startedAtMs = clock.now();
  let why: Why | undefined;
  let awaySinceMs: number | undefined;
  let finished: StreamEvent | undefined;
  let mustLook = false;
  let wake = new AbortController();
  const ring = () => wake.abort();
  stop.signal.addEventListener('abort', ring, { once: true });
  let streamError: Error | undefined;
  let hasStarted = false;
  const early: StreamEvent[] = [];

  const onEvent = (event: StreamEvent): void => {
    if (!hasStarted) {
      early.push(event);
      return;
    }
    view.line(`${node}: ${describeEvent(event)}`, event.at);
    if (event.type === 'run.finished' && goal.kind === 'run' && event.data['verb'] === goal.verb) finished = event;
    if (DECISIVE.has(event.type)) mustLook = true;
    if (mustLook || event.type.startsWith('step.') || event.type === 'run.waiting') ring();
  };
  const setAway = (): void => {
    if (awaySinceMs !== undefined) return;
    awaySinceMs = clock.now();
    view.line(`${node}: the service does not answer; the node goes on by itself, waiting for the service`);
  };
  const setBack = (): void => {
    if (awaySinceMs === undefined) return;
    view.line(`${node}: the service is back after ${duration(clock.now() - awaySinceMs)}`);
    awaySinceMs = undefined;
    mustLook = true;
    ring();
  };
  /** The answer; undefined when the service is away or does not have this. */
  async function ask(askPath: string, query?: Record<string, string>) {
    try {
      const answer = await api.once('GET', askPath, query ? { query } : {});
      setBack();
      return answer;
    } catch (error) {
      if (error instanceof ConnectionError) setAway();
      else if (
        !(error instanceof HttpError) ||
        (error.status < 500 && !(error.status === 404 && askPath.endsWith('/why')))
      )
        throw error;
      return undefined;
    }
  }

  try {
    try {
      const stream = await openStream({
        api,
        clock,
        query: { node, after: 'now' },
        signal: stop.signal,
        onEvent,
        onLost: setAway,
        onBack: setBack,
      });
      stream.done.catch((error: Error) => {
        streamError = error;
        ring();
      });
    } catch (error) {
      // Another bare metal API has no such stream: its state is looked at instead. A node that is not there is told by the request.
      if (!(error instanceof HttpError) || error.status !== 404) throw error;
    }
    await options.start();
    hasStarted = true;
    if (goal.kind === 'provision') io.out(`Waiting for provision state ${goal.state} on node ${node}\n`);
    for (const event of early) onEvent(event);
    let lookedAt = Number.NEGATIVE_INFINITY;
    let whyAskedAt = Number.NEGATIVE_INFINITY;
    for (;;) {
      if (io.signal.aborted)
        throw new CliError(`No longer waiting; node ${node} goes on by itself.`, {
          hint: `See where it is: baremetal node why ${node}`,
        });
      if (streamError) throw streamError;
      wake = new AbortController();
      const asked = clock.now();
      if (mustLook || asked - lookedAt >= LOOK_MS) {
        mustLook = false;
        lookedAt = asked;
        const answer = await ask(path, { fields: STATE_FIELDS });
        const verdict = answer === undefined ? undefined : judge(goal, record(answer), finished);
        if (verdict) {
          const told = readWhy((await ask(`${path}/why`)) ?? null);
          view.end();
          if (verdict.is === 'failed')
            throw new CliError(
              `Node ${node} did not reach ${targetText(goal)}: ${verdict.reason}`,
              told.whatToDo === undefined ? {} : { hint: told.whatToDo },
            );
          view.line(`${node}: ${verdict.state} after ${duration(clock.now() - startedAtMs)}`);
          return 0;
        }
      }
      const elapsed = clock.now() - startedAtMs;
      if (options.timeoutS > 0 && elapsed >= options.timeoutS * 1000) {
        view.end();
        const doing = why ? ` ${why.summary}` : '';
        throw new CliError(`Node ${node} did not reach ${targetText(goal)} in ${options.timeoutS} seconds.${doing}`, {
          hint: `It goes on by itself; see where it is: baremetal node why ${node}`,
        });
      }
      if (awaySinceMs === undefined && clock.now() - whyAskedAt >= TICK_MS) {
        whyAskedAt = clock.now();
        const answer = await ask(`${path}/why`);
        if (answer !== undefined) why = readWhy(answer);
      }
      view.update({ node, startedAtMs, why, awaySinceMs });
      const left =
        options.timeoutS > 0 ? options.timeoutS * 1000 - (clock.now() - startedAtMs) : Number.POSITIVE_INFINITY;
      const rest = Math.max(0, Math.min(TICK_MS, whyAskedAt + TICK_MS - clock.now(), left));
      if (!mustLook) await clock.sleep(awaySinceMs === undefined ? rest : Math.min(TICK_MS, left), wake.signal);
    }
  } finally {
    view.end();
    stop.abort();
    io.signal.removeEventListener('abort', onInterrupt);
  }
}
