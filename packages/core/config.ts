/**
 * Configuration: one schema of groups, read once from file, environment and command line (later ones win). The file has
 * `[group]` sections of `key = value` lines. `npm run gen:config` writes the commented sample from this schema.
 */
import { Secret } from '@bessemer/ports';

interface OptionBase {
  readonly help: string;
  readonly unit?: 'ms' | 'bytes';
}
interface StringOption extends OptionBase {
  readonly type: 'string';
  readonly default: string;
  readonly choices?: readonly string[];
}
interface NumberOption extends OptionBase {
  readonly type: 'number';
  readonly default: number;
  readonly min?: number;
  readonly max?: number;
}
interface BooleanOption extends OptionBase {
  readonly type: 'boolean';
  readonly default: boolean;
}
interface ListOption extends OptionBase {
  readonly type: 'list';
  readonly default: readonly string[];
}
interface SecretOption extends OptionBase {
  readonly type: 'secret';
  readonly default: '';
}
type Option = StringOption | NumberOption | BooleanOption | ListOption | SecretOption;
type Groups = Record<string, Record<string, Option>>;

const minutes = (n: number) => n * 60_000;

export const CONFIG_SCHEMA = {
  service: {
    host: { type: 'string', default: '', help: "Name of this conductor. Empty: the machine's host name." },
    data_dir: { type: 'string', default: '/var/lib/bessemer', help: 'Where the database, keys and images live.' },
    log_level: {
      type: 'string',
      default: 'info',
      choices: ['debug', 'info', 'warn', 'error'],
      help: 'Least severity that is logged.',
    },
    conductor_group: { type: 'string', default: '', help: 'Only nodes of this group are worked on by this conductor.' },
  },
  api: {
    address: { type: 'string', default: '127.0.0.1', help: 'Address the API listens on.' },
    port: { type: 'number', default: 6385, min: 0, max: 65_535, help: 'Port of the API; 0 picks a free one.' },
    auth: {
      type: 'string',
      default: 'http_basic',
      choices: ['http_basic', 'keystone', 'noauth'],
      help: 'Who may ask: users with passwords, tokens of a Keystone, or everybody; noauth listens on loopback only.',
    },
    audit: {
      type: 'boolean',
      default: true,
      help: 'Keep an event of every change with the user who made it (never with noauth, which knows no users).',
    },
    public_endpoint: {
      type: 'string',
      default: '',
      help: 'Base of the links in answers. Empty: taken from the request.',
    },
    lock_patience_ms: {
      type: 'number',
      default: 2000,
      min: 0,
      max: 30_000,
      unit: 'ms',
      help: 'How long a request waits for a node that somebody else is at work on before it is refused with 409.',
    },
    max_limit: { type: 'number', default: 1000, min: 1, max: 100_000, help: 'Largest and default page of a list.' },
  },
  access: {
    user_file: {
      type: 'string',
      default: '',
      help: 'Users and bcrypt hashes, as htpasswd -nB writes them; read again when it changes. Empty: only the administrator of the first start.',
    },
    users: {
      type: 'list',
      default: [],
      help: 'What the users of the file may do: user:role or user:role:project, role one of reader, member, admin; without a project for the whole system. Empty: all are system administrators, as in Ironic; else who is not named may not log in.',
    },
    max_failed_logins: {
      type: 'number',
      default: 10,
      min: 1,
      max: 1000,
      help: 'Failed log-ins of a user from one address before further ones have to wait; three times as many per address, ten times as many per user.',
    },
    trusted_proxies: {
      type: 'list',
      default: [],
      help: 'Addresses of reverse proxies whose X-Forwarded-For is believed when failed log-ins are counted.',
    },
  },
  keystone: {
    url: { type: 'string', default: '', help: 'Identity API version 3, as https://keystone.example/v3.' },
    username: { type: 'string', default: 'ironic', help: 'User that asks Keystone whether tokens are valid.' },
    password: { type: 'secret', default: '', help: 'Password of that user.' },
    user_domain: { type: 'string', default: 'Default', help: 'Name of the domain of that user.' },
    project: {
      type: 'string',
      default: 'service',
      help: 'Project that this user logs in to. Who has the role service in it may do what a system member may.',
    },
    project_domain: { type: 'string', default: 'Default', help: 'Name of the domain of that project.' },
    cache_ms: {
      type: 'number',
      default: minutes(5),
      min: 0,
      unit: 'ms',
      help: 'Longest time for which a validated token is believed without asking again.',
    },
  },
  database: {
    url: {
      type: 'secret',
      default: '',
      help: 'postgresql://... for the scaled mode. Empty: SQLite in the data directory.',
    },
    events_kept: { type: 'number', default: 100_000, min: 100, help: 'How many events are kept before the oldest go.' },
  },
  amqp: {
    url: { type: 'secret', default: '', help: 'amqp://... for the scaled mode. Empty: the bus is in process.' },
  },
  conductor: {
    enabled_hardware_types: {
      type: 'list',
      default: ['ipmi', 'fake-hardware', 'manual-management'],
      help: 'Hardware types that this conductor runs.',
    },
    session_ttl_ms: {
      type: 'number',
      default: 15_000,
      min: 1_000,
      unit: 'ms',
      help: 'Life of a conductor session without a sign of life.',
    },
    max_concurrent_deploy: {
      type: 'number',
      default: 50,
      min: 1,
      help: 'Deployments that may work at the same time; more wait in a queue with a visible position.',
    },
    power_sync_interval_ms: {
      type: 'number',
      default: minutes(1),
      min: 1_000,
      unit: 'ms',
      help: 'How often the power state of each node is compared.',
    },
    power_state_timeout_ms: {
      type: 'number',
      default: 30_000,
      min: 1_000,
      unit: 'ms',
      help: 'How long a BMC may take to reach an ordered power state.',
    },
    boot_timeout_ms: {
      type: 'number',
      default: minutes(10),
      min: 1_000,
      unit: 'ms',
      help: "From a boot order to the agent's hello.",
    },
    boot_seen_timeout_ms: {
      type: 'number',
      default: minutes(4),
      min: 1_000,
      unit: 'ms',
      help: 'From a boot order to the first sign of the machine on the network.',
    },
    step_timeout_ms: {
      type: 'number',
      default: minutes(30),
      min: 1_000,
      unit: 'ms',
      help: 'Longest time without an event of a step under way.',
    },
    ssh_timeout_ms: {
      type: 'number',
      default: minutes(10),
      min: 1_000,
      unit: 'ms',
      help: 'From the reboot into the image to the first SSH answer.',
    },
    deploy_timeout_ms: {
      type: 'number',
      default: minutes(120),
      min: 1_000,
      unit: 'ms',
      help: 'Deadline of a whole run.',
    },
    force_power_state_during_sync: {
      type: 'boolean',
      default: true,
      help: 'A node whose power state differs from the stored one is brought back to it; false: the stored one follows.',
    },
    power_sync_max_retries: {
      type: 'number',
      default: 3,
      min: 0,
      help: 'A node whose BMC fails, or whose power state cannot be brought back, more often than this goes into maintenance.',
    },
    max_wait_step_seconds: {
      type: 'number',
      default: 30,
      min: 0,
      help: 'Longest time of a step "wait" of cleaning, deployment or service; also its time when it names none.',
    },
    automated_clean: { type: 'boolean', default: true, help: 'Clean on the way to available.' },
  },
  ipmi: {
    default_cipher_suites: {
      type: 'list',
      default: ['17', '3'],
      help: 'Tried in this order; a BMC that refuses all is an error.',
    },
    command_timeout_ms: {
      type: 'number',
      default: 5_000,
      min: 100,
      unit: 'ms',
      help: 'Budget of one command with its retransmissions.',
    },
    keepalive_ms: {
      type: 'number',
      default: 20_000,
      min: 1_000,
      unit: 'ms',
      help: 'How often a held session says that it lives.',
    },
  },
  network: {
    name: { type: 'string', default: 'provisioning', help: 'Name of the embedded network.' },
    interface: { type: 'string', default: '', help: 'Interface that machines boot from. Empty: no boot service.' },
    address: { type: 'string', default: '', help: 'Our address on that interface.' },
    cidr: { type: 'string', default: '', help: 'The network, as 198.51.100.0/24.' },
    dhcp: {
      type: 'string',
      default: 'own',
      choices: ['own', 'proxy', 'none'],
      help: 'own: we give addresses; proxy: beside a DHCP server.',
    },
    dhcp_range: {
      type: 'string',
      default: '',
      help: 'First and last address to give, as 198.51.100.100,198.51.100.199.',
    },
    router: { type: 'string', default: '', help: 'Default router that our DHCP tells. Empty: none is told.' },
    lease_seconds: { type: 'number', default: 3600, min: 120, help: 'How long an address is lent.' },
  },
  boot: {
    http_port: { type: 'number', default: 6388, min: 0, max: 65_535, help: 'Boot scripts, kernel and ramdisk.' },
    tftp_port: { type: 'number', default: 69, min: 0, max: 65_535, help: 'Network boot programs.' },
    kernel: { type: 'string', default: '', help: 'Deploy kernel. Empty: the one in the cache of built images.' },
    ramdisk: { type: 'string', default: '', help: 'Deploy ramdisk. Empty: the one in the cache of built images.' },
    ramdisk_variant: {
      type: 'string',
      default: 'product',
      choices: ['lab', 'product'],
      help: 'Which deploy ramdisk is built when none is named; lab has drivers for virtual servers only.',
    },
    kernel_args: {
      type: 'string',
      default: 'console=ttyS0,115200n8 loglevel=5',
      help: "More arguments for the deploy kernel. Without a speed the kernel writes to the console at 9600 baud; its small talk would hold up every boot and stays in the ramdisk's dmesg.",
    },
  },
  agent: {
    port: { type: 'number', default: 6386, min: 0, max: 65_535, help: 'WebSocket over TLS that agents connect to.' },
  },
  depot: {
    port: { type: 'number', default: 6387, min: 0, max: 65_535, help: 'HTTP exit of images.' },
    allowed_roots: {
      type: 'list',
      default: ['/srv/images'],
      help: 'file: images are read below these folders only.',
    },
    max_bytes: {
      type: 'number',
      default: 50 * 1024 ** 3,
      min: 1024 ** 2,
      unit: 'bytes',
      help: 'Size of the image store; unused images go first.',
    },
    max_requests: {
      type: 'number',
      default: 64,
      min: 1,
      help: 'Requests for image data that are answered at the same time; more wait.',
    },
    compress: {
      type: 'boolean',
      default: false,
      help: 'Offer zstd on the wire: pays where the network is slower than a core.',
    },
    max_concurrent_conversions: { type: 'number', default: 2, min: 1, max: 64, help: 'Conversions at the same time.' },
  },
  executor: {
    idle_ms: {
      type: 'number',
      default: minutes(10),
      min: 1_000,
      unit: 'ms',
      help: 'An unused connection is closed after this.',
    },
    max_connections: { type: 'number', default: 200, min: 1, help: 'Open connections over all targets.' },
  },
} as const satisfies Groups;

