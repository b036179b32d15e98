import { ExecutorError, type ExecutorErrorCode } from '@bessemer/executor-protocol';

/** An error about a line of the playbook: `file:line: what is wrong`. */
export function invalid(
  file: string,
  line: number,
  problem: string,
  code: ExecutorErrorCode = 'PLAY_INVALID',
): ExecutorError {
  return new ExecutorError(code, `${file}:${line}: ${problem}.`, { at: { file, line } });
}
