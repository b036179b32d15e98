/** Child processes of a real machine: commands that end, and QEMU. */
import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { OVMF_VARS } from './command-line.ts';
import type { MachineSpec } from './command-line.ts';
import type { LaunchQemu } from './machine.ts';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that failed where it must not: the message has the command and what it said. */
export class CommandFailed extends Error {
  readonly result: CommandResult;
  constructor(argv: readonly string[], result: CommandResult) {
    super(`"${argv.join(' ')}" ended with ${result.code}: ${(result.stderr || result.stdout).trim().slice(-2000)}`);
    this.name = 'CommandFailed';
    this.result = result;
  }
}

/** Runs a command to its end, whatever its exit code. Rejects only when it cannot be started. */
export function tryCommand(
  argv: readonly string[],
  options: { input?: string; cwd?: string; env?: NodeJS.ProcessEnv; signal?: AbortSignal } = {},
): Promise<CommandResult> {
  const { input, ...rest } = options;
  return new Promise((done, reject) => {
    const child = spawn(argv[0] ?? '', argv.slice(1), { ...rest, stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
    child.on('error', reject);
    child.on('close', (code, signal) =>
      done({
        code: code ?? 128,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString() + (signal ? `\nkilled by ${signal}` : ''),
      }),
    );
  });
}

/** Runs a command that must succeed and gives its standard output. Throws CommandFailed. */
export async function runCommand(argv: readonly string[], options?: Parameters<typeof tryCommand>[1]): Promise<string> {
  const result = await tryCommand(argv, options);
  if (result.code !== 0) throw new CommandFailed(argv, result);
  return result.stdout;
}

/** Starts a process that dies with the one that starts it, also by `kill -9`. Its pid is the program's own. */
export function spawnBound(argv: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], options);
}

/** The end of a log; nothing when whoever took the lab down took the log as well. */
export const lastLines = (path: string, count: number): string =>
  existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').slice(-count).join('\n') : '';

/**
 * Starts QEMUs in `dir`, their error output in `dir/qemu.log`. A UEFI server gets its own copy of the variables at its
 * first start and keeps it, as a real one keeps its NVRAM.
 */
export function qemuLauncher(dir: string, spec: MachineSpec): LaunchQemu {
  return (args) => {
    const varsPath = resolve(dir, spec.varsPath);
    if (spec.firmware === 'uefi' && !existsSync(varsPath)) copyFileSync(OVMF_VARS, varsPath);
    rmSync(resolve(dir, spec.serialSocketPath), { force: true });
    const logPath = join(dir, 'qemu.log');
    const log = openSync(logPath, 'a');
    const child = spawnBound(['qemu-system-x86_64', ...args], { cwd: dir, stdio: ['pipe', 'pipe', log] });
    closeSync(log);
    child.stdin?.on('error', () => {});
    const exited = new Promise<string>((done) => {
      child.on('error', (error) => done(`cannot be started: ${error.message}`));
      child.on('exit', (code, signal) => {
        const words = code ? lastLines(logPath, 1) : '';
        done(signal ? `killed by ${signal}` : `exit code ${code}${words ? ` (${words})` : ''}`);
      });
    });
    return {
      pid: child.pid ?? 0,
      send: (line) => void child.stdin?.write(line),
      onData: (listener) => void child.stdout?.on('data', listener),
      exited,
      kill: () => void child.kill('SIGKILL'),
    };
  };
}

/** When a process started, in clock ticks since boot (proc(5), stat field 22): with the pid it names one process for good.
 * Nothing for one that has ended, reaped or not. */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : rest[18];
  } catch {
    return undefined;
  }
}