type Schema = typeof CONFIG_SCHEMA;
type Value<O> = O extends { type: 'string'; choices: readonly (infer C)[] }
  ? C
  : O extends { type: 'string' }
    ? string
    : O extends { type: 'number' }
      ? number
      : O extends { type: 'boolean' }
        ? boolean
        : O extends { type: 'list' }
          ? readonly string[]
          : Secret;
export type Config = { readonly [G in keyof Schema]: { readonly [K in keyof Schema[G]]: Value<Schema[G][K]> } };

/** Values by `group.key`, as text, from one source. */
export type ConfigOverrides = Readonly<Record<string, string>>;

/** All problems of a configuration at once. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length} problem${problems.length === 1 ? '' : 's'}:\n  ${problems.join('\n  ')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Reads `[group]` sections of `key = value` lines; `#` and `;` begin a comment line. Problems name file and line. */
export function parseConfigFile(
  content: string,
  fileName: string,
): { values: Record<string, string>; problems: string[] } {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  let group = '';
  content.split(/\r?\n/).forEach((raw, i) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) return;
    const section = /^\[([\w-]+)\]$/.exec(line);
    if (section) {
      group = section[1]!;
      return;
    }
    const at = line.indexOf('=');
    if (at < 1 || group === '') {
      problems.push(
        `${fileName}:${i + 1}: expected a [group] or key = value, found ${JSON.stringify(line.slice(0, 60))}`,
      );
      return;
    }
    values[`${group}.${line.slice(0, at).trim()}`] = line.slice(at + 1).trim();
  });
  return { values, problems };
}

