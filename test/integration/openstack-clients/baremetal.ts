/** Rows of commands of Ironic's `baremetal`, and a memory of which commands and options were run. */
import { expect } from 'vitest';
import type { Ran } from './servant.ts';
import { type ClientWorld, expectReadable } from './world.ts';

/** What is refused: the status, and the whole sentence or a part of it. */
interface Refused {
  readonly status: number;
  readonly sentence: string | RegExp;
}
export const refused = (status: number, sentence: string | RegExp): Refused => ({ status, sentence });
const isRefused = (expected: unknown): expected is Refused =>
  typeof expected === 'object' && expected !== null && 'sentence' in expected;

/** The words of a command, split at spaces, and arguments that hold spaces. */
type Command = string | readonly [words: string, ...verbatim: string[]];
/** Nothing: it goes well. Text: it is printed. Else the JSON that is printed, or has to be among it. */
type Expected = undefined | string | object | Refused;
export type Row = readonly [command: Command, expected?: Expected];

export const row = (command: Command, expected?: Expected): Row => [command, expected];

interface Among {
  readonly among: readonly object[];
}
/** Each of these is among the items that are printed. */
export const among = (...items: readonly object[]): Among => ({ among: items });
const isAmong = (expected: object): expected is Among => 'among' in expected;

/** Heads of columns that say something else than the name of the field, which later releases print instead. */
const HEADS: Readonly<Record<string, string>> = {
  'Supported driver(s)': 'name',
  'Active host(s)': 'hosts',
  'Provisioning State': 'provision_state',
};
/** What is printed, or expected, by the names of fields. */
function byField(printed: unknown): unknown {
  if (Array.isArray(printed)) return printed.map(byField);
  if (typeof printed !== 'object' || printed === null) return printed;
  return Object.fromEntries(
    Object.entries(printed).map(([head, value]) => [
      HEADS[head] ?? (/^[A-Z]/.test(head) ? head.toLowerCase().replaceAll(' ', '_') : head),
      value,
    ]),
  );
}

/** Which file of tests runs a command: the first whose pattern fits its name. */
const GROUPS = {
  'life cycle':
    /^node (manage|provide|deploy|rebuild|undeploy|clean|service|inspect|adopt|abort|rescue|unrescue|hold|unhold)$/,
  hardware:
    /^node (power|reboot|boot|secure boot|console|inject|bios|firmware|history|passthru|vif|inventory|add trait|remove trait|trait)\b|^driver passthru/,
  belongings: /^(port|volume)\b/,
  plans: /^(deploy template|allocation|runbook|inspection rule)\b/,
  nodes: /^/,
} as const;
export type Group = keyof typeof GROUPS;
const groupOf = (command: string) => Object.entries(GROUPS).find(([, pattern]) => pattern.test(command))![0];

/** How to reach a service that lets everybody in. Conflicts are told at once, not after five more tries. */
export const reaching = (url: string) => ['--os-auth-type', 'none', '--os-endpoint', url, '--max-retries', '0'];

export interface Baremetal {
  /** Runs one command, whatever comes of it. */
  attempt(argv: readonly string[]): Promise<Ran>;
  run(rows: readonly Row[]): Promise<void>;
  /** Runs the rows if the client has all their commands and options: later releases have more of them. */
  runKnown(rows: readonly Row[]): Promise<void>;
  /**
   * As `run`, but where the release of the client does not bring the command to the service it must say so itself, in
   * these words. Tells whether it was run.
   */
  runOrTold(row: Row, words: string): Promise<boolean>;
  /** The JSON that a command prints, by the names of fields. */
  read(words: string): Promise<ReturnType<typeof JSON.parse>>;
  /** Runs a command with all the fields that it offers in `--fields`. */
  readWithEveryField(words: string): Promise<void>;
  /** Turns a node off, and polls, as the client has no way to wait for power. */
  turnOff(node: string): Promise<void>;
  /** Commands of the group, and their options, that were not run. */
  notRun(group: Group): Promise<string[]>;
}

