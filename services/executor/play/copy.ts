/** Which files a `copy` task needs: found when the play is compiled, since they lie on the controller. */
import type { Json, JsonObject } from '@bessemer/executor-protocol';
import { invalid } from './invalid.ts';
import type { PlayFiles } from './play-files.ts';
import type { ProgramTask } from './program.ts';
import { REFERENCE } from './references.ts';

/** What is known before the play runs. */
export interface KnownValues {
  /** The compiled loop, or null. */
  readonly item: Json;
  readonly loopVar: string;
  readonly vars: JsonObject;
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value a path leads to, when all on the way is written in the play; undefined otherwise. */
function follow(start: Json | undefined, path: readonly Json[], known: KnownValues, depth: number): Json | undefined {
  let value = expand(start, known, depth);
  for (const part of path) {
    if (Array.isArray(value)) value = value[Number(part)];
    else if (isObject(value)) value = value[String(part)];
    else return undefined;
    value = expand(value, known, depth);
  }
  return value;
}

function expand(value: Json | undefined, known: KnownValues, depth: number): Json | undefined {
  if (!isObject(value) || !(REFERENCE in value)) return value;
  if (depth > 20) return undefined;
  const [head, ...rest] = value[REFERENCE] as readonly Json[];
  return follow(known.vars[String(head)], rest, known, depth + 1);
}

/** Every text that `src` may stand for, or undefined when that shows only on the target. */
function possiblePaths(src: Json, known: KnownValues): readonly string[] | undefined {
  if (typeof src === 'string') return [src];
  if (!isObject(src) || !(REFERENCE in src)) return undefined;
  const [head, ...rest] = src[REFERENCE] as readonly Json[];
  let values: (Json | undefined)[];
  if (head === known.loopVar && known.item !== null) {
    const items = expand(known.item, known, 0);
    if (!Array.isArray(items)) return undefined;
    values = items.flat().map((item) => follow(item, rest, known, 0));
  } else values = [expand(src, known, 0)];
  return values.every((value) => typeof value === 'string') ? (values as string[]) : undefined;
}

/** Throws PLAY_INVALID when a file is missing or cannot be known. Null when the task copies on the target. */
export function copyFiles(
  args: JsonObject,
  known: KnownValues,
  files: PlayFiles,
  file: string,
  line: number,
): ProgramTask['files'] {
  if (/^(true|yes|on|1)$/i.test(String(args.remote_src ?? 'no'))) return null;
  if (args.mode === 'preserve') throw invalid(file, line, "copy: mode 'preserve' is not supported; write the mode");
  if (args.content !== undefined) {
    if (args.src !== undefined) throw invalid(file, line, "copy: 'src' and 'content' exclude each other");
    if (typeof args.dest === 'string' && args.dest.endsWith('/'))
      throw invalid(file, line, "copy: with 'content', 'dest' must be a file, not a folder");
    return {};
  }
  if (args.src === undefined) throw invalid(file, line, "copy: 'src' or 'content' is needed");
  const paths = possiblePaths(args.src, known);
  if (!paths)
    throw invalid(
      file,
      line,
      "copy: 'src' must be known before the play runs: a path, a variable of the play, or an item of a list written in the play",
    );
  const places: Record<string, readonly [number, number]> = {};
  for (const path of paths) {
    const place = files.place(path);
    if (typeof place === 'string') throw invalid(file, line, `copy: ${place}`);
    places[path] = place;
  }
  return places;
}
