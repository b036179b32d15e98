/** For the tests of this room: the real service as a child, and both command lines on it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Io } from './command.ts';
import { runProgram } from './program.ts';

/** Input and output in memory; folders by their files. */
export function memoryIo(files: Record<string, string> = {}) {
  const written = { out: '', err: '' };
  const io: Io = {
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    readFile: (path) => files[path]!,
    isFile: (path) => Object.hasOwn(files, path),
    listFolder(path) {
      const below = Object.keys(files).filter((f) => f.startsWith(`${path}/`));
      return below.length === 0 ? undefined : [...new Set(below.map((f) => f.slice(path.length + 1).split('/')[0]!))];
    },
    readInput: async () => '',
    writeFile: () => {},
    terminalWidth: () => undefined,
    hasColour: false,
    signal: new AbortController().signal,
    runProgram: ([program]) => (program === 'mkisofs' ? { code: 0, out: Buffer.from('iso'), err: '' } : undefined),
  };
  return { io, written };
}

export interface RecordingServer {
  readonly endpoint: string;
  /** Method, path with query, and body of each request. */
  readonly seen: Array<readonly [method: string, path: string, body: unknown]>;
  /** Headers of each request. */
  readonly headers: IncomingHttpHeaders[];
  close(): Promise<void>;
}

/** A server on loopback that keeps its requests and answers as it is told. */
export async function recordingServer(
  answer: (method: string, path: string, index: number) => { readonly status: number; readonly body?: unknown },
): Promise<RecordingServer> {
  const seen: RecordingServer['seen'] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    request.on('end', () => {
      const [method, path] = [request.method!, request.url!];
      const { status, body } = answer(method, path, seen.length);
      headers.push(request.headers);
      seen.push([method, path, text === '' ? null : JSON.parse(text)]);
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(body === undefined || body === null ? '' : JSON.stringify(body));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    headers,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Runs a command line against the server; no time passes. */
export async function runOn(server: RecordingServer, argv: readonly string[], files?: Record<string, string>) {
  const { io, written } = memoryIo(files);
  const code = await runProgram({
    argv: ['--os-auth-type', 'none', '--os-endpoint', server.endpoint, ...argv],
    env: {},
    io,
    clock: { now: () => 0, sleep: async () => {} },
    newKey: () => 'k',
    version: '9',
  });
  return { code, ...written };
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Installation {
  readonly folder: string;
  readonly endpoint: string;
  /** Starts the service, again on the same port and data. */
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Our command line, which finds the service by its profile. */
  ours(...args: string[]): Promise<Ran>;
  /** Starts ours and gives the child, for what is watched while it runs. */
  startOurs(...args: string[]): ChildProcess;
  /** Ironic's own command line on the same service: several commands in one process, as its start takes seconds. */
  theirs(commands: readonly (readonly string[])[]): Promise<Ran[]>;
  end(): Promise<void>;
}

/** Output and exit code of a child. */
export async function outcome(child: ChildProcess): Promise<Ran> {
  let out = '';
  let err = '';
  child.stdout!.setEncoding('utf8').on('data', (t: string) => (out += t));
  child.stderr!.setEncoding('utf8').on('data', (t: string) => (err += t));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? 128, out, err };
}

/** Runs each command of Ironic's client in one Python process and prints what each wrote, as JSON. */
const RUN_EACH = `
import contextlib, io, json, sys
from ironicclient import shell
results = []
for argv in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = shell.main(argv)
        except SystemExit as e:
            code = e.code
    results.append({"code": code or 0, "out": out.getvalue(), "err": err.getvalue()})
print(json.dumps(results))
`;

/** The other ports of the service: free ones, so that several services stand beside each other. */
const FREE_PORTS = ['boot.http_port=0', 'boot.tftp_port=0', 'agent.port=0', 'depot.port=0'].flatMap((p) => [
  '--set',
  p,
]);

/** A service with data of its own on a free port of loopback. */
export async function createInstallation(
  auth: 'noauth' | 'http_basic' = 'noauth',
  more: readonly string[] = [],
): Promise<Installation> {
  const folder = mkdtempSync(join(tmpdir(), 'bmr-cli-'));
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: folder,
    LANG: 'C.UTF-8',
    BESSEMER_PROFILE: join(folder, 'profile.json'),
    PYTHONWARNINGS: 'ignore',
  };
  let service: ChildProcess | undefined;
  let port = 0;
  const spawned = (argv: readonly string[]) =>
    spawn(argv[0]!, argv.slice(1), { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const startOurs = (...args: string[]) => spawned([process.execPath, join(ROOT, 'services/cli/main.ts'), ...args]);
  const stop = async (signal: NodeJS.Signals) => {
    const child = service;
    service = undefined;
    if (!child || child.exitCode !== null) return;
    const closed = once(child, 'close');
    child.kill(signal);
    await closed;
  };
  const installation: Installation = {
    folder,
    get endpoint() {
      return `http://127.0.0.1:${port}`;
    },
    async start() {
      const main = join(ROOT, 'services/bessemer/main.ts');
      const child = spawned([
        process.execPath,
        main,
        'up',
        '--auth',
        auth,
        '--api-port',
        String(port),
        '--data-dir',
        join(folder, 'data'),
        ...FREE_PORTS,
        ...more,
      ]);
      service = child;
      let text = '';
      child.stderr!.setEncoding('utf8').on('data', (t: string) => (text += t));
      port = await new Promise<number>((resolve, reject) => {
        child.stdout!.setEncoding('utf8').on('data', (t: string) => {
          text += t;
          const found = /^API http:\/\/127\.0\.0\.1:(\d+)$/m.exec(text)?.[1];
          if (found) resolve(Number(found));
        });
        child.once('close', (code) => reject(new Error(`the service ended with ${code}: ${text}`)));
      });
    },
    kill: () => stop('SIGKILL'),
    startOurs,
    ours: (...args) => outcome(startOurs(...args)),
    async theirs(commands) {
      const connection = ['--os-auth-type', 'none', '--os-endpoint', installation.endpoint];
      const argvs = JSON.stringify(commands.map((args) => [...connection, ...args]));
      const { code, out, err } = await outcome(spawned(['/usr/bin/python3', '-c', RUN_EACH, argvs]));
      if (code !== 0) throw new Error(`python3-ironicclient could not be run: ${err}`);
      return JSON.parse(out) as Ran[];
    },
    async end() {
      await stop('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await installation.start();
  return installation;
}
