/** `baremetal`: the command line of operators. Reads arguments and environment, and makes the real clock, files and terminal. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { Clock } from './clock.ts';
import type { Io } from './command.ts';
import { CliError } from './errors.ts';
import { runProgram } from './program.ts';
import { VERSION } from './version.ts';

const clock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener('abort', end, { once: true });
    }),
};

const { stdin, stdout, stderr, env } = process;
const interrupt = new AbortController();
process.on('SIGINT', () => {
  if (interrupt.signal.aborted) process.exit(130);
  interrupt.abort();
});
process.on('SIGTERM', () => process.exit(143));
// The reader has gone: `baremetal node list | head -1`.
stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const isTerminal = stdout.isTTY && env['TERM'] !== 'dumb';
const reasonOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? (error as Error).message;
const stat = (path: string) => statSync(path, { throwIfNoEntry: false });

const io: Io = {
  out: (text) => void stdout.write(text),
  err: (text) => void stderr.write(text),
  readFile(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new CliError(`The file ${path} cannot be read: ${reasonOf(error)}`, { cause: error });
    }
  },
  listFolder: (path) => (stat(path)?.isDirectory() ? readdirSync(path).toSorted() : undefined),
  isFile: (path) => stat(path)?.isFile() ?? false,
  async readInput() {
    stdin.setEncoding('utf8');
    let text = '';
    for await (const piece of stdin) text += piece as string;
    return text;
  },
  writeFile(path, content) {
    try {
      writeFileSync(path, content);
    } catch (error) {
      throw new CliError(`The file ${path} cannot be written: ${reasonOf(error)}`, { cause: error });
    }
  },
  terminalWidth: () => (isTerminal ? stdout.columns || 80 : undefined),
  hasColour: isTerminal && !env['NO_COLOR'],
  signal: interrupt.signal,
  runProgram([program, ...args]) {
    // Loaded only here: few commands need it.
    const { spawnSync } = process.getBuiltinModule('node:child_process');
    const result = spawnSync(program!, args, { maxBuffer: 256 * 1024 * 1024 });
    if (result.error) return undefined;
    return { code: result.status ?? 1, out: result.stdout, err: result.stderr.toString() };
  },
};

// The web's crypto is there without loading a module.
const newKey = () => crypto.randomUUID();
process.exitCode = await runProgram({ argv: process.argv.slice(2), env, io, clock, newKey, version: VERSION });
// An event stream that is still open must not keep a finished command alive; what was written leaves first.
stdout.write('', () => stderr.write('', () => process.exit()));
