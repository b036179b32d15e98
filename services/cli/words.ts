/** The words of a command line before a parser sees them: which command is meant, and what is written short. */
import { findCommand } from './catalogue/index.ts';
import { EVERYWHERE, optionsOf } from './catalogue/display-options.ts';
import { type CommandSpec, longFlag, type OptionSpec } from './command.ts';
import { usageError } from './errors.ts';

export const takesValue = (spec: OptionSpec): boolean => spec.flags.includes('<');
const GLOBAL_VALUES = new Set(EVERYWHERE.filter(takesValue).map(longFlag));

export interface Split {
  readonly command: CommandSpec | undefined;
  /** The words of the command, or all words behind the first options when they are none. */
  readonly words: readonly string[];
  /** All other arguments, in their order. */
  readonly rest: readonly string[];
}

/** Finds the command, with options before and behind it. */
export async function splitArguments(argv: readonly string[]): Promise<Split> {
  const before: string[] = [];
  let at = 0;
  while (at < argv.length && argv[at]!.startsWith('-')) {
    before.push(argv[at]!);
    if (GLOBAL_VALUES.has(argv[at]!) && at + 1 < argv.length) before.push(argv[++at]!);
    at += 1;
  }
  const words = argv.slice(at);
  const firstOption = words.findIndex((word) => word.startsWith('-'));
  const found = await findCommand(firstOption < 0 ? words : words.slice(0, firstOption));
  if (!found) return { command: undefined, words, rest: before };
  return { ...found, words: words.slice(0, found.length), rest: [...before, ...words.slice(found.length)] };
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

/**
 * Spells options out that are written short, such as `--prov` for `--provision-state`.
 * @throws CliError with exit code 2 for one that could be several.
 */
export function spellOut(spec: CommandSpec, args: readonly string[]): string[] {
  const flags = ['--help', ...[...optionsOf(spec), ...EVERYWHERE].map(longFlag)];
  const end = args.indexOf('--');
  return args.map((arg, i) => {
    if (!arg.startsWith('--') || (end >= 0 && i >= end)) return arg;
    const [flag, ...value] = arg.split('=') as [string, ...string[]];
    if (flags.includes(flag)) return arg;
    const near = [...new Set(flags.filter((f) => f.startsWith(flag)))];
    if (near.length > 1)
      throw usageError(`baremetal ${spec.name}: ${flag} could be ${near.slice(0, -1).join(', ')} or ${near.at(-1)}`);
    return near.length === 1 ? [near[0]!, ...value].join('=') : arg;
  });
}
