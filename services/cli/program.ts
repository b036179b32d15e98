/** From arguments to an exit code: finds the command, parses its options, runs it, writes what it gives. */
import type { Clock } from './clock.ts';
import type { CommandSpec, Invocation, Io, Options } from './command.ts';
import type { Connection } from './connection/connection.ts';
import { CliError, usageError } from './errors.ts';
import type { FormatOptions, Output } from './output/format.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface ProgramDeps {
  readonly argv: readonly string[];
  readonly env: Env;
  readonly io: Io;
  readonly clock: Clock;
  /** A text that nobody else makes, such as a UUID. */
  readonly newKey: () => string;
  readonly version: string;
}

async function apiOf(
  spec: CommandSpec,
  options: Options,
  { env, io, clock, newKey }: ProgramDeps,
): Promise<Invocation['api']> {
  const [{ findConnection }, { createApi }] = await Promise.all([
    import('./connection/connection.ts'),
    import('./connection/http.ts'),
  ]);
  const readFile = (path: string) => (io.isFile(path) ? io.readFile(path) : undefined);
  const timeoutS = options['timeout'] as number | undefined;
  const found: Connection = spec.isLocal
    ? { endpoint: 'http://127.0.0.1', source: '', username: undefined, password: undefined, apiVersion: 'latest' }
    : findConnection(options, env, readFile);
  const connection = found.keystone ? await (await import('./connection/keystone.ts')).logIn(found) : found;
  return createApi({
    connection,
    clock,
    newKey,
    retries: (options['maxRetries'] as number | undefined) ?? 5,
    retryIntervalMs: ((options['retryInterval'] as number | undefined) ?? 2) * 1000,
    ...(timeoutS === undefined || timeoutS <= 0 ? {} : { idleMs: timeoutS * 1000 }),
    ...(options['debug'] === true ? { debug: (line: string) => io.err(`${line}\n`) } : {}),
  });
}

function formatOf(options: Options, { env, io }: ProgramDeps): FormatOptions {
  const list = (name: string) => (Array.isArray(options[name]) ? (options[name] as string[]) : []);
  const maxWidth = (options['maxWidth'] as number | undefined) ?? Number(env['CLIFF_MAX_TERM_WIDTH'] ?? 0);
  const fits = options['fitWidth'] === true || env['CLIFF_FIT_WIDTH'] === '1';
  return {
    format: (options['format'] as FormatOptions['format'] | undefined) ?? 'table',
    columns: list('column'),
    maxWidth: maxWidth > 0 ? maxWidth : fits ? (io.terminalWidth() ?? 0) : 0,
    printEmpty: options['printEmpty'] === true,
    noIndent: options['noindent'] === true,
    quote: (options['quote'] as FormatOptions['quote'] | undefined) ?? 'nonnumeric',
    prefix: (options['prefix'] as string | undefined) ?? '',
    sortColumns: list('sortColumn'),
    isDescending: options['sortDescending'] === true,
  };
}

type NodeOutputs = ReadonlyArray<{ readonly node: string; readonly output: Output }>;

/** Tables of single objects follow one another; all else becomes one list with the node in front. */
async function textOfMany(outputs: NodeOutputs, format: FormatOptions): Promise<string> {
  const [{ formatOutput }, { joined }] = await Promise.all([import('./output/format.ts'), import('./over-nodes.ts')]);
  if (outputs[0]?.output.kind === 'one') {
    if (format.format === 'shell') throw usageError('The format shell takes one node.');
    if (format.format === 'table')
      return outputs.map(({ node, output }) => `${node}:\n${formatOutput(output, format)}`).join('\n');
  }
  const all = joined(outputs);
  const columns = format.columns.length === 0 ? [] : ['Node', ...format.columns];
  return all ? formatOutput(all, { ...format, columns }) : '';
}

