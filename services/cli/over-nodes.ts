/** One command over many nodes: reads ranges, runs the command for each node, and joins what they give. */
import { expand } from '@bessemer/node-range';
import {
  attributeOf,
  type CommandSpec,
  type Departure,
  type Invocation,
  longFlag,
  type Options,
  type Run,
} from './command.ts';
import { CliError, usageError } from './errors.ts';
import { inParallel } from './in-parallel.ts';
import type { Output } from './output/format.ts';
import type { Value } from './output/python.ts';
import type { Parsed } from './parser.ts';

/**
 * The names that a word stands for.
 * @throws CliError with exit code 2 that shows where a range is wrong.
 */
export function namesOf(word: string): readonly string[] {
  // Only ranges have these; any other word is a name, whatever is in it.
  if (!/[[\],]/.test(word)) return [word];
  const result = expand(word);
  if (result.ok) return result.names;
  const { message, at } = result.error;
  const [from, to] = [Math.max(0, at - 60), at + 20];
  const shown = word.slice(from, to).replace(/\p{Cc}/gu, ' ');
  throw usageError(`The range of nodes is wrong: ${message}.\n  ${shown}\n  ${' '.repeat(at - from)}^`);
}

const namesOfAll = (words: readonly string[]): readonly string[] => [...new Set(words.flatMap(namesOf))];

function exactlyOne(words: readonly string[], what: string): readonly string[] {
  const names = namesOfAll(words);
  if (names.length > 1) throw usageError(`${what} takes one node, and this names ${names.length}.`);
  return names;
}

/** One run of the command: for which node, with which arguments and options. */
interface Turn {
  /** Undefined: the command names no node that it could be run over. */
  readonly node: string | undefined;
  readonly args: readonly string[];
  readonly options: Options;
}

/** The runs that a command line asks for: one, unless a range or several words name several nodes. */
export function turnsOf(spec: CommandSpec, { values, options }: Parsed): Turn[] {
  const own: Record<string, unknown> = { ...options };
  let over: { readonly names: readonly string[]; readonly turn: (name: string) => Turn } | undefined;
  const words = values.map((value, i) => {
    const argument = (spec.arguments ?? [])[i];
    if (!argument?.isNode || value.length === 0) return value;
    if (argument.isNode === 'one') return exactlyOne(value, `baremetal ${spec.name}`);
    const names = namesOfAll(value);
    const turn = (name: string): Turn => ({
      node: name,
      args: values.flatMap((v, k) => (k === i ? [name] : v)),
      options: own,
    });
    over = { names, turn };
    return names;
  });
  for (const option of spec.options ?? []) {
    const attribute = attributeOf(option);
    const value = own[attribute] as string | readonly string[] | undefined;
    if (!option.isNode || value === undefined) continue;
    const given = typeof value === 'string' ? [value] : value;
    if (option.isNode === 'all') own[attribute] = namesOfAll(given);
    else if (option.isNode === 'one') own[attribute] = exactlyOne(given, longFlag(option))[0];
    else {
      const names = namesOfAll(given);
      own[attribute] = names[0];
      if (names.length > 1)
        over = { names, turn: (name) => ({ node: name, args: [], options: { ...own, [attribute]: name } }) };
    }
  }
  if (!over) return [{ node: undefined, args: words.flat(), options: own }];
  const { names, turn } = over;
  if (names.length > 1)
    for (const option of spec.options ?? [])
      if (option.isForOneNode && own[attributeOf(option)] !== undefined)
        throw usageError(`${longFlag(option)} cannot be used with more than one node, and this names ${names.length}.`);
  return names.map(turn);
}

/** What the runs gave: outputs with their nodes, and the exit code of all. */
export interface Gathered {
  readonly outputs: ReadonlyArray<{ readonly node: string; readonly output: Output }>;
  readonly code: number;
}

/**
 * Runs the command for each node, a few at once. What one writes is kept together and comes in the order of the nodes; a
 * failure is told with its node and does not stop the others.
 */
export async function runOverNodes(run: Run, base: Invocation, turns: readonly Turn[]): Promise<Gathered> {
  const { io } = base;
  let input: Promise<string> | undefined;
  const departures: Departure[] = [];
  const waits = base.options['wait'] !== undefined;
  const outputs: Array<{ node: string; output: Output }> = [];
  let code = 0;
  const waiting: Array<(() => void) | undefined> = [];
  let shown = 0;
  const show = (index: number, flush: () => void): void => {
    waiting[index] = flush;
    while (waiting[shown]) waiting[shown++]!();
  };
  const failures = await inParallel(turns, async (turn, index) => {
    const written: Array<() => void> = [];
    const node = turn.node!;
    let output: Output | undefined;
    let failed = 0;
    try {
      const result = await run({
        ...base,
        args: turn.args,
        options: turn.options,
        io: {
          ...io,
          out: (text) => void written.push(() => io.out(text)),
          err: (text) => void written.push(() => io.err(text)),
          readInput: () => (input ??= io.readInput()),
        },
        ...(waits ? { depart: (departure) => void departures.push(departure) } : {}),
      });
      if (typeof result === 'number') failed = result;
      else output = result;
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      failed = error.exitCode;
      written.push(() => io.err(`${node}: ${error.message}\n`));
    }
    show(index, () => {
      for (const write of written) write();
      if (output) outputs.push({ node, output });
    });
    return failed;
  });
  for (const failed of failures) code = Math.max(code, failed);
  if (departures.length > 0) {
    const { startAndWaitAll } = await import('./watch/wait-many.ts');
    // Nodes that failed before they started are gone from the list; the others are waited for in the order they were named.
    const place = new Map(turns.map((turn, i) => [turn.node, i]));
    departures.sort((a, b) => place.get(a.node)! - place.get(b.node)!);
    const { api, clock, options } = base;
    code = Math.max(code, await startAndWaitAll({ api, io, clock, departures, timeoutS: options['wait'] as number }));
  }
  const wrong = failures.filter((failed) => failed !== 0).length;
  if (wrong > 0) io.err(`${wrong} of ${turns.length} nodes failed.\n`);
  return { outputs, code };
}

/** Outputs of several nodes as one list, with the node in front of each row. */
export function joined(outputs: Gathered['outputs']): Output | undefined {
  const [first] = outputs;
  if (!first) return undefined;
  if (first.output.kind === 'list') {
    const { heads, fields } = first.output;
    const rows = outputs.flatMap(({ node, output }) =>
      output.kind === 'list' ? output.rows.map((row) => [node, ...row]) : [],
    );
    return { kind: 'list', heads: ['Node', ...heads], ...(fields ? { fields: ['node', ...fields] } : {}), rows };
  }
  const heads = [
    ...new Set(outputs.flatMap(({ output }) => (output.kind === 'one' ? output.pairs.map(([field]) => field) : []))),
  ];
  const rows = outputs.map(({ node, output }) => {
    const pairs = new Map(output.kind === 'one' ? output.pairs : []);
    return [node, ...heads.map((head): Value => pairs.get(head) ?? null)];
  });
  return { kind: 'list', heads: ['Node', ...heads], rows };
}
