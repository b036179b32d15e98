/** Compiles one task. */
import type { Json, JsonObject } from '@bessemer/executor-protocol';
import type { ModuleLibrary } from '../modules/library.ts';
import { parseFreeForm, parseKeyValues } from './arguments.ts';
import { compileCondition } from './conditions.ts';
import { copyFiles } from './copy.ts';
import { invalid } from './invalid.ts';
import { readBecomeUser, readBoolean, readName, refuseNeverTag } from './keyword-values.ts';
import { REFUSED_MODULES, TASK_KEYWORDS, UNSUPPORTED_TASK_KEYWORDS } from './keywords.ts';
import { type Located, toJson } from './located.ts';
import type { PlayFiles } from './play-files.ts';
import type { ProgramTask } from './program.ts';
import { compileValue, parsePath, wholeVariable, REFERENCE } from './references.ts';

export interface TaskContext {
  readonly file: string;
  readonly play: number;
  readonly playVars: JsonObject;
  readonly files: PlayFiles;
  readonly library: Pick<ModuleLibrary, 'check' | 'has' | 'canonicalName'>;
  /** The play's account, or null for the login's. */
  readonly becomeUser: string | null;
  readonly defaultBecomeUser: string;
}

type MapNode = Extract<Located, { kind: 'map' }>;
const ENGINE_ACTIONS = ['set_fact', 'debug', 'assert', 'fail'] as const;
type EngineAction = (typeof ENGINE_ACTIONS)[number];
const isEngineAction = (name: string): name is EngineAction => (ENGINE_ACTIONS as readonly string[]).includes(name);
const VARIABLE = /^[A-Za-z_]\w*$/;

/** Modules that Ansible's `service` and `package` actions choose from. */
const STANDS_BEHIND: Readonly<Record<string, readonly string[]>> = {
  service: ['service', 'systemd'],
  package: ['apt', 'dnf', 'yum'],
};

/** Names of the modules that may run for a task. */
export function modulesOf(task: ProgramTask, library: Pick<ModuleLibrary, 'has'>): readonly string[] {
  if (task.action !== 'module') return [];
  return STANDS_BEHIND[task.module]?.filter((name) => library.has(name)) ?? [task.module];
}

const EMPTY = {
  vars: {},
  loop: null,
  loopVar: 'item',
  flatten: false,
  register: null,
  ignoreErrors: false,
  noLog: false,
  when: null,
  changedWhen: null,
  failedWhen: null,
  that: null,
  files: null,
  facts: false,
} as const;

export function gatherFactsTask(context: TaskContext): ProgramTask {
  return {
    ...EMPTY,
    play: context.play,
    action: 'module',
    module: 'setup',
    args: {},
    becomeUser: context.becomeUser,
    facts: true,
  };
}

/** Throws PLAY_INVALID or MODULE_NOT_FOUND, naming file and line. */
export function compileTask(
  item: Located,
  context: TaskContext,
): { readonly task: ProgramTask; readonly name: string } {
  const { file } = context;
  if (item.kind !== 'map') throw invalid(file, item.line, 'a task must be a mapping with a module');
  const [written, node] = findModule(item, file);
  const module = moduleName(written, node, context);
  const loop = readLoop(item, file);
  const condition = (keyword: string) => {
    const value = item.entries.get(keyword);
    return value ? compileCondition(value, file) : null;
  };
  const vars = item.entries.get('vars');
  if (vars && vars.kind !== 'map') throw invalid(file, vars.line, "'vars' must be a mapping of names to values");
  const taskVars = (vars ? compileValue(vars, file) : {}) as JsonObject;
  const given = readArguments(item, written, module, node, file);
  const own = isEngineAction(module) ? engineArguments(module, given, node, file) : undefined;
  const args = own?.args ?? (compileValue(given, file) as JsonObject);
  const known = { item: loop.items, loopVar: loop.loopVar, vars: { ...context.playVars, ...taskVars } };
  const title = item.entries.get('name');
  const task: ProgramTask = {
    ...EMPTY,
    play: context.play,
    action: isEngineAction(module) ? module : 'module',
    module,
    args,
    vars: taskVars,
    loop: loop.items,
    loopVar: loop.loopVar,
    flatten: loop.flatten,
    register: readRegister(item, file),
    ignoreErrors: readBoolean(item.entries.get('ignore_errors'), file, 'ignore_errors', false),
    noLog: readBoolean(item.entries.get('no_log'), file, 'no_log', false),
    when: condition('when'),
    changedWhen: condition('changed_when'),
    failedWhen: condition('failed_when'),
    that: own?.that ?? null,
    becomeUser: readBecome(item, context),
    files: module === 'copy' ? copyFiles(args, known, context.files, file, node.line) : null,
  };
  refuseNeverTag(item, file);
  return { task, name: title ? String(toJson(title)) : module };
}

function findModule(item: MapNode, file: string): [string, Located] {
  const found: [string, Located][] = [];
  for (const [key, value] of item.entries) {
    if (UNSUPPORTED_TASK_KEYWORDS.has(key) || (key.startsWith('with_') && key !== 'with_items' && key !== 'with_list'))
      throw invalid(file, value.line, `'${key}' is not supported in a task; supported are ${TASK_KEYWORDS.join(', ')}`);
    if (!(TASK_KEYWORDS as readonly string[]).includes(key)) found.push([key, value]);
  }
  if (found.length === 1) return found[0]!;
  if (found.length === 0) throw invalid(file, item.line, 'the task names no module');
  throw invalid(
    file,
    found[1]![1].line,
    `a task has one module, and this one names ${found.map(([key]) => `'${key}'`).join(' and ')} (keywords are ${TASK_KEYWORDS.join(', ')})`,
  );
}

