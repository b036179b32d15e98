/** What may follow on a command line, out of the catalogue: the one table that the scripts of all shells are written from. */
import { GLOBAL_OPTIONS, KEYSTONE_OPTIONS, optionsOf } from '../catalogue/display-options.ts';
import { type CommandSpec, longFlag, type OptionSpec } from '../command.ts';

export interface Entry {
  readonly word: string;
  readonly help: string;
}

/** What a value may be: words, the name of a node, or anything (then shells offer files). */
export type Values = readonly string[] | 'node' | 'any';

export interface Table {
  /** By the words of the command so far: the next word, or the options of a whole command. */
  readonly next: ReadonlyMap<string, readonly Entry[]>;
  /** By the words of the command: what its arguments may be. */
  readonly positional: ReadonlyMap<string, Values>;
  /** By the option, where all commands agree. */
  readonly valueOf: ReadonlyMap<string, Values>;
  /** By the words of the command and the option, for all others. */
  readonly valueOfCommand: ReadonlyMap<string, Values>;
  /** Options that take several values in a row. */
  readonly variadic: readonly string[];
}

const flagsOf = (option: OptionSpec): readonly string[] =>
  option.flags.match(/(?<![a-z])--?[a-zA-Z0-9][a-z0-9-]*/g) ?? [];
const valuesOf = (option: OptionSpec): Values | undefined =>
  option.flags.includes('<') ? (option.choices ?? (option.isNode ? 'node' : 'any')) : undefined;

export function tableOf(commands: readonly CommandSpec[]): Table {
  const next = new Map<string, Entry[]>();
  const positional = new Map<string, Values>();
  const seen = new Map<string, Map<string, Values | undefined>>();
  const note = (path: string, option: OptionSpec): void => {
    for (const flag of flagsOf(option))
      seen.set(flag, (seen.get(flag) ?? new Map<string, Values | undefined>()).set(path, valuesOf(option)));
  };
  for (const command of commands) {
    const parts = command.name.split(' ');
    parts.forEach((word, i) => {
      const before = parts.slice(0, i).join(' ');
      const entries = next.get(before) ?? [];
      const isWhole = i === parts.length - 1;
      if (!entries.some((e) => e.word === word)) entries.push({ word, help: isWhole ? command.summary : '' });
      next.set(before, entries);
    });
    const own = optionsOf(command);
    const options = [...own, ...GLOBAL_OPTIONS].map((o): Entry => ({ word: longFlag(o), help: o.help }));
    next.set(command.name, [...(next.get(command.name) ?? []), ...options]);
    for (const option of own) note(command.name, option);
    const choices = command.arguments?.flatMap((a) => a.choices ?? []) ?? [];
    if (command.arguments?.some((a) => a.isNode)) positional.set(command.name, choices.length > 0 ? choices : 'node');
    else if (choices.length > 0) positional.set(command.name, choices);
    else if (command.arguments?.some((a) => /file|playbook/.test(a.name))) positional.set(command.name, 'any');
  }
  for (const option of [...GLOBAL_OPTIONS, ...KEYSTONE_OPTIONS]) note('', option);
  const variadic = [
    ...new Set(
      commands
        .flatMap(optionsOf)
        .filter((o) => o.flags.includes('...>'))
        .map(longFlag),
    ),
  ];
  const valueOf = new Map<string, Values>();
  const valueOfCommand = new Map<string, Values>();
  for (const [flag, byCommand] of seen) {
    const distinct = new Set([...byCommand.values()].map((values) => JSON.stringify(values)));
    const [first] = byCommand.values();
    if (distinct.size === 1) {
      if (first !== undefined) valueOf.set(flag, first);
    } else
      for (const [path, values] of byCommand) if (values !== undefined) valueOfCommand.set(`${path} ${flag}`, values);
  }
  return { next, positional, valueOf, valueOfCommand, variadic };
}

/** How the node names of `Values` are asked for. */
export const NODE_NAMES = 'baremetal node list --fields name -f value 2>/dev/null';
