/** A compiled play: what is sent to the target's runtime (runtime/bsm_play.py reads exactly this). */
import type { Json, JsonObject, TaskSummary } from '@bessemer/executor-protocol';

export interface ProgramTask {
  readonly play: number;
  /** `module`, or one that the engine does itself. */
  readonly action: 'module' | 'set_fact' | 'debug' | 'assert' | 'fail';
  readonly module: string;
  readonly args: Json;
  readonly vars: JsonObject;
  readonly loop: Json;
  readonly loopVar: string;
  /** `with_items` takes one level of lists apart. */
  readonly flatten: boolean;
  readonly register: string | null;
  readonly ignoreErrors: boolean;
  readonly noLog: boolean;
  readonly when: Json;
  readonly changedWhen: Json;
  readonly failedWhen: Json;
  /** [text, condition] of `assert`. */
  readonly that: Json;
  readonly becomeUser: string | null;
  /** For `copy`: where the payload holds each file, [offset, length]; null when it copies on the target. */
  readonly files: { readonly [path: string]: readonly [number, number] } | null;
  /** The implicit gathering of facts: run again when a play is resumed. */
  readonly facts: boolean;
}

export interface CompiledPlay {
  readonly tasks: readonly ProgramTask[];
  readonly summaries: readonly TaskSummary[];
  readonly plays: ReadonlyArray<{ readonly vars: JsonObject }>;
  /** Modules that the runtime must have. */
  readonly modules: ReadonlySet<string>;
  /** The files of `copy`, one after the other. */
  readonly payload: Uint8Array;
}