function moduleName(written: string, node: Located, context: TaskContext): string {
  const short = context.library.canonicalName(written);
  const name = short === 'shell' ? 'command' : short === 'gather_facts' ? 'setup' : short;
  const refused = REFUSED_MODULES[name];
  if (refused !== undefined)
    throw invalid(context.file, node.line, `the module '${written}' is not supported: ${refused}`);
  if (!isEngineAction(name) && name !== 'package')
    try {
      context.library.check(name);
    } catch (error) {
      throw invalid(
        context.file,
        node.line,
        error instanceof Error ? error.message.replace(/\.$/, '') : String(error),
        'MODULE_NOT_FOUND',
      );
    }
  return name;
}

/** Arguments as a mapping, however they were written. */
function readArguments(item: MapNode, written: string, module: string, node: Located, file: string): MapNode {
  const entries = new Map<string, Located>();
  const scalar = (value: string | boolean): Located => ({ kind: 'scalar', line: node.line, value });
  const extra = item.entries.get('args');
  if (extra) {
    if (extra.kind !== 'map') throw invalid(file, extra.line, "'args' must be a mapping");
    for (const [key, value] of extra.entries) entries.set(key, value);
  }
  if (node.kind === 'map') for (const [key, value] of node.entries) entries.set(key, value);
  else if (node.kind === 'list')
    throw invalid(file, node.line, `the arguments of '${written}' must be a mapping or one line of text`);
  else if (typeof node.value === 'string' && module === 'command') {
    const { raw, options } = parseFreeForm(node.value);
    for (const [key, value] of Object.entries(options)) entries.set(key, scalar(value));
    entries.set('_raw_params', scalar(raw));
  } else if (node.value !== null) {
    const values = parseKeyValues(String(node.value));
    if (!values) throw invalid(file, node.line, `the arguments of '${written}' must be key=value pairs or a mapping`);
    for (const [key, value] of Object.entries(values)) entries.set(key, scalar(value));
  }
  if (module === 'command') {
    const command = entries.get('cmd');
    if (command && !entries.has('_raw_params')) {
      entries.delete('cmd');
      entries.set('_raw_params', command);
    }
    if (written.endsWith('shell')) entries.set('_uses_shell', scalar(true));
    if (!entries.has('_raw_params') && !entries.has('argv'))
      throw invalid(file, node.line, `'${written}' has no command`);
  }
  return { kind: 'map', line: node.line, entries };
}

function engineArguments(
  action: EngineAction,
  given: MapNode,
  node: Located,
  file: string,
): { args: JsonObject; that?: Json } {
  const entries = new Map(given.entries);
  if (action === 'assert') {
    const that = entries.get('that');
    if (!that) throw invalid(file, node.line, "'assert' needs 'that'");
    entries.delete('that');
    const conditions = that.kind === 'list' ? that.items : [that];
    return {
      args: compileValue({ ...given, entries }, file) as JsonObject,
      that: conditions.map((each) => [String(toJson(each)), compileCondition(each, file)]),
    };
  }
  const variable = entries.get('var');
  if (action === 'debug' && variable) {
    entries.delete('var');
    const text = String(toJson(variable));
    const path = parsePath(text) ?? wholeVariable(text, file, variable.line);
    if (!path) throw invalid(file, variable.line, `'var' must be the name of a variable`);
    return { args: { var: path } };
  }
  if (action === 'set_fact')
    for (const [name, value] of entries)
      if (!VARIABLE.test(name)) throw invalid(file, value.line, `'${name}' is no name for a variable`);
  return { args: compileValue({ ...given, entries }, file) as JsonObject };
}

function readLoop(item: MapNode, file: string): { items: Json; flatten: boolean; loopVar: string } {
  const given = ['loop', 'with_items', 'with_list'].filter((keyword) => item.entries.has(keyword));
  const control = item.entries.get('loop_control');
  let loopVar = 'item';
  if (control) {
    if (control.kind !== 'map') throw invalid(file, control.line, "'loop_control' must be a mapping");
    for (const [key, value] of control.entries) {
      if (key === 'loop_var') loopVar = readName(value, file, 'loop_var');
      else if (key !== 'label')
        throw invalid(file, value.line, `'${key}' is not supported in loop_control; supported are loop_var and label`);
    }
  }
  if (given.length > 1) throw invalid(file, item.line, `a task has one loop, and this one has ${given.join(' and ')}`);
  if (given.length === 0) return { items: null, flatten: false, loopVar };
  const node = item.entries.get(given[0]!)!;
  const items = compileValue(node, file);
  const isReference = typeof items === 'object' && items !== null && !Array.isArray(items) && REFERENCE in items;
  if (!Array.isArray(items) && !isReference) {
    if (given[0] === 'with_items' && node.kind === 'scalar') return { items: [items], flatten: true, loopVar };
    throw invalid(file, node.line, `'${given[0]}' must be a list, or one variable that is a list`);
  }
  return { items, flatten: given[0] === 'with_items', loopVar };
}

function readRegister(item: MapNode, file: string): string | null {
  const node = item.entries.get('register');
  if (!node) return null;
  const name = readName(node, file, 'register');
  if (!VARIABLE.test(name)) throw invalid(file, node.line, `'${name}' is no name for a variable`);
  return name;
}

function readBecome(item: MapNode, context: TaskContext): string | null {
  const user = readBecomeUser(item, context.file, context.becomeUser ?? context.defaultBecomeUser);
  return readBoolean(item.entries.get('become'), context.file, 'become', context.becomeUser !== null) ? user : null;
}
