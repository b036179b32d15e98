/** What a command is: data for the parser and the help, and a function that is loaded only when it runs. */
import type { Clock } from './clock.ts';
import type { Api } from './connection/http.ts';
import type { Output } from './output/format.ts';

export interface OptionSpec {
  /** As commander reads them: `--name <name>`, `--fields <field...>`, `--long`. */
  readonly flags: string;
  readonly help: string;
  /** May be given more than once. */
  readonly isRepeated?: true;
  readonly isInteger?: true;
  readonly isRequired?: true;
  readonly choices?: readonly string[];
  /** Attribute names of options that may not stand beside it. */
  readonly excludes?: readonly string[];
}

export interface ArgumentSpec {
  /** `<node>` or `<node...>`. */
  readonly name: string;
  readonly help: string;
  readonly choices?: readonly string[];
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

export interface Invocation {
  readonly args: readonly string[];
  readonly options: Options;
  readonly api: Api;
  readonly io: Io;
  readonly clock: Clock;
}

/** An output to be formatted, an exit code, or nothing: 0. */
export type CommandResult = Output | number | undefined;
export type Run = (invocation: Invocation) => Promise<CommandResult>;

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  readonly examples?: readonly string[];
  /** Which display options it has. */
  readonly shows?: 'list' | 'one';
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
