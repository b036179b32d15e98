/** From the arguments of one command to values, and its help: by commander, out of the catalogue. */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { DISPLAY_OPTIONS, GLOBAL_OPTIONS, IGNORED_OPTIONS, KEYSTONE_OPTIONS } from './catalogue/display-options.ts';
import {
  type ArgumentSpec,
  attributeOf,
  type CommandSpec,
  type Io,
  longFlag,
  type OptionSpec,
  type Options,
} from './command.ts';
import { CliError } from './errors.ts';
import { normaliseWait, spellOut, takesValue } from './words.ts';

export interface Parsed {
  /** The words of each argument of the command. */
  readonly values: ReadonlyArray<readonly string[]>;
  readonly options: Options;
}

function integer(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('It must be an integer.');
  return Number(text);
}

/** More choices than these are left to the manual page. */
const MOST_CHOICES = 10;
const helpOf = ({ help, choices, isRequired }: Pick<OptionSpec, 'help' | 'choices' | 'isRequired'>): string =>
  [
    help,
    ...(isRequired ? ['needed'] : []),
    ...(choices && choices.length <= MOST_CHOICES ? [`one of ${choices.join(', ')}`] : []),
  ].join('; ');

function makeOption(spec: OptionSpec): Option {
  const made = new Option(spec.flags, helpOf(spec));
  const check = (value: string): unknown => {
    if (spec.choices && !spec.choices.includes(value))
      throw new InvalidArgumentError(`It is one of: ${spec.choices.join(', ')}.`);
    return spec.isInteger ? integer(value) : value;
  };
  if (takesValue(spec) || spec.flags.includes('['))
    made.argParser((value: string, previous: unknown) => {
      const parsed = check(value);
      return spec.isRepeated ? [...(Array.isArray(previous) ? (previous as unknown[]) : []), parsed] : parsed;
    });
  if (spec.bareValue !== undefined) made.preset(spec.bareValue);
  if (spec.isRequired) made.makeOptionMandatory();
  if (spec.excludes) made.conflicts([...spec.excludes]);
  return made;
}

const isVariadic = (spec: ArgumentSpec) => spec.name.includes('...');
const isNeeded = (spec: ArgumentSpec) => spec.name.startsWith('<');
const bareName = (spec: ArgumentSpec) => spec.name.replace(/[<>[\]]|\.\.\./g, '');

/**
 * Gives each argument its words; one of them at most takes several, and may stand before others.
 * @throws CliError with exit code 2 when words are missing, too many, or not among the choices.
 */
export function assignWords(specs: readonly ArgumentSpec[], words: readonly string[]): string[][] {
  const values: string[][] = [];
  let at = 0;
  specs.forEach((spec, i) => {
    const neededAfter = specs.slice(i + 1).filter(isNeeded).length;
    const left = Math.max(0, words.length - at - neededAfter);
    const taken = words.slice(at, at + (isVariadic(spec) ? left : Math.min(1, left)));
    if (taken.length === 0 && isNeeded(spec))
      throw new CliError(`missing required argument '${bareName(spec)}'`, { exitCode: 2 });
    for (const word of taken)
      if (spec.choices && !spec.choices.includes(word))
        throw new CliError(`argument '${bareName(spec)}' is one of ${spec.choices.join(', ')}, not '${word}'`, {
          exitCode: 2,
        });
    values.push(taken);
    at += taken.length;
  });
  if (at < words.length) throw new CliError(`too many arguments: ${words.slice(at).join(' ')}`, { exitCode: 2 });
  return values;
}

/** The command for commander: its options, and a help that shows its arguments. */
function makeCommand(spec: CommandSpec, io: Pick<Io, 'out' | 'terminalWidth'>): Command {
  const command = new Command(`baremetal ${spec.name}`);
  const specs = spec.arguments ?? [];
  const usage = specs.map((a) => a.name).join(' ');
  command
    .description(spec.summary)
    .exitOverride()
    .usage(`[options]${usage === '' ? '' : ` ${usage}`}`);
  // Commander lets only the last argument take several words, so it gathers all of them and `assignWords` deals them out.
  command.argument('[words...]');
  command.configureHelp({
    visibleArguments: () => specs.map((a) => new Argument(a.name.replace('...', ''), helpOf(a))),
  });
  command.configureOutput({
    writeOut: (text) => io.out(text),
    writeErr: () => {},
    getOutHelpWidth: () => io.terminalWidth() ?? 100,
  });
  for (const made of spec.options ?? []) command.addOption(makeOption(made));
  const groups: Array<readonly [string, readonly OptionSpec[]]> = [
    ...(spec.shows ? [['Output:', DISPLAY_OPTIONS[spec.shows]] as const] : []),
    ['Connection:', GLOBAL_OPTIONS],
  ];
  for (const [heading, options] of groups)
    for (const made of options) command.addOption(makeOption(made).helpGroup(heading));
  for (const made of [...KEYSTONE_OPTIONS, ...IGNORED_OPTIONS]) command.addOption(makeOption(made).hideHelp());
  if (spec.examples) command.addHelpText('after', `\nExamples:\n${spec.examples.map((e) => `  ${e}`).join('\n')}`);
  return command;
}

function checkOneOf(spec: CommandSpec, options: Options): void {
  const names = spec.oneOf;
  if (!names || names.some((name) => options[name] !== undefined)) return;
  const flags = (spec.options ?? []).filter((o) => names.includes(attributeOf(o))).map(longFlag);
  throw new CliError(`one of ${flags.join(', ')} is needed`, { exitCode: 2 });
}

/**
 * Parses the arguments of one command.
 * @returns the exit code instead when help was asked for.
 * @throws CliError with exit code 2 for arguments that it does not take.
 */
export function parseCommand(
  spec: CommandSpec,
  rest: readonly string[],
  io: Pick<Io, 'out' | 'terminalWidth'>,
): Parsed | 0 {
  const command = makeCommand(spec, io);
  try {
    command.parse(normaliseWait(spellOut(spec, rest)), { from: 'user' });
    const options = command.opts<Record<string, unknown>>();
    const values = assignWords(spec.arguments ?? [], command.args);
    checkOneOf(spec, options);
    return { values, options };
  } catch (error) {
    if (error instanceof CommanderError && error.code === 'commander.helpDisplayed') return 0;
    if (!(error instanceof CommanderError || error instanceof CliError)) throw error;
    const message = error.message.replace(/^error: /, '').replace(`baremetal ${spec.name}: `, '');
    throw new CliError(`baremetal ${spec.name}: ${message}`, {
      exitCode: 2,
      hint: `See: baremetal ${spec.name} --help`,
    });
  }
}