async function runCommand(spec: CommandSpec, rest: readonly string[], deps: ProgramDeps): Promise<number> {
  const { io, clock } = deps;
  const [{ parseCommand }, { turnsOf, runOverNodes }] = await Promise.all([
    import('./parser.ts'),
    import('./over-nodes.ts'),
  ]);
  const parsed = parseCommand(spec, rest, io);
  if (parsed === 0) return 0;
  const turns = turnsOf(spec, parsed);
  const [run, api] = await Promise.all([spec.load(), apiOf(spec, parsed.options, deps)]);
  const [first] = turns;
  const { args, options } = first!;
  const invocation: Invocation = { spec, args, options, api, io, clock };
  const format = formatOf(parsed.options, deps);
  if (turns.length > 1) {
    const { outputs, code } = await runOverNodes(run, invocation, turns);
    if (outputs.length > 0) io.out(await textOfMany(outputs, format));
    return code;
  }
  const result = await run(invocation);
  if (result === undefined || typeof result === 'number') return result ?? 0;
  const { formatOutput } = await import('./output/format.ts');
  io.out(formatOutput(result, format));
  return 0;
}

async function overview(): Promise<string> {
  const [{ allCommands }, { GLOBAL_OPTIONS }] = await Promise.all([
    import('./catalogue/index.ts'),
    import('./catalogue/display-options.ts'),
  ]);
  const commands = await allCommands();
  const width = Math.max(...commands.map((c) => c.name.length));
  const globals = GLOBAL_OPTIONS.map((o) => `  ${o.flags.padEnd(38)} ${o.help}`);
  return [
    'Usage: baremetal [connection] COMMAND [arguments] [options]',
    '',
    'Registers, powers, deploys and configures physical servers.',
    '',
    'Commands (each has --help with examples):',
    ...commands.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}`),
    '',
    'Connection (before or after the command):',
    ...globals,
    '',
    'Without them, OS_* variables, clouds.yaml and the profile that `bessemer up` writes tell where the service is.',
    'Wherever a node is named, a range may stand: rack1-[01-40],-rack1-07.',
    '',
  ].join('\n');
}

/** Commands that begin alike, or that share a word, for a name that is none. */
async function similar(words: readonly string[]): Promise<readonly CommandSpec[]> {
  const { allCommands } = await import('./catalogue/index.ts');
  const commands = await allCommands();
  const named = words.filter((w) => !w.startsWith('-'));
  for (let length = named.length; length > 0; length--) {
    const start = named.slice(0, length).join(' ');
    const found = commands.filter((c) => c.name.startsWith(start));
    if (found.length > 0) return found;
  }
  return commands.filter((c) => named.some((w) => c.name.split(' ').includes(w)));
}

const HELP = ['--help', '-h'];

/** What is answered to words that are no command. */
async function withoutCommand(words: readonly string[], rest: readonly string[], io: Io): Promise<number> {
  const named = words.filter((w) => !w.startsWith('-'));
  const asksHelp = HELP.some((h) => words.includes(h) || rest.includes(h));
  if (named.length === 0) {
    io.out(await overview());
    return asksHelp ? 0 : 2;
  }
  const found = await similar(words);
  if (asksHelp) {
    io.out(found.map((c) => `${c.name}  ${c.summary}\n`).join(''));
    return found.length > 0 ? 0 : 2;
  }
  const list = found.length === 0 ? '' : ` Is one of these meant?\n${found.map((c) => `  ${c.name}`).join('\n')}`;
  throw usageError(`'${named.join(' ')}' is not a command of baremetal. See 'baremetal --help'.${list}`);
}

/** Runs `baremetal ARGV`. @returns the exit code: 0 done, 1 failed, 2 called wrongly. */
export async function runProgram(deps: ProgramDeps): Promise<number> {
  const { io } = deps;
  try {
    if (deps.argv[0] === '--version') {
      io.out(`baremetal ${deps.version}\n`);
      return 0;
    }
    const { splitArguments } = await import('./words.ts');
    const argv = deps.argv[0] === 'help' ? [...deps.argv.slice(1), '--help'] : deps.argv;
    const { command, words, rest } = await splitArguments(argv);
    if (command) return await runCommand(command, rest, deps);
    if (!rest.includes('--version')) return await withoutCommand(words, rest, io);
    io.out(`baremetal ${deps.version}\n`);
    return 0;
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
