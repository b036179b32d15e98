import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type CommandSpec, longFlag, type OptionSpec } from '../command.ts';
import { optionsOf } from './display-options.ts';
import { allCommands, findCommand } from './index.ts';

interface Theirs {
  readonly shows: 'list' | 'one' | '';
  /** `<node>`, with + * or ? behind it for several. */
  readonly arguments: readonly string[];
  /** By flag: how many values it takes (none, one, maybe, many), and whether it repeats, is required, is an integer. */
  readonly options: Readonly<Record<string, string>>;
  readonly choices?: Readonly<Record<string, readonly string[]>>;
  readonly oneOf?: readonly (readonly string[])[];
}
/** The commands of python-ironicclient, from the entry points `openstack.baremetal.v1` and their parsers. */
const THEIRS = JSON.parse(
  readFileSync(new URL('../testdata/ironic-commands.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Theirs>>;

/** Commands that Ironic's client does not have. */
const OWN = [
  'complete',
  'completion',
  'man',
  'node configure',
  'node events',
  'node retry',
  'node timeline',
  'node vmedia attach',
  'node vmedia detach',
  'node vmedia list',
  'node why',
  'token create',
  'token delete',
  'token list',
  'token show',
  'unknown list',
  'webhook create',
  'webhook delete',
  'webhook delivery show',
  'webhook letter delete',
  'webhook letter list',
  'webhook letter send',
  'webhook list',
  'webhook set',
  'webhook show',
  'webhook unset',
];

const commands = await allCommands();
const named = (name: string): CommandSpec => commands.find((c) => c.name === name)!;

function takes(option: OptionSpec): string {
  if (/<[^>]*\.\.\.>/.test(option.flags)) return 'many';
  return option.flags.includes('<') ? 'one' : option.flags.includes('[') ? 'maybe' : 'none';
}

describe("beside the commands of Ironic's client", () => {
  it('has them all, and those that are listed here', () => {
    expect(Object.keys(THEIRS)).toHaveLength(118);
    expect(commands.map((c) => c.name).toSorted()).toEqual([...Object.keys(THEIRS), ...OWN].toSorted());
  });

  it.each(Object.entries(THEIRS))('%s takes the same arguments and options', (name, theirs) => {
    const ours = named(name);
    const options = new Map<string, OptionSpec>();
    for (const option of ours.options ?? [])
      for (const flag of option.flags.match(/(?<![a-z-])--?[a-z][a-z-]*/g) ?? []) options.set(flag, option);
    for (const [flag, words] of Object.entries(theirs.options)) {
      const option = options.get(flag);
      expect(option, flag).toBeDefined();
      const [arity, ...more] = words.split(' ');
      expect([flag, takes(option!)]).toEqual([flag, arity]);
      const isRepeated = more.includes('repeats') || arity === 'many';
      expect([flag, option!.isRepeated ?? false]).toEqual([flag, isRepeated]);
      expect([flag, option!.isRequired ?? false]).toEqual([flag, more.includes('required')]);
      if (more.includes('integer')) expect([flag, option!.isInteger]).toEqual([flag, true]);
    }
    for (const [flag, choices] of Object.entries(theirs.choices ?? {}))
      expect(options.get(flag)!.choices, flag).toEqual(expect.arrayContaining([...choices]));
    const several = (ours.arguments ?? []).map((a) => a.name.includes('...'));
    theirs.arguments.forEach((argument, i) => {
      // One node where several may stand here is no less.
      expect([argument, several[i] ?? false]).toEqual([argument, /[+*]$/.test(argument) || (several[i] ?? false)]);
    });
    expect(ours.arguments ?? []).toHaveLength(theirs.arguments.length);
    // Children are a list: Ironic's client shows only the first of them.
    if (name !== 'node children list') expect(ours.shows ?? '').toBe(theirs.shows);
  });
});

describe('the catalogue', () => {
  it('spells every option once per command, and every flag of exclusion', () => {
    for (const command of commands) {
      const flags = optionsOf(command).flatMap((o) => o.flags.match(/(?<![a-z-])--?[a-z][a-z-]*/g) ?? []);
      expect(flags, command.name).toEqual([...new Set(flags)]);
      for (const option of command.options ?? []) expect(longFlag(option), command.name).toMatch(/^--[a-z-]+$/);
    }
  });

  it('has functions behind all commands, a summary and a place in the help', async () => {
    for (const command of commands) {
      expect(await command.load(), command.name).toBeTypeOf('function');
      expect(command.summary, command.name).toMatch(/^[A-Z].*[^.]$/);
    }
  });

  it.each([
    [['node', 'list', 'x'], 'node list', 2],
    [['driver', 'raid', 'property', 'list', 'ipmi'], 'driver raid property list', 4],
    [['port', 'list'], 'port list', 2],
    [['port', 'group', 'list'], 'port group list', 3],
    [['create', 'a.json'], 'create', 1],
    [['no', 'sh', 'n1'], 'node show', 2],
    [['all', 'list'], 'allocation list', 2],
  ])('finds %j', async (words, name, length) => {
    const found = await findCommand(words);
    expect(found?.command.name).toBe(name);
    expect(found?.length).toBe(length);
  });

  it('takes no beginning that several commands have', async () => {
    expect(await findCommand(['node', 's', 'n1'])).toBeUndefined();
    expect(await findCommand(['__proto__'])).toBeUndefined();
    expect(await findCommand([])).toBeUndefined();
  });
});
