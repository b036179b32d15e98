/** From arguments to an exit code: finds the command, parses its options, runs it, writes what it gives. */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { COMMANDS } from './catalogue.ts';
import type { Clock } from './clock.ts';
import type { ArgumentSpec, CommandSpec, Io, OptionSpec, Options } from './command.ts';
import { type ConnectionOptions, findConnection } from './connection/connection.ts';
import { CliError, usageError } from './errors.ts';

const option = (flags: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec => ({ flags, help, ...more });

/** Stand before or after the command. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  option('--os-endpoint <url>', 'Where the service is (OS_ENDPOINT)'),
  option('--os-auth-type <type>', 'none or http_basic (OS_AUTH_TYPE)'),
  option('--os-username <name>', 'User (OS_USERNAME)'),
  option('--os-password <password>', 'Password (OS_PASSWORD)'),
  option('--os-cloud <name>', 'Cloud of clouds.yaml (OS_CLOUD)'),
  option('--os-baremetal-api-version <version>', '1.N or latest (OS_BAREMETAL_API_VERSION)'),
  option('--max-retries <number>', 'Retries when a node is locked or the service is busy', { isInteger: true }),
  option('--retry-interval <seconds>', 'Seconds between two of them', { isInteger: true }),
  option('--debug', 'Show requests and answers, without secrets'),
];

const COMMON_DISPLAY: readonly OptionSpec[] = [
  option('-c, --column <column>', 'Show only this column (repeat for more)', { isRepeated: true }),
  option('--max-width <columns>', 'Widest table; 0: no limit', { isInteger: true }),
  option('--fit-width', 'Fit the table to the terminal'),
  option('--print-empty', 'Print a table without rows, too'),
  option('--noindent', 'JSON on one line'),
];
export const DISPLAY_OPTIONS: Readonly<Record<'list' | 'one', readonly OptionSpec[]>> = {
  list: [
    option('-f, --format <format>', 'Format, table if missing', { choices: ['csv', 'json', 'table', 'value', 'yaml'] }),
    ...COMMON_DISPLAY,
    option('--quote <mode>', 'What CSV quotes, nonnumeric if missing', {
      choices: ['all', 'minimal', 'none', 'nonnumeric'],
    }),
    option('--sort-column <column>', 'Sort by this column (repeat for more)', { isRepeated: true }),
    option('--sort-ascending', 'In ascending order', { excludes: ['sortDescending'] }),
    option('--sort-descending', 'In descending order'),
  ],
  one: [
    option('-f, --format <format>', 'Format, table if missing', {
      choices: ['json', 'shell', 'table', 'value', 'yaml'],
    }),
    ...COMMON_DISPLAY,
    option('--prefix <prefix>', 'Before each variable of the format shell'),
  ],
};

type Env = Readonly<Record<string, string | undefined>>;

export interface ProgramDeps {
  readonly argv: readonly string[];
  readonly env: Env;
  readonly io: Io;
  readonly clock: Clock;
  readonly version: string;
}

const takesValue = (spec: OptionSpec) => /[<]/.test(spec.flags);
const longFlag = (spec: OptionSpec) => /--[a-z0-9-]+/.exec(spec.flags)![0];
const GLOBAL_VALUES = new Set(GLOBAL_OPTIONS.filter(takesValue).map(longFlag));

/** The words of the command and all other arguments, in their order. */
export function splitArguments(argv: readonly string[]): {
  command: CommandSpec | undefined;
  words: string[];
  rest: string[];
} {
  const before: string[] = [];
  let at = 0;
  while (at < argv.length && argv[at]!.startsWith('-')) {
    before.push(argv[at]!);
    if (GLOBAL_VALUES.has(argv[at]!) && at + 1 < argv.length) before.push(argv[++at]!);
    at += 1;
  }
  const words = argv.slice(at);
  for (let length = Math.min(4, words.length); length > 0; length--) {
    const name = words.slice(0, length).join(' ');
    const command = COMMANDS.find((c) => c.name === name);
    if (command) return { command, words: words.slice(0, length), rest: [...before, ...words.slice(length)] };
  }
  return { command: undefined, words, rest: before };
}

/** `--wait` takes a following number only: a following name is the node. */
export function normaliseWait(args: readonly string[]): string[] {
  const result: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--') return [...result, ...args.slice(i)];
    if (arg !== '--wait') {
      result.push(arg);
      continue;
    }
    const next = args[i + 1];
    const isNumber = next !== undefined && /^\d+$/.test(next);
    result.push(`--wait=${isNumber ? next : '0'}`);
    if (isNumber) i += 1;
  }
  return result;
}

