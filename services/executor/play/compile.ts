/** Compiles a playbook: YAML in, a program for the runtime out. Everything unsupported is refused here, with its line. */
import type { Json, JsonObject, Play, TaskSummary } from '@bessemer/executor-protocol';
import type { ModuleLibrary } from '../modules/library.ts';
import { invalid } from './invalid.ts';
import { PLAY_KEYWORDS } from './keywords.ts';
import { type Located, parseLocated } from './located.ts';
import { createPlayFiles } from './play-files.ts';
import type { CompiledPlay, ProgramTask } from './program.ts';
import { compileValue } from './references.ts';
import { readBecomeUser, readBoolean, refuseNeverTag } from './keyword-values.ts';
import { compileTask, gatherFactsTask, modulesOf, type TaskContext } from './task.ts';

const MAX_TASKS = 5000;

export interface CompileOptions {
  readonly library: Pick<ModuleLibrary, 'check' | 'has' | 'canonicalName'>;
  /** The account of `become: true` without `become_user`. Default root. */
  readonly becomeUser?: string;
  /** Become without the play saying so. */
  readonly becomeAlways?: boolean;
}

/** Throws PLAY_INVALID or MODULE_NOT_FOUND, naming file and line. */
export function compilePlay(play: Play, options: CompileOptions): CompiledPlay {
  const file = play.file ?? 'playbook.yml';
  const files = createPlayFiles(play);
  const tasks: ProgramTask[] = [];
  const summaries: TaskSummary[] = [];
  const plays: { vars: JsonObject }[] = [];
  const modules = new Set<string>();

  const add = (task: ProgramTask, name: string, line: number) => {
    if (tasks.length >= MAX_TASKS) throw invalid(file, line, `the playbook has more than ${MAX_TASKS} tasks`);
    for (const module of modulesOf(task, options.library)) modules.add(module);
    summaries.push({ index: tasks.length, name, module: task.module, line });
    tasks.push(task);
  };
  const addTasks = (list: Located, context: TaskContext) => {
    if (list.kind !== 'list') throw invalid(file, list.line, "'tasks' must be a list");
    for (const item of list.items) {
      const { task, name } = compileTask(item, context);
      add(task, name, item.line);
    }
  };

  const top = parseLocated(play.text, file);
  if (top.kind !== 'list') throw invalid(file, top.line, 'a playbook is a list of plays, or a list of tasks');
  const base = { file, files, library: options.library, defaultBecomeUser: options.becomeUser ?? 'root' };
  const isPlay = (item: Located) => item.kind === 'map' && (item.entries.has('hosts') || item.entries.has('tasks'));
  if (top.items.length > 0 && !top.items.some(isPlay)) {
    plays.push({ vars: {} });
    addTasks(top, { ...base, play: 0, becomeUser: options.becomeAlways ? base.defaultBecomeUser : null, playVars: {} });
  } else
    for (const item of top.items) {
      const header = readPlay(item, file, base.defaultBecomeUser, options.becomeAlways ?? false);
      const context = {
        ...base,
        play: plays.length,
        becomeUser: header.becomes ? header.becomeUser : null,
        defaultBecomeUser: header.becomeUser,
        playVars: header.vars,
      };
      plays.push({ vars: header.vars });
      if (header.gatherFacts) add(gatherFactsTask(context), 'Gathering Facts', item.line);
      if (header.tasks) addTasks(header.tasks, context);
    }
  if (tasks.length === 0) throw invalid(file, top.line, 'the playbook has no tasks');
  return { tasks, summaries, plays, modules, payload: files.payload() };
}

interface PlayHeader {
  readonly vars: JsonObject;
  readonly gatherFacts: boolean;
  readonly becomes: boolean;
  readonly becomeUser: string;
  readonly tasks: Located | undefined;
}

function readPlay(item: Located, file: string, defaultUser: string, always: boolean): PlayHeader {
  if (item.kind !== 'map') throw invalid(file, item.line, 'a play must be a mapping with hosts and tasks');
  for (const [keyword, value] of item.entries)
    if (!(PLAY_KEYWORDS as readonly string[]).includes(keyword))
      throw invalid(
        file,
        value.line,
        `'${keyword}' is not supported in a play; supported are ${PLAY_KEYWORDS.join(', ')}`,
      );
  const vars = item.entries.get('vars');
  if (vars && vars.kind !== 'map') throw invalid(file, vars.line, "'vars' must be a mapping of names to values");
  refuseNeverTag(item, file);
  return {
    vars: (vars ? compileValue(vars, file) : {}) as Record<string, Json>,
    gatherFacts: readBoolean(item.entries.get('gather_facts'), file, 'gather_facts', true),
    becomes: readBoolean(item.entries.get('become'), file, 'become', always),
    becomeUser: readBecomeUser(item, file, defaultUser),
    tasks: item.entries.get('tasks'),
  };
}
