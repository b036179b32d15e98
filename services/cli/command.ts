/** What a command is: data for the parser, the help, the completion and the man page, and a function that is loaded only when it runs. */
import type { Clock } from './clock.ts';
import type { Columns } from './commands/fields.ts';
import type { Api } from './connection/http.ts';
import type { Output } from './output/format.ts';
import type { Goal } from './watch/wait.ts';

/**
 * How the value of an option becomes that of a field:
 * - `text`: as it is given; in `set`, JSON when it reads as JSON
 * - `verbatim`: as it is given, also in `set`
 * - `pairs`: `key=value`, each entry of an object
 * - `keys`: entries of an object, to be removed
 * - `words`: a list
 * - `json`: JSON or YAML from the argument, a file or standard input
 * - `boolean`: a word such as `true` or `no`
 * - `on`, `off`: a flag that says it
 * - `reset`: a flag that takes the value away; in `create`, it makes none
 */
export type FieldKind = 'text' | 'verbatim' | 'pairs' | 'keys' | 'words' | 'json' | 'boolean' | 'on' | 'off' | 'reset';

export interface OptionSpec {
  /** As commander reads them: `--name <name>`, `--fields <field...>`, `--long`. */
  readonly flags: string;
  readonly help: string;
  /** May be given more than once. */
  readonly isRepeated?: true;
  readonly isInteger?: true;
  readonly isRequired?: true;
  readonly choices?: readonly string[];
  /** What `--name` without its optional value means. */
  readonly bareValue?: string;
  /** Attribute names of options that may not stand beside it. */
  readonly excludes?: readonly string[];
  /** The field of the request that it fills. */
  readonly field?: string;
  readonly as?: FieldKind;
  /**
   * It names nodes, so ranges are read. `one`: it must be exactly one node; `each`: the command is run for each; `all`: the field
   * gets all names.
   */
  readonly isNode?: 'one' | 'each' | 'all';
  /** It makes no sense for several nodes at once, such as a name. */
  readonly isForOneNode?: true;
}

export interface ArgumentSpec {
  /** `<node>`, `<node...>`, `[node]` or `[trait...]`. */
  readonly name: string;
  readonly help: string;
  readonly choices?: readonly string[];
  /** The field of the request that it fills. */
  readonly field?: string;
  /** It names nodes, so ranges are read. `one`: it must be exactly one node; `each`: the command is run for each. */
  readonly isNode?: 'one' | 'each';
}

export type Options = Readonly<Record<string, unknown>>;

export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** Text of a file; throws a CliError that names it. */
  readFile(path: string): string;
  /** Names in a folder; undefined when it is none. */
  listFolder(path: string): readonly string[] | undefined;
  isFile(path: string): boolean;
  readInput(): Promise<string>;
  writeFile(path: string, content: string): void;
  /** Columns of the terminal on standard output; undefined: it is no terminal. */
  terminalWidth(): number | undefined;
  readonly hasColour: boolean;
  /** Aborts when the operator interrupts. */
  readonly signal: AbortSignal;
  /** The standard output of a program, for what no library here does. */
  runProgram(
    argv: readonly string[],
  ): { readonly code: number; readonly out: Buffer; readonly err: string } | undefined;
}

/** A node that was to be waited for. */
export interface Departure {
  readonly node: string;
  readonly goal: Goal;
  /** The request that sets it going. */
  readonly start: () => Promise<unknown>;
}

export interface Invocation {
  readonly spec: CommandSpec;
  /** In the order of the command's arguments; the name of a node stands for itself, never for a range. */
  readonly args: readonly string[];
  readonly options: Options;
  readonly api: Api;
  readonly io: Io;
  readonly clock: Clock;
  /** Set when the command runs for several nodes and waits: who calls starts them and waits for all together. */
  readonly depart?: (departure: Departure) => void;
}

/** An output to be formatted, an exit code, or nothing: 0. */
export type CommandResult = Output | number | undefined;
export type Run = (invocation: Invocation) => Promise<CommandResult>;

/** A collection of the API, for the commands that all collections have. */
export interface ResourceSpec {
  /** `/v1/ports`. */
  readonly path: string;
  /** The list's key in an answer. */
  readonly key: string;
  /** What one is called in messages. */
  readonly noun: string;
  readonly columns: Columns;
  /** Fields of one that are only for machines, beside `links`. */
  readonly hidden?: readonly string[];
  /** How details are asked for: `/detail` behind the path, `?detail=True`, or not at all, since they always come. */
  readonly detail: 'path' | 'query' | 'none';
  /** Objects that a list shows as `a='1', b='2'`. */
  readonly pairsAsText?: readonly string[];
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  /** Attribute names of options of which one must be given. */
  readonly oneOf?: readonly string[];
  readonly examples?: readonly string[];
  /** Which display options it has. */
  readonly shows?: 'list' | 'one';
  readonly resource?: ResourceSpec;
  /** It asks no service. */
  readonly isLocal?: true;
  readonly load: () => Promise<Run>;
}

/** A string option, undefined when it was not given. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

export function listOption(options: Options, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? (value as string[]) : [];
}

export const isOn = (options: Options, name: string): boolean => options[name] === true;

/** The name under which an option's value is found: `--no-automated-clean` is `automatedClean`. */
export function attributeOf(option: OptionSpec): string {
  const long = longFlag(option).slice(2).replace(/^no-/, '');
  return long.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** `--name` of `-n, --name <name>`. */
export const longFlag = (option: OptionSpec): string => /--[a-z0-9-]+/.exec(option.flags)![0];