/** The overrides that environment variables BESSEMER_<GROUP>_<KEY> give. */
export function configFromEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [group, options] of Object.entries(CONFIG_SCHEMA))
    for (const key of Object.keys(options)) {
      const value = env[`BESSEMER_${group}_${key}`.toUpperCase()];
      if (value !== undefined) values[`${group}.${key}`] = value;
    }
  return values;
}

function readOption(option: Option, raw: string): { value: unknown } | { problem: string } {
  switch (option.type) {
    case 'string':
      return option.choices && !option.choices.includes(raw)
        ? { problem: `must be one of ${option.choices.join(', ')}, not ${JSON.stringify(raw)}` }
        : { value: raw };
    case 'secret':
      return { value: new Secret(raw) };
    case 'list':
      return {
        value: raw
          .split(',')
          .map((s) => s.trim())
          .filter((s) => s !== ''),
      };
    case 'boolean':
      if (/^(true|yes|on|1)$/i.test(raw)) return { value: true };
      if (/^(false|no|off|0)$/i.test(raw)) return { value: false };
      return { problem: `must be true or false, not ${JSON.stringify(raw)}` };
    case 'number': {
      const value = Number(raw);
      if (raw === '' || !Number.isFinite(value)) return { problem: `must be a number, not ${JSON.stringify(raw)}` };
      if (option.min !== undefined && value < option.min)
        return { problem: `must be at least ${option.min}, not ${value}` };
      if (option.max !== undefined && value > option.max)
        return { problem: `must be at most ${option.max}, not ${value}` };
      return { value };
    }
  }
}

