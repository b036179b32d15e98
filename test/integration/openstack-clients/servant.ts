/** Debian's ironicclient and openstacksdk, each call of theirs made by a Python process that stays. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SERVANT = fileURLToPath(new URL('servant.py', import.meta.url));

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Call {
  /** Dotted path from the client on: `node.list`. */
  readonly call: string;
  readonly args?: readonly unknown[];
  readonly kwargs?: Readonly<Record<string, unknown>>;
  /** Keeps the value under this name; `@NAME` in later arguments stands for it. */
  readonly keep?: string;
}

export interface Outcome {
  // oxlint-disable-next-line typescript/no-explicit-any -- values of many shapes, looked at by tests
  readonly value?: any;
  readonly error?: { readonly type: string; readonly message: string; readonly status: number | null };
}

export interface OpenstackClients {
  /** Runs `baremetal` with these arguments. */
  cli(argv: readonly string[]): Promise<Ran>;
  /** Of each command of `baremetal` (`node list`) the options, their names joined by `|`, with their choices. */
  options(): Promise<Readonly<Record<string, Readonly<Record<string, readonly string[] | null>>>>>;
  /** The paths of all calls that one of the two libraries offers. */
  methods(client: 'library' | 'sdk'): Promise<readonly string[]>;
  /** A call of `ironicclient.client.get_client(1, **options)`. */
  library(options: Readonly<Record<string, unknown>>, call: Call): Promise<Outcome>;
  /** A call of `openstack.connect(**options)`. */
  sdk(options: Readonly<Record<string, unknown>>, call: Call): Promise<Outcome>;
  /** Resolves when the process has ended. */
  stop(): Promise<void>;
}

/** The variables of such a process. With PYTHONPATH the tests may be run with other releases of the clients than Debian's. */
export const environment = (home: string): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  PYTHONPATH: process.env['PYTHONPATH'] ?? '',
  HOME: home,
  PYTHONWARNINGS: 'ignore',
  LANG: 'C.UTF-8',
  COLUMNS: '200',
});

/** Starts the process; it finds nothing of the account that runs the test. @param home a folder of the test's own. */
export function startOpenstackClients(home: string): OpenstackClients {
  const child = spawn('/usr/bin/python3', [SERVANT], {
    env: environment(home),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-20_000)));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  let last: Promise<unknown> = Promise.resolve();

  // One at a time: answers come in the order of the requests.
  const ask = <T>(request: object): Promise<T> => {
    const answer = last.then(async (): Promise<T> => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const line = await lines.next();
      if (line.done) throw new Error(`the Python process ended: ${words}`);
      return JSON.parse(line.value);
    });
    last = answer.catch(() => {});
    return answer;
  };
  return {
    cli: (argv) => ask({ cli: argv }),
    options: async () =>
      (await ask<{ value: Awaited<ReturnType<OpenstackClients['options']>> }>({ options: true })).value,
    methods: async (client) => (await ask<{ value: string[] }>({ methods: client })).value,
    library: (options, call) => ask({ library: options, ...call }),
    sdk: (options, call) => ask({ sdk: options, ...call }),
    async stop() {
      child.stdin.end();
      await ended;
      process.off('exit', killAtExit);
    },
  };
}
