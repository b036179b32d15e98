/** Words that the catalogue is written in. */
import type { ArgumentSpec, OptionSpec, Run } from '../command.ts';
import { choicesOf, type Columns } from '../commands/fields.ts';

export const option = (flags: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec => ({
  flags,
  help,
  ...more,
});

/** An option whose value becomes that of a field. */
export const text = (flag: string, field: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec =>
  option(`${flag} <${more.isNode ? 'node' : flag.split('-').at(-1)}>`, help, { field, as: 'text', ...more });

export const integer = (flag: string, field: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec =>
  text(flag, field, help, { isInteger: true, ...more });

/** A flag that says a field is true. */
export const on = (flag: string, field: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec =>
  option(flag, help, { field, as: 'on', ...more });
/** A flag that says a field is false. */
export const off = (flag: string, field: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec =>
  option(flag, help, { field, as: 'off', ...more });
/** A flag that takes the value of a field away. */
export const reset = (flag: string, field: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec =>
  option(flag, help, { field, as: 'reset', ...more });

export const json = (flag: string, field: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec =>
  option(`${flag} <json>`, `${help}: JSON, a file of JSON or YAML, or - for standard input`, {
    field,
    as: 'json',
    ...more,
  });

export const pairs = (flag: string, field: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec =>
  option(`${flag} <key=value>`, `${help} (repeat for more)`, { isRepeated: true, field, as: 'pairs', ...more });
export const keys = (flag: string, field: string, help: string): OptionSpec =>
  option(`${flag} <key>`, `${help} (repeat for more)`, { isRepeated: true, field, as: 'keys' });

export const EXTRA = pairs('--extra', 'extra', 'Anything to be remembered');
export const UNSET_EXTRA = keys('--extra', 'extra', 'Extra to remove');
export const OWN_UUID = text('--uuid', 'uuid', 'Its UUID; made when missing');

export const fields = (columns: Columns): OptionSpec =>
  option('--fields <field...>', 'Fetch and show only these fields', { isRepeated: true, choices: choicesOf(columns) });

export const WAIT = option('--wait [seconds]', 'Wait for the end, this long at most; 0 or nothing: without end', {
  isInteger: true,
  bareValue: '0',
});

/** The options that every list has. */
export const page = (what: string): readonly OptionSpec[] => [
  option('--limit <limit>', 'Most entries to show; 0: all. Without it: one page of the service', { isInteger: true }),
  option('--marker <id>', `Show what comes after this ${what}`),
  option('--sort <key[:direction]>', 'Sort by fields, asc or desc; separate several by commas'),
];
export const long = (columns: Columns): readonly OptionSpec[] => [
  option('--long', 'Show all fields', { excludes: ['fields'] }),
  fields(columns),
];

export const NODE_ARGUMENT: ArgumentSpec = {
  name: '<node>',
  help: 'Name or UUID of the node, or a range of names such as rack1-[01-40],-rack1-07',
  isNode: 'each',
};
export const NODES_ARGUMENT: ArgumentSpec = {
  name: '<node...>',
  help: 'Names or UUIDs of nodes, or ranges of names such as rack1-[01-40],-rack1-07',
  isNode: 'each',
};

type Module = Readonly<Record<string, unknown>>;
/** A command's function from a module that is loaded only when it runs. */
export const from = (load: () => Promise<Module>, name: string) => async (): Promise<Run> =>
  (await load())[name] as Run;

const resource = () => import('../commands/resource.ts');
export const CREATE = from(resource, 'createOne');
export const LIST = from(resource, 'listAll');
export const SHOW = from(resource, 'showOne');
export const SET = from(resource, 'setOne');
export const UNSET = from(resource, 'unsetOne');
export const DELETE = from(resource, 'deleteEach');