function integer(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('It must be an integer.');
  return Number(text);
}

function makeOption(spec: OptionSpec): Option {
  const made = new Option(spec.flags, spec.help);
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
  if (spec.isRequired) made.makeOptionMandatory();
  if (spec.excludes) made.conflicts([...spec.excludes]);
  return made;
}

function makeArgument(spec: ArgumentSpec): Argument {
  const made = new Argument(spec.name, spec.help);
  return spec.choices ? made.choices([...spec.choices]) : made;
}

interface Parsed {
  readonly args: readonly string[];
  readonly options: Options;
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
  const command = new Command(`baremetal ${spec.name}`);
  command.description(spec.summary).exitOverride().allowExcessArguments(false);
  command.configureOutput({
    writeOut: (text) => io.out(text),
    writeErr: () => {},
    getOutHelpWidth: () => io.terminalWidth() ?? 100,
  });
  for (const argument of spec.arguments ?? []) command.addArgument(makeArgument(argument));
  for (const made of spec.options ?? []) command.addOption(makeOption(made));
  const groups: Array<readonly [string, readonly OptionSpec[]]> = [
    ...(spec.shows ? [['Output:', DISPLAY_OPTIONS[spec.shows]] as const] : []),
    ['Connection:', GLOBAL_OPTIONS],
  ];
  for (const [heading, options] of groups)
    for (const made of options) command.addOption(makeOption(made).helpGroup(heading));
  if (spec.examples) command.addHelpText('after', `\nExamples:\n${spec.examples.map((e) => `  ${e}`).join('\n')}`);
  try {
    command.parse(normaliseWait(rest), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed') return 0;
    throw new CliError(`baremetal ${spec.name}: ${error.message.replace(/^error: /, '')}`, {
      exitCode: 2,
      hint: `See: baremetal ${spec.name} --help`,
    });
  }
  return { args: command.args, options: command.opts() };
}

function overview(): string {
  const width = Math.max(...COMMANDS.map((c) => c.name.length));
  const globals = GLOBAL_OPTIONS.map((o) => `  ${o.flags.padEnd(38)} ${o.help}`);
  return [
    'Usage: baremetal [connection] COMMAND [arguments] [options]',
    '',
    'Registers, powers, deploys and configures physical servers.',
    '',
    'Commands (each has --help with examples):',
    ...COMMANDS.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}`),
    '',
    'Connection (before or after the command):',
    ...globals,
    '',
    'Without them, OS_* variables, clouds.yaml and the profile that `bessemer up` writes tell where the service is.',
    '',
  ].join('\n');
}

/** Commands that begin alike, or that share a word, for a name that is none. */
function similar(words: readonly string[]): string[] {
  const named = words.filter((w) => !w.startsWith('-'));
  for (let length = named.length; length > 0; length--) {
    const start = named.slice(0, length).join(' ');
    const found = COMMANDS.filter((c) => c.name.startsWith(start)).map((c) => c.name);
    if (found.length > 0) return found;
  }
  return COMMANDS.filter((c) => named.some((w) => c.name.split(' ').includes(w))).map((c) => c.name);
}

async function runCommand(spec: CommandSpec, parsed: Parsed, deps: ProgramDeps): Promise<number> {
  const { options } = parsed;
  const { io, env, clock } = deps;
  const text = (name: string) => (typeof options[name] === 'string' ? { [name]: options[name] } : {});
  const connectionOptions: ConnectionOptions = Object.assign(
    {},
    ...['osEndpoint', 'osAuthType', 'osUsername', 'osPassword', 'osCloud', 'osBaremetalApiVersion'].map(text),
  );
  const run = await spec.load();
  const needsApi = spec.name !== 'completion';
  const readFile = (path: string) => (io.isFile(path) ? io.readFile(path) : undefined);
  const { createApi } = await import('./connection/http.ts');
  const api = createApi({
    connection: needsApi
      ? findConnection(connectionOptions, env, readFile)
      : { endpoint: 'http://127.0.0.1', source: '', username: undefined, password: undefined, apiVersion: 'latest' },
    clock,
    retries: (options['maxRetries'] as number | undefined) ?? 5,
    retryIntervalMs: ((options['retryInterval'] as number | undefined) ?? 2) * 1000,
    ...(options['debug'] === true ? { debug: (line: string) => io.err(`${line}\n`) } : {}),
  });
  const result = await run({ args: parsed.args.flat(), options, api, io, clock });
  if (result === undefined || typeof result === 'number') return result ?? 0;
  const { formatOutput } = await import('./output/format.ts');
  const list = (name: string) => (Array.isArray(options[name]) ? (options[name] as string[]) : []);
  const maxWidth = (options['maxWidth'] as number | undefined) ?? Number(env['CLIFF_MAX_TERM_WIDTH'] ?? 0);
  const fits = options['fitWidth'] === true || env['CLIFF_FIT_WIDTH'] === '1';
  io.out(
    formatOutput(result, {
      format: (options['format'] as never) ?? 'table',
      columns: list('column'),
      maxWidth: maxWidth > 0 ? maxWidth : fits ? (io.terminalWidth() ?? 0) : 0,
      printEmpty: options['printEmpty'] === true,
      noIndent: options['noindent'] === true,
      quote: (options['quote'] as never) ?? 'nonnumeric',
      prefix: (options['prefix'] as string | undefined) ?? '',
      sortColumns: list('sortColumn'),
      isDescending: options['sortDescending'] === true,
    }),
  );
  return 0;
}

/** Runs `baremetal ARGV`. @returns the exit code: 0 done, 1 failed, 2 called wrongly. */
export async function runProgram(deps: ProgramDeps): Promise<number> {
  const { io } = deps;
  try {
    const argv = deps.argv[0] === 'help' ? [...deps.argv.slice(1), '--help'] : deps.argv;
    const { command, words, rest } = splitArguments(argv);
    if (!command) {
      if (rest.includes('--version')) {
        io.out(`baremetal ${deps.version}\n`);
        return 0;
      }
      const named = words.filter((w) => !w.startsWith('-'));
      if (named.length === 0) {
        io.out(overview());
        return rest.includes('--help') || rest.includes('-h') || words.includes('--help') || words.includes('-h')
          ? 0
          : 2;
      }
      const found = similar(words);
      if (words.includes('--help') || words.includes('-h')) {
        io.out(found.map((name) => `${name}  ${COMMANDS.find((c) => c.name === name)!.summary}\n`).join(''));
        return found.length > 0 ? 0 : 2;
      }
      const list = found.length === 0 ? '' : ` Is one of these meant?\n${found.map((name) => `  ${name}`).join('\n')}`;
      throw usageError(`'${named.join(' ')}' is not a command of baremetal. See 'baremetal --help'.${list}`);
    }
    const parsed = parseCommand(command, rest, io);
    return parsed === 0 ? 0 : await runCommand(command, parsed, deps);
  } catch (error) {
    if (!(error instanceof CliError)) {
      io.err(`${(error as Error).message ?? String(error)}\n`);
      return 1;
    }
    io.err(`${error.message}\n`);
    if (error.hint) io.err(`${error.hint}\n`);
    return error.exitCode;
  }
}
