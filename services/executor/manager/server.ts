/** The manager's socket: serves an executor to every process of this account. The folder's mode 0700 is what keeps others out. */
import { chmod, mkdir, rm, stat } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import {
  type AnswerFrame,
  coerceExecutorError,
  createFrameReader,
  encodeFrame,
  type Executor,
  ExecutorError,
  type Play,
  type PlayRequest,
  type PlayRun,
} from '@bessemer/executor-protocol';
import type { Log } from '@bessemer/ports';

export interface ManagerServer {
  readonly socketPath: string;
  close(): Promise<void>;
}

/** Answers held for a caller that does not read; beyond it the caller is dropped. */
const MAX_UNSENT_BYTES = 128 * 1024 * 1024;

/** Makes the socket's folder with mode 0700. Rejects when it is there and open to others. */
export async function prepareSocketFolder(socketPath: string): Promise<string> {
  const folder = dirname(socketPath);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = await stat(folder);
  if ((mode & 0o077) !== 0 || uid !== process.getuid?.())
    throw new Error(
      `the folder ${folder} of the executor's socket must belong to this account with mode 0700: chmod 0700 ${folder}, or choose another with --socket`,
    );
  return folder;
}

/**
 * Listens on a unix socket, in a folder that is made with mode 0700. Rejects when the folder is open to others, or another
 * manager answers there. A caller that leaves ends none of its plays: the same requestId finds them again.
 */
export async function serveExecutor(executor: Executor, socketPath: string, log: Log): Promise<ManagerServer> {
  await prepareSocketFolder(socketPath);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', (error) => log.debug('caller lost', { error: error.message }));
    serveCaller(executor, socket);
  });
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketPath, () => {
        server.off('error', reject);
        resolve();
      });
    });
  await listen().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    if (await answers(socketPath)) throw new Error(`another executor manager listens on ${socketPath}`);
    // Left behind by a manager that was killed.
    await rm(socketPath, { force: true });
    await listen();
  });
  await chmod(socketPath, 0o600);
  return {
    socketPath,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answers(socketPath: string): Promise<boolean> {
  const { connectExecutor } = await import('@bessemer/executor-protocol');
  try {
    await (await connectExecutor({ socketPath })).close();
    return true;
  } catch {
    return false;
  }
}

function serveCaller(executor: Executor, socket: Socket): void {
  const read = createFrameReader();
  const runs = new Map<number, PlayRun>();

  function send(frame: AnswerFrame): void {
    if (socket.destroyed) return;
    socket.write(encodeFrame(frame));
    if (socket.writableLength > MAX_UNSENT_BYTES) socket.destroy();
  }
  const fail = (id: number, error: unknown) => send({ id, error: coerceExecutorError(error).toBody() });

  async function runPlay(id: number, request: PlayRequest): Promise<void> {
    // The executor checks the request itself.
    const run = executor.runPlay(request);
    runs.set(id, run);
    try {
      for await (const event of run) {
        if (socket.destroyed) return;
        send({ id, event });
      }
      send({ id, result: await run.result });
    } catch (error) {
      fail(id, error);
    } finally {
      runs.delete(id);
    }
  }

  function answer(id: number, frame: Record<string, unknown>): void {
    const reply = (promise: Promise<Extract<AnswerFrame, { result: unknown }>['result']>) =>
      void promise.then(
        (result) => send({ id, result }),
        (error) => fail(id, error),
      );
    switch (frame.op) {
      case 'runPlay':
        return void runPlay(id, frame.request as PlayRequest);
      case 'cancel':
        return runs.get(Number(frame.call))?.cancel();
      case 'checkPlay':
        return reply(executor.checkPlay(frame.play as Play));
      case 'ping':
        return reply(executor.ping());
      case 'list':
        return reply(executor.list());
      case 'stacks':
        return reply(executor.stacks());
      case 'close':
        return reply(executor.closeConnections(typeof frame.connection === 'string' ? frame.connection : undefined));
      default:
        return fail(id, new ExecutorError('BAD_REQUEST', `The executor knows no operation '${String(frame.op)}'.`));
    }
  }

  socket.on('data', (bytes: Buffer) => {
    for (const frame of read(bytes)) {
      const value = frame.ok ? frame.value : undefined;
      const id = (value as { id?: unknown } | null | undefined)?.id;
      if (Number.isSafeInteger(id)) answer(id as number, value as Record<string, unknown>);
      else {
        fail(
          0,
          new ExecutorError('BAD_REQUEST', frame.ok ? 'The frame has no id.' : `The frame is refused: ${frame.error}.`),
        );
        return void socket.end();
      }
    }
  });
}
