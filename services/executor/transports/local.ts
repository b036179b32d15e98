/** The `local` transport: the same runtime in a child process of this machine. */
import { ExecutorError, type LocalTarget } from '@bessemer/executor-protocol';
import type { Transport } from './transport.ts';

export const localTransport: Transport<LocalTarget> = {
  keyVariables: (target) => ({ transport: 'local', python: target.python ?? '' }),
  describe: () => 'local',
  limitKey: () => 'local',
  async open(_target, shellCommand) {
    return { command: ['sh', '-c', shellCommand], async cleanUp() {} };
  },
  explain(_target, end) {
    return new ExecutorError('PYTHON_MISSING', 'Python does not start on this machine.', {
      transportText: end.problem ?? end.errorText,
    });
  },
};
