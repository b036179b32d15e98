/** bcrypt on a thread of its own: in JavaScript it takes 50 to 500 ms, during which no request would be answered. */
import { Worker } from 'node:worker_threads';

export interface Question {
  readonly id: number;
  readonly password: string;
  readonly stored: string;
}
export type Answer = { readonly id: number; readonly isRight: boolean };

/** Compares in a thread that is started with the first question and does not keep the process alive. Rejects when the thread dies. */
export function createBcryptWorker(): (password: string, stored: string) => Promise<boolean> {
  let worker: Worker | undefined;
  let last = 0;
  const open = new Map<number, { resolve(isRight: boolean): void; reject(error: Error): void }>();
  const start = (): Worker => {
    const made = new Worker(new URL('./bcrypt-thread.ts', import.meta.url));
    made.on('message', ({ id, isRight }: Answer) => {
      open.get(id)?.resolve(isRight);
      open.delete(id);
      if (open.size === 0) made.unref();
    });
    made.on('error', (error) => {
      worker = undefined;
      for (const { reject } of open.values()) reject(error instanceof Error ? error : new Error(String(error)));
      open.clear();
    });
    return made;
  };
  return (password, stored) =>
    new Promise((resolve, reject) => {
      worker ??= start();
      worker.ref();
      const id = ++last;
      open.set(id, { resolve, reject });
      worker.postMessage({ id, password, stored } satisfies Question);
    });
}
