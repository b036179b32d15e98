/** The manual page baremetal(1), written from the catalogue in the macros of man(7). */
import { allCommands } from './catalogue/index.ts';
import { DISPLAY_OPTIONS, GLOBAL_OPTIONS, KEYSTONE_OPTIONS } from './catalogue/display-options.ts';
import type { CommandSpec, OptionSpec } from './command.ts';

/** Text that roff prints as it is: no control line, no escape, and hyphens that can be copied. */
function roff(text: string): string {
  const escaped = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replaceAll('`', '\\(ga');
  return escaped.startsWith('.') ? `\\&${escaped}` : escaped;
}
/** The argument of a macro. */
const quoted = (text: string): string => `"${roff(text).replaceAll('"', '\\(dq')}"`;
const example = (lines: readonly string[]): string[] => ['.RS 4', '.nf', ...lines.map(roff), '.fi', '.RE'];

function optionLines(option: OptionSpec): string[] {
  const choices = option.choices ? ` One of: ${option.choices.join(', ')}.` : '';
  const need = option.isRequired ? ' Needed.' : '';
  return ['.TP', `.B ${quoted(option.flags)}`, roff(`${option.help}.${need}${choices}`)];
}

function commandLines(command: CommandSpec): string[] {
  const usage = (command.arguments ?? []).map((a) => ` ${a.name}`).join('');
  const argumentLines = (command.arguments ?? []).flatMap((a) => {
    const choices = a.choices ? ` One of: ${a.choices.join(', ')}.` : '';
    return ['.TP', `.I ${quoted(a.name)}`, roff(`${a.help}.${choices}`)];
  });
  const output = { list: 'LIST OPTIONS', one: 'OBJECT OPTIONS' };
  return [
    `.SS ${quoted(command.name)}`,
    `.B ${quoted(`baremetal ${command.name}`)}`,
    roff(`[options]${usage}`),
    '.PP',
    roff(`${command.summary}.${command.shows ? ` Takes the ${output[command.shows]} below.` : ''}`),
    ...argumentLines,
    ...(command.options ?? []).flatMap(optionLines),
    ...(command.examples ? ['.PP', 'Examples:', ...example(command.examples)] : []),
  ];
}

const ENVIRONMENT: ReadonlyArray<readonly [string, string]> = [
  ['OS_ENDPOINT, OS_ENDPOINT_OVERRIDE', 'Where the service is.'],
  ['OS_AUTH_TYPE, OS_USERNAME, OS_PASSWORD, OS_TOKEN', 'Who asks.'],
  ['OS_CLOUD, OS_CLIENT_CONFIG_FILE', 'A cloud of a clouds.yaml, and where that file is.'],
  ['OS_CACERT, OS_CERT, OS_KEY', 'Files with certificates and key of the connection.'],
  ['OS_BAREMETAL_API_VERSION', 'The version of the API: 1.N or latest.'],
  ['BESSEMER_PROFILE', 'The profile that the first start of the service wrote.'],
  ['CLIFF_FIT_WIDTH, CLIFF_MAX_TERM_WIDTH', 'Widths of tables.'],
  ['NO_COLOR', 'Takes the colours away.'],
];

const STATUS: ReadonlyArray<readonly [string, string]> = [
  ['0', 'What was asked for is done.'],
  ['1', 'It failed, wholly or for some nodes; the reason is on standard error.'],
  ['2', 'The command was called wrongly.'],
];

const pairs = (list: ReadonlyArray<readonly [string, string]>): string[] =>
  list.flatMap(([name, text]) => ['.TP', `.B ${quoted(name)}`, roff(text)]);

/** The page as roff. */
export async function manualPage(version: string): Promise<string> {
  const commands = await allCommands();
  const lines = [
    `.TH BAREMETAL 1 "" ${quoted(`Bessemer ${version}`)} "User Commands"`,
    '.SH NAME',
    'baremetal \\- register, power, deploy and configure physical servers',
    '.SH SYNOPSIS',
    '.B baremetal',
    roff('[connection] COMMAND [arguments] [options]'),
    '.SH DESCRIPTION',
    roff(
      "Speaks to Bessemer, or to any other service with the API of OpenStack Ironic. Names, options and columns are those of Ironic's client.",
    ),
    '.PP',
    roff('Options may be written short as long as only one is meant, and so may the words of commands.'),
    '.SH NODE RANGES',
    roff('Wherever a node is named, a range of names may stand. The command is then run for each of them.'),
    ...example(['rack1-[01-40]', 'rack1-[01-40],-rack1-07', '[web,db]-[a-c],-db-[b-c]']),
    '.PP',
    roff(
      'Brackets hold numbers, letters or words. A leading zero keeps the width. A term with - in front takes its names away from those before it; it must take at least one. Objects are then shown as a list with the node in front of each row; tables of single objects follow one another.',
    ),
    '.SH COMMANDS',
    ...commands.flatMap(commandLines),
    '.SH LIST OPTIONS',
    roff('Of commands that show a list.'),
    ...DISPLAY_OPTIONS.list.flatMap(optionLines),
    '.SH OBJECT OPTIONS',
    roff('Of commands that show one object.'),
    ...DISPLAY_OPTIONS.one.flatMap(optionLines),
    '.SH CONNECTION OPTIONS',
    roff('Before or after the command.'),
    ...GLOBAL_OPTIONS.flatMap(optionLines),
    '.SH KEYSTONE OPTIONS',
    roff(
      'For a service behind Keystone, before or after the command. Each has a variable of its name, such as OS_AUTH_URL. Without --os-endpoint the catalog tells where the service is.',
    ),
    ...KEYSTONE_OPTIONS.flatMap(optionLines),
    '.SH ENVIRONMENT',
    ...pairs(ENVIRONMENT),
    '.SH FILES',
    ...pairs([
      ['~/.config/bessemer/profile.json', 'Where the service is and who asks, as its first start wrote it.'],
      ['clouds.yaml', 'In the working directory, ~/.config/openstack or /etc/openstack.'],
    ]),
    '.SH EXIT STATUS',
    ...pairs(STATUS),
  ];
  return `${lines.join('\n')}\n`;
}
