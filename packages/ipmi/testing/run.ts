/** Runs a foreign client to its end, for integration tests and benchmarks. */
import { spawn } from 'node:child_process';

export interface RunResult {
  readonly exitCode: number | null;
  /** Standard output and error together. */
  readonly output: string;
}

export function run(file: string, args: readonly string[]): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', (cause) =>
      reject(new Error(`${file} does not start: is its Debian package installed?`, { cause })),
    );
    child.once('close', (exitCode) => resolve({ exitCode, output: Buffer.concat(chunks).toString() }));
  });
}