/**
 * The configuration from its sources, the later ones winning.
 * @throws ConfigError with every problem: unknown groups and keys, wrong types, values out of range.
 */
export function resolveConfig(sources: readonly ConfigOverrides[], earlierProblems: readonly string[] = []): Config {
  const problems = [...earlierProblems];
  const merged: Record<string, string> = Object.assign({}, ...sources);
  const groups: Groups = CONFIG_SCHEMA;
  const result: Record<string, Record<string, unknown>> = {};
  for (const [group, options] of Object.entries(groups)) {
    const out: Record<string, unknown> = (result[group] = {});
    for (const [key, option] of Object.entries(options)) {
      const raw = merged[`${group}.${key}`];
      delete merged[`${group}.${key}`];
      if (raw === undefined) {
        out[key] = option.type === 'secret' ? new Secret(option.default) : option.default;
        continue;
      }
      const read = readOption(option, raw);
      if ('problem' in read) problems.push(`${group}.${key} ${read.problem}`);
      else out[key] = read.value;
    }
  }
  for (const name of Object.keys(merged)) {
    const [group] = name.split('.');
    const known = Object.hasOwn(groups, group!)
      ? `keys of [${group}]: ${Object.keys(groups[group!]!).join(', ')}`
      : `groups: ${Object.keys(groups).join(', ')}`;
    problems.push(`${name} is not an option; ${known}`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return result as unknown as Config;
}

/** The commented sample file, made from the schema. */
export function sampleConfig(): string {
  const lines = ['# Bessemer: every option with its default. Made from the schema by `npm run gen:config`.', ''];
  const groups: Groups = CONFIG_SCHEMA;
  for (const [group, options] of Object.entries(groups)) {
    lines.push(`[${group}]`);
    for (const [key, option] of Object.entries(options)) {
      const choices = option.type === 'string' && option.choices ? ` One of: ${option.choices.join(', ')}.` : '';
      const unit = option.unit ? ` In ${option.unit === 'ms' ? 'milliseconds' : option.unit}.` : '';
      const value = option.type === 'list' ? option.default.join(', ') : String(option.default);
      lines.push(`# ${option.help}${choices}${unit}`, `#${key} = ${value}`.trimEnd(), '');
    }
  }
  return `${lines.join('\n').trimEnd()}\n`;
}
