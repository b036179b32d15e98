/**
 * Arguments of drivers' steps may be secrets (a BIOS password). A run's segments are shown and stored as they are, so the arguments
 * lie in its input, which is ciphertext at rest, and come back when a step is called.
 */
import { isJsonObject, type JsonObject, type Run, type Segment, type Step } from '@bessemer/core';

const keyOf = (segment: number, step: number): string => `${segment}.${step}`;

/** The segments without the arguments of drivers' steps, and these by their places; null when there are none. */
export function withoutArguments(segments: readonly Segment[]): {
  readonly segments: Segment[];
  readonly stepArguments: JsonObject | null;
} {
  const found: Record<string, JsonObject> = {};
  const bare = segments.map((segment, i) => ({
    ...segment,
    steps: segment.steps.map((step, j) => {
      if (!step.source || Object.keys(step.args).length === 0) return step;
      found[keyOf(i, j)] = step.args;
      return { ...step, args: {} };
    }),
  }));
  return { segments: bare, stepArguments: Object.keys(found).length > 0 ? found : null };
}

/** The step at the run's cursor with its arguments. */
export function withArguments(run: Run, step: Step): Step {
  const { stepArguments } = run.input;
  const args = isJsonObject(stepArguments) ? stepArguments[keyOf(run.cursor.segment, run.cursor.step)] : undefined;
  return isJsonObject(args) ? { ...step, args } : step;
}
