/** What OpenSSH says when it fails, and which error that is. Read only when ssh itself ended with 255. */
import type { ExecutorErrorCode } from '@bessemer/executor-protocol';

/** The first row that matches decides. */
const SSH_FAILURES: ReadonlyArray<{ readonly pattern: RegExp; readonly code: ExecutorErrorCode }> = [
  { pattern: /REMOTE HOST IDENTIFICATION HAS CHANGED/, code: 'HOST_KEY_CHANGED' },
  { pattern: /Host key verification failed/, code: 'HOST_KEY_CHANGED' },
  { pattern: /No \S+ host key is known for/, code: 'HOST_KEY_CHANGED' },
  { pattern: /no matching host key type found/, code: 'HOST_KEY_CHANGED' },
  { pattern: /Permission denied \(/, code: 'AUTHENTICATION_FAILED' },
  { pattern: /Permission denied, please try again/, code: 'AUTHENTICATION_FAILED' },
  { pattern: /Too many authentication failures/, code: 'AUTHENTICATION_FAILED' },
  { pattern: /Load key .*: /, code: 'AUTHENTICATION_FAILED' },
  { pattern: /not accessible: No such file or directory/, code: 'AUTHENTICATION_FAILED' },
  { pattern: /UNPROTECTED PRIVATE KEY FILE/, code: 'AUTHENTICATION_FAILED' },
];

/** The code for what ssh wrote to its standard error; what no row names means that the target was not reached. */
export function classifySshFailure(text: string): ExecutorErrorCode {
  return SSH_FAILURES.find((row) => row.pattern.test(text))?.code ?? 'UNREACHABLE';
}
