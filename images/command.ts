/** Commands of the host that the recipes use. */
import { spawn } from 'node:child_process';

/** A command that failed: the message has the command, its exit code and its last words. */
export class CommandFailed extends Error {
  constructor(argv: readonly string[], how: string, words: string) {
    const shown = argv.join(' ');
    super(`"${shown.length > 300 ? `${shown.slice(0, 300)}...` : shown}" ${how}: ${words.trim().slice(-2000)}`);
    this.name = 'CommandFailed';
  }
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly input?: string;
}

/**
 * Runs a command to its end and gives its standard output. The command dies with this process, however that ends. Throws
 * CommandFailed on any exit code but 0.
 */
export function command(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { input, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { ...rest, stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      err = (err + chunk.toString()).slice(-8192);
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
    child.on('error', (error) => reject(new CommandFailed(argv, 'cannot be started', error.message)));
    child.on('close', (code, signal) => {
      const text = Buffer.concat(out).toString();
      if (code === 0) resolve(text);
      else reject(new CommandFailed(argv, signal ? `was killed by ${signal}` : `ended with ${code}`, err || text));
    });
  });
}
