/** A caller's side of the manager's socket: the same `Executor` as in process. */
import { createConnection, type Socket } from 'node:net';
import { ExecutorError, errorFromBody } from './errors.ts';
import { type AnswerFrame, createFrameReader, encodeFrame, type RequestFrame } from './frames.ts';
import { createRunLog, type RunLog } from './run-log.ts';
import type { CheckedPlay, ConnectionInfo, ConnectionStacks, Executor, ManagerInfo, PlayResult } from './types.ts';
import { checkPlayRequest } from './validate.ts';

type Call =
  | { readonly kind: 'answer'; resolve(value: unknown): void; reject(error: unknown): void }
  | { readonly kind: 'run'; readonly log: RunLog };

type RequestBody = RequestFrame extends infer F ? (F extends { id: number } ? Omit<F, 'id'> : never) : never;

/**
 * Connects to a manager. Rejects with MANAGER_LOST when none listens. When the manager ends, every open call rejects with
 * MANAGER_LOST; a play that it ran has ended with it, and its requestId may be sent again to the next manager.
 */
export async function connectExecutor(options: { readonly socketPath: string }): Promise<Executor> {
  const socket = await open(options.socketPath);
  const calls = new Map<number, Call>();
  const read = createFrameReader();
  let nextId = 1;
  let lost: ExecutorError | undefined;

  const fail = (call: Call, error: ExecutorError) => {
    if (call.kind === 'run') call.log.abandon(error);
    else call.reject(error);
  };
  const lose = (why: string) => {
    if (lost) return;
    lost = new ExecutorError('MANAGER_LOST', `The executor's manager at ${options.socketPath} is gone: ${why}.`);
    for (const call of calls.values()) fail(call, lost);
    calls.clear();
    socket.destroy();
  };
  socket.on('error', (error) => lose(error.message));
  socket.on('close', () => lose('it closed the connection'));
  socket.on('data', (bytes: Buffer) => {
    for (const frame of read(bytes)) {
      if (!frame.ok) return lose(frame.error);
      answered(frame.value as AnswerFrame);
    }
  });

  function answered(frame: AnswerFrame): void {
    const call = calls.get(frame.id);
    if (!call) return;
    if ('event' in frame) {
      if (call.kind === 'run') call.log.append(frame.event);
      return;
    }
    calls.delete(frame.id);
    if (calls.size === 0) socket.unref();
    if ('error' in frame) {
      fail(call, errorFromBody(frame.error));
    } else if (call.kind === 'run') call.log.finish(frame.result as PlayResult);
    else call.resolve(frame.result);
  }
  function post(call: Call, body: RequestBody): number {
    const id = nextId++;
    calls.set(id, call);
    socket.ref();
    socket.write(encodeFrame({ id, ...body } as RequestFrame));
    return id;
  }
  function ask<T>(body: RequestBody): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (lost) return reject(lost);
      post({ kind: 'answer', resolve: resolve as (value: unknown) => void, reject }, body);
    });
  }

  return {
    runPlay(request, runOptions) {
      let callId: number | undefined;
      const cancel = () => {
        if (!lost && callId !== undefined && !log.ended)
          socket.write(encodeFrame({ id: nextId++, op: 'cancel', call: callId }));
      };
      const log = createRunLog(cancel);
      const checked = checkPlayRequest(request);
      if (!checked.ok) log.abandon(new ExecutorError('BAD_REQUEST', `The request is malformed: ${checked.error}.`));
      else if (lost) log.abandon(lost);
      else {
        callId = post({ kind: 'run', log }, { op: 'runPlay', request });
        const { signal } = runOptions ?? {};
        if (signal?.aborted) cancel();
        else signal?.addEventListener('abort', cancel, { once: true });
        const forget = () => signal?.removeEventListener('abort', cancel);
        log.result.then(forget, forget);
      }
      return log;
    },
    checkPlay: (play) => ask<CheckedPlay>({ op: 'checkPlay', play }),
    ping: () => ask<ManagerInfo>({ op: 'ping' }),
    list: () => ask<readonly ConnectionInfo[]>({ op: 'list' }),
    stacks: () => ask<readonly ConnectionStacks[]>({ op: 'stacks' }),
    closeConnections: (id) => ask<number>({ op: 'close', ...(id === undefined ? {} : { connection: id }) }),
    async close() {
      lose('this client was closed');
    },
  };
}

function open(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    const onError = (cause: Error) =>
      reject(
        new ExecutorError('MANAGER_LOST', `No executor manager answers at ${socketPath}: ${cause.message}.`, { cause }),
      );
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      // An idle client does not keep its process alive.
      socket.unref();
      resolve(socket);
    });
  });
}
