/** The program of the bcrypt thread: answers each question with whether the password is the one of the hash. Imported by nobody. */
import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';
import type { Answer, Question } from './bcrypt-worker.ts';

parentPort?.on('message', ({ id, password, stored }: Question) => {
  parentPort?.postMessage({ id, isRight: compareSync(password, stored) } satisfies Answer);
});
