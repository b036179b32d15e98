/** Steps that wait: until an operator goes on, or for a time. */
import { HOLD_MS } from '../task.ts';
import { done, type StepHandler } from './step.ts';

/** How long after its end a pause counts as forgotten. */
const GRACE_MS = 60_000;

/** `hold`: the node goes to the hold state of its verb. `unhold` names this attempt in the run's notes. */
export const hold: StepHandler = {
  async run(task) {
    if (task.notes['unheld'] === task.attempt.id) return done;
    return {
      kind: 'wait',
      isHold: true,
      for: {
        what: 'hold',
        from: 'an operator',
        until: task.waitingFor?.what === 'hold' ? task.waitingFor.until : task.nowMs + HOLD_MS,
        hint: 'A step says that the work is to stop here: "unhold" goes on, "abort" ends it.',
      },
    };
  },
};

/** `wait` {seconds?}: at most `conductor.max_wait_step_seconds`, which is also how long it is when no time is given. */
export const wait: StepHandler = {
  async run(task) {
    const longest = task.config.conductor.max_wait_step_seconds;
    const seconds = Math.min(Number(task.step.args['seconds'] ?? longest), longest);
    const end = task.attempt.startedAt + seconds * 1000;
    if (task.nowMs >= end) return done;
    return {
      kind: 'wait',
      for: { what: 'wait', from: 'a step that waits', until: end + GRACE_MS, hint: `It goes on after ${seconds} s.` },
      checkAfterMs: end - task.nowMs,
    };
  },
};
