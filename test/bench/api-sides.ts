/** The two services of the API's benchmark: how each is started, weighed and filled. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, closeSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '@bessemer/ports/node';
import { freePort, prepareIronic, untilAnswers } from '../differential/ironic.ts';
import { ownEnvironment } from '../integration/service-process.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface RunningSide {
  readonly port: number;
  readonly startMs: number;
  /** Proportional memory of all its processes, MiB. */
  memoryMib(): number;
  /** Processor time that it has used so far. */
  cpuMs(): number;
  stop(): Promise<void>;
}

export interface Side {
  readonly name: string;
  readonly version: string;
  /** May be called again after `stop`: the database stays. */
  start(): Promise<RunningSide>;
  /** Copies the node of that name until there are `count` nodes; undefined where creating them is fast enough. */
  readonly fill?: (name: string, count: number) => Promise<void>;
  /** Whether nodes that have not changed are shown faster. */
  readonly keepsViews: boolean;
  remove(): void;
}

/** Fields of /proc/PID/stat after the name: 0 state, 1 parent, 11 user and 12 system time in ticks of 10 ms. */
const statOf = (pid: string | number): string[] => {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
};

/** A process and all below it. */
function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const parent = Number(statOf(entry)[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // Ended meanwhile.
    }
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

const pssKib = (pid: number) =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
const memoryMib = (root: number) => treeOf(root).reduce((sum, pid) => sum + pssKib(pid), 0) / 1024;
const cpuMs = (root: number) => 10 * (Number(statOf(root)[11]) + Number(statOf(root)[12]));

const FILL = `
import sqlite3, sys, uuid
file, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = sqlite3.connect(file, timeout=60)
columns = [c[1] for c in db.execute('pragma table_info(nodes)') if c[1] not in ('id', 'uuid', 'name')]
have = db.execute('select count(*) from nodes').fetchone()[0]
text = 'insert into nodes (uuid, name, %s) select ?, ?, %s from nodes where name = ?' % (', '.join(columns), ', '.join(columns))
db.executemany(text, ((str(uuid.uuid4()), 'filled-%d' % i, name) for i in range(have, count)))
db.commit()
`;

/** Ironic in its one-process form. */
export async function ironicSide(say: (line: string) => void): Promise<Side> {
  const installation = await prepareIronic(say);
  let database = '';
  return {
    name: 'Ironic',
    keepsViews: false,
    version: installation.version,
    async start() {
      const ironic = await installation.start();
      database = ironic.database;
      return {
        port: Number(new URL(ironic.url).port),
        startMs: ironic.startMs,
        memoryMib: () => memoryMib(ironic.pid),
        cpuMs: () => cpuMs(ironic.pid),
        stop: () => ironic.stop(),
      };
    },
    async fill(name, count) {
      await run('/usr/bin/python3', ['-c', FILL, database, name, String(count)]);
    },
    remove: () => installation.remove(),
  };
}

/** Bessemer as it is packed: modules of JavaScript, as an operator's installation has them. */
export async function bessemerSide(say: (line: string) => void): Promise<Side> {
  const folder = mkdtempSync(join(tmpdir(), 'bmr-bench-api-'));
  say('packing Bessemer');
  await run(process.execPath, [join(ROOT, 'tools/pack.ts'), folder], { cwd: ROOT });
  // What npm would install beside the package is what the workspace has.
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const program = join(folder, 'package/bin/bessemer.mjs');
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  const logFile = join(folder, 'log');
  return {
    name: 'Bessemer',
    keepsViews: true,
    version: JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version,
    async start() {
      const port = await freePort();
      const output = openSync(logFile, 'w');
      const startedMs = systemClock.monotonicMs();
      const argv = [
        'up',
        '--auth',
        'noauth',
        '--api-port',
        String(port),
        '--data-dir',
        dataDir,
        '--set',
        'depot.port=0',
      ];
      const child = spawn(program, argv, {
        env: { ...ownEnvironment(dataDir), PATH: `${dirname(process.execPath)}:${process.env['PATH']}` },
        stdio: ['ignore', output, output],
      });
      closeSync(output);
      process.once('exit', () => child.kill('SIGKILL'));
      await untilAnswers(child, `http://127.0.0.1:${port}/v1/nodes`, () =>
        readFileSync(logFile, 'utf8').slice(-20_000),
      );
      const startMs = systemClock.monotonicMs() - startedMs;
      return {
        port,
        startMs,
        memoryMib: () => memoryMib(child.pid!),
        cpuMs: () => cpuMs(child.pid!),
        stop: () => stopChild(child),
      };
    },
    remove,
  };
}

function stopChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
