import { describe, expect, it } from 'vitest';
import {
  coerceExecutorError,
  EXECUTOR_ERRORS,
  ExecutorError,
  type ExecutorErrorCode,
  errorFromBody,
} from './errors.ts';

describe('the errors', () => {
  it('are a closed set of codes in capitals, each with a whole sentence', () => {
    for (const [code, { sentence }] of Object.entries(EXECUTOR_ERRORS)) {
      expect(code).toMatch(/^[A-Z][A-Z_]+[A-Z]$/);
      expect(sentence).toMatch(/^[A-Z].*\.$/);
    }
  });

  it.each(Object.keys(EXECUTOR_ERRORS) as ExecutorErrorCode[])('%s crosses the socket unchanged', (code) => {
    const error = new ExecutorError(code, 'It broke.', { transportText: 'ssh: no', at: { file: 'a.yml', line: 3 } });
    const copy = errorFromBody(JSON.parse(JSON.stringify(error.toBody())));
    expect(copy.toBody()).toEqual(error.toBody());
    expect(new ExecutorError(code).message).toBe(EXECUTOR_ERRORS[code].sentence);
  });

  it('take in what is none', () => {
    expect(coerceExecutorError(new TypeError('x is not a function'))).toMatchObject({ code: 'INTERNAL' });
    expect(errorFromBody({ code: 'toString' as ExecutorErrorCode, message: 'm' }).code).toBe('INTERNAL');
  });
});
