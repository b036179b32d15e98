/** A real sshd for tests: own port on loopback, own host key, own configuration, and a log that tells logins and channels. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SshTarget } from '@bessemer/executor-protocol';

export interface TestSshd {
  readonly port: number;
  readonly folder: string;
  /** Root's key, and one that nobody accepts. */
  readonly keyPath: string;
  readonly otherKeyPath: string;
  readonly hostKey: string;
  readonly otherHostKey: string;
  readonly logPath: string;
  target(change?: Partial<SshTarget>): SshTarget;
  /** What sshd's log counts since it began. */
  logins(): number;
  channels(): number;
  stop(): Promise<void>;
}

/** A port of loopback that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function makeKey(path: string): string {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path]);
  return readFileSync(`${path}.pub`, 'utf8').trim();
}

/** What surrounds the sshd, so that a target may be changed at will without changing this machine. */
export type Surroundings =
  /** This machine as it is. */
  | 'shared'
  /** Own host name, own copy of /etc, own /home, /srv and /dev/shm: all gone when the sshd is. */
  | 'private'
  /** All file systems read-only but the test's own folder. */
  | 'read-only';

const PRIVATE = `set -e; f=$1; shift
cp -a /etc "$f/etc"; mount --bind "$f/etc" /etc
for at in /home /srv /dev/shm; do mount -t tmpfs -o mode=0755 tmpfs $at; done; chmod 1777 /dev/shm
exec "$@"`;
const READ_ONLY = `set -e; f=$1; shift
mount --bind "$f" "$f"
while read -r _ at kind _; do
  case "$kind" in proc|sysfs|cgroup*|devpts) continue;; esac
  [ "$at" = "$f" ] || mount -o remount,bind,ro "$at" 2>/dev/null || true
done < /proc/self/mounts
exec "$@"`;

function wrapper(surroundings: Surroundings, folder: string): string[] {
  if (surroundings === 'shared') return [];
  const script = surroundings === 'private' ? PRIVATE : READ_ONLY;
  return ['unshare', '--mount', '--uts', '--propagation', 'private', 'sh', '-c', script, 'sh', folder];
}

/** Starts it and waits until it listens. Needs root. `prepare` is a shell command run inside the surroundings before sshd. One session per connection, unless told. */
export async function startSshd(
  options: { readonly surroundings?: Surroundings; readonly prepare?: string; readonly maxSessions?: number } = {},
): Promise<TestSshd> {
  const folder = mkdtempSync(join(tmpdir(), 'bessemer-sshd-'));
  // Other accounts' logins read their authorized keys as themselves.
  chmodSync(folder, 0o711);
  const port = await freePort();
  const file = (name: string) => join(folder, name);
  const hostKey = makeKey(file('host'));
  const otherHostKey = makeKey(file('other-host'));
  writeFileSync(file('authorized_keys'), `${makeKey(file('key'))}\n`, { mode: 0o644 });
  makeKey(file('other-key'));
  writeFileSync(
    file('config'),
    `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${file('host')}\nAuthorizedKeysFile ${file('authorized_keys')}\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nMaxSessions ${options.maxSessions ?? 1}\nPidFile none\nLogLevel VERBOSE\nSubsystem sftp internal-sftp\n`,
  );
  // sshd's folder for privilege separation: Debian makes it when the service starts.
  const madeRunFolder = !existsSync('/run/sshd');
  if (madeRunFolder) mkdirSync('/run/sshd', { mode: 0o755 });
  const [program = '', ...rest] = [
    ...wrapper(options.surroundings ?? 'shared', folder),
    ...(options.prepare === undefined ? [] : ['sh', '-c', `set -e; ${options.prepare}\nexec "$@"`, 'sh']),
    '/usr/sbin/sshd',
    '-D',
    '-f',
    file('config'),
    '-E',
    file('log'),
  ];
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', program, ...rest], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const log = () => (existsSync(file('log')) ? readFileSync(file('log'), 'utf8') : '');
  while (!log().includes('Server listening')) {
    if (child.exitCode !== null) throw new Error(`sshd ended at its start: ${log()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const count = (pattern: RegExp) => [...log().matchAll(pattern)].length;
  return {
    port,
    folder,
    keyPath: file('key'),
    otherKeyPath: file('other-key'),
    hostKey,
    otherHostKey,
    logPath: file('log'),
    target: (change = {}) => ({
      transport: 'ssh',
      address: '127.0.0.1',
      port,
      user: 'root',
      privateKey: { path: file('key') },
      knownHostKey: hostKey,
      ...change,
    }),
    logins: () => count(/^Accepted publickey for /gm),
    channels: () => count(/^Starting session: /gm),
    async stop() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
      if (madeRunFolder) rmSync('/run/sshd', { recursive: true, force: true });
    },
  };
}
