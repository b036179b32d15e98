/** Options that stand on many commands: of the connection, and of the output. */
import type { CommandSpec, OptionSpec } from '../command.ts';
import { option } from './options.ts';

/** Stand before or after the command. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  option('--os-endpoint <url>', 'Where the service is (OS_ENDPOINT)'),
  option('--os-endpoint-override <url>', 'The same (OS_ENDPOINT_OVERRIDE)'),
  option('--os-auth-type <type>', 'none, http_basic, token, or password for Keystone (OS_AUTH_TYPE)'),
  option('--os-auth-plugin <type>', 'The same'),
  option('--os-username <name>', 'User (OS_USERNAME)'),
  option('--os-password <password>', 'Password (OS_PASSWORD)'),
  option('--os-token <token>', 'Token, instead of user and password (OS_TOKEN)'),
  option('--os-cloud <name>', 'Cloud of clouds.yaml (OS_CLOUD)'),
  option('--os-cacert <file>', 'Certificates that the service is checked with (OS_CACERT)'),
  option('--os-cert <file>', 'Certificate of this client (OS_CERT)'),
  option('--os-key <file>', 'Its private key (OS_KEY)'),
  option('--insecure', 'Do not check the certificate of the service'),
  option('--timeout <seconds>', 'Longest silence of the service', { isInteger: true }),
  option('--os-baremetal-api-version <version>', '1.N or latest (OS_BAREMETAL_API_VERSION)'),
  option('--max-retries <number>', 'Retries when a node is locked or the service is busy', { isInteger: true }),
  option('--retry-interval <seconds>', 'Seconds between two of them', { isInteger: true }),
  option('--debug', 'Show requests and answers, without secrets'),
];

/** For a service behind Keystone; each has a variable of its name, such as OS_AUTH_URL. */
export const KEYSTONE_OPTIONS: readonly OptionSpec[] = [
  option('--os-auth-url <url>', 'Where Keystone is'),
  option('--os-user-id <id>', 'User, instead of --os-username'),
  option('--os-user-domain-name <name>', 'Domain of the user'),
  option('--os-user-domain-id <id>', 'Domain of the user; default when nothing says it'),
  option('--os-project-name <name>', 'Project to work in'),
  option('--os-project-id <id>', 'Project to work in'),
  option('--os-project-domain-name <name>', 'Domain of the project'),
  option('--os-project-domain-id <id>', 'Domain of the project; default when nothing says it'),
  option('--os-system-scope <all>', 'Work in the whole system, not in a project'),
  option('--os-application-credential-id <id>', 'With --os-auth-type v3applicationcredential'),
  option('--os-application-credential-secret <secret>', 'Its secret'),
  option('--os-region-name <name>', 'Region of the catalog'),
  option('--os-interface <name>', 'Interface of the catalog, public if missing'),
];

/** Taken from scripts written for other clients of OpenStack, and without an effect. */
export const IGNORED_OPTIONS: readonly OptionSpec[] = [
  option('-v, --verbose', 'Without effect'),
  option('-q, --quiet', 'Without effect'),
  option('--log-file <file>', 'Without effect'),
  option('--collect-timing', 'Without effect'),
  option('--os-service-type <type>', 'Without effect'),
  option('--os-service-name <name>', 'Without effect'),
  option('--os-api-version <version>', 'Without effect'),
];

const COMMON: readonly OptionSpec[] = [
  option('-c, --column <column>', 'Show only this column (repeat for more)', { isRepeated: true }),
  option('--max-width <columns>', 'Widest table; 0: no limit', { isInteger: true }),
  option('--fit-width', 'Fit the table to the terminal'),
  option('--print-empty', 'Print a table without rows, too'),
  option('--noindent', 'JSON on one line'),
];

export const DISPLAY_OPTIONS: Readonly<Record<'list' | 'one', readonly OptionSpec[]>> = {
  list: [
    option('-f, --format <format>', 'Format, table if missing', { choices: ['csv', 'json', 'table', 'value', 'yaml'] }),
    ...COMMON,
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
    ...COMMON,
    option('--prefix <prefix>', 'Before each variable of the format shell'),
  ],
};

/** All options that stand before or after any command. */
export const EVERYWHERE: readonly OptionSpec[] = [...GLOBAL_OPTIONS, ...KEYSTONE_OPTIONS, ...IGNORED_OPTIONS];

/** The options of a command that its own help lists: its own and those of its output. */
export const optionsOf = (command: CommandSpec): readonly OptionSpec[] => [
  ...(command.options ?? []),
  ...(command.shows ? DISPLAY_OPTIONS[command.shows] : []),
];