export function createBaremetal(world: ClientWorld): Baremetal {
  const used: Array<readonly string[]> = [];
  const attempt = (argv: readonly string[]) => {
    used.push(argv);
    return world.clients.cli([...reaching(world.url), ...argv]);
  };
  const belongsTo = (argv: readonly string[], command: string) => `${argv.join(' ')} `.startsWith(`${command} `);
  const splitUp = (command: Command) => {
    const [words, ...verbatim] = typeof command === 'string' ? [command] : command;
    return [...words.split(' '), ...verbatim];
  };

  async function runRow([command, expected]: Row): Promise<void> {
    const argv = splitUp(command);
    const isJson = typeof expected === 'object' && !isRefused(expected);
    const ran = await attempt(isJson ? [...argv, '-f', 'json'] : argv);
    const said = `${argv.join(' ')}: ${ran.code}\n${ran.out}${ran.err}`;
    if (isRefused(expected)) {
      expect(ran.code, said).toBe(1);
      expectReadable(ran.err, said);
      if (typeof expected.sentence === 'string') expect(ran.err, said).toContain(expected.sentence);
      else expect(ran.err, said).toMatch(expected.sentence);
      expect(ran.err, said).toContain(`(HTTP ${expected.status})`);
      return;
    }
    expect(ran.code, said).toBe(0);
    if (typeof expected === 'string') expect(ran.out, said).toContain(expected);
    if (!isJson || ran.code !== 0) return;
    const printed = byField(JSON.parse(ran.out));
    if (isAmong(expected))
      for (const item of expected.among)
        expect(printed, said).toContainEqual(expect.objectContaining(byField(item) as object));
    else expect(printed, said).toMatchObject(byField(expected) as object);
  }
  const run = async (rows: readonly Row[]) => {
    for (const one of rows) await runRow(one);
  };

  const read = async (words: string) => {
    const ran = await attempt([...words.split(' '), '-f', 'json']);
    expect(ran.code, ran.err).toBe(0);
    return byField(JSON.parse(ran.out)) as ReturnType<typeof JSON.parse>;
  };

  return {
    attempt,
    run,
    async runKnown(rows) {
      const options = Object.entries(await world.clients.options());
      const isKnown = ([command]: Row) => {
        const argv = splitUp(command);
        const offered = options.find(([name]) => belongsTo(argv, name))?.[1];
        const names = Object.keys(offered ?? {}).flatMap((name) => name.split('|'));
        return offered && argv.every((word) => !word.startsWith('--') || names.includes(word));
      };
      if (rows.every(isKnown)) await run(rows);
    },
    async runOrTold(one, words) {
      const ran = await attempt(splitUp(one[0]));
      if (ran.code === 0) return true;
      expect(ran.err).toContain(words);
      return false;
    },
    read,
    async readWithEveryField(words) {
      const options = Object.entries(await world.clients.options());
      const [, offered] = options.find(([name]) => belongsTo(words.split(' '), name))!;
      const fields = offered['--fields']!;
      const ran = await attempt([...words.split(' '), '--fields', ...fields, '-f', 'json']);
      expect(ran.code, `${words}: ${ran.err}`).toBe(0);
      const printed = JSON.parse(ran.out);
      const shown = Object.keys(Array.isArray(printed) ? printed[0] : printed);
      expect(shown.length, `${words}: ${shown.join(' ')}`).toBe(fields.length);
    },
    async turnOff(node) {
      await run([row(`node power off ${node}`)]);
      await expect
        .poll(() => read(`node show ${node} --fields power_state reservation`), { timeout: 30_000 })
        .toEqual({ power_state: 'power off', reservation: null });
    },
    async notRun(group) {
      const options = await world.clients.options();
      return Object.entries(options).flatMap(([command, offered]) => {
        if (groupOf(command) !== group) return [];
        const runs = used.filter((argv) => belongsTo(argv, command));
        if (runs.length === 0) return [command];
        const isUsed = (names: string) =>
          names.split('|').some((name) => runs.some((argv) => argv.some((word) => word.split('=')[0] === name)));
        return Object.keys(offered)
          .filter((names) => !isUsed(names))
          .map((names) => `${command} ${names}`);
      });
    },
  };
}
