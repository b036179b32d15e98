import { describe, expect, it } from 'vitest';
import { sentenceOf } from './configurer.ts';

describe('the error of a play', () => {
  it('begins with its code and ends with the last line of what the transport said', () => {
    expect(sentenceOf({ code: 'HOST_KEY_CHANGED', message: 'The target showed another host key.' })).toBe(
      'HOST_KEY_CHANGED: The target showed another host key.',
    );
    const body = { code: 'TASK_FAILED', message: 'Task 3 failed.' } as const;
    expect(sentenceOf({ ...body, transportText: 'Traceback\nOSError: full\n' })).toBe(
      'TASK_FAILED: Task 3 failed. (OSError: full)',
    );
    expect(sentenceOf({ ...body, transportText: 'Task 3 failed.' })).toBe('TASK_FAILED: Task 3 failed.');
  });
});
