/**
 * The `ssh` transport: one child of the system's ssh, one login, one exec channel. It trusts exactly the host key it was
 * told, reads no configuration, asks nothing, and offers nothing but the one key.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExecutorError, type SshTarget } from '@bessemer/executor-protocol';
import { classifySshFailure } from './ssh-failures.ts';
import type { Transport } from './transport.ts';

/** The name under which the known host key stands: the same for every address, port and proxy. */
const HOST_ALIAS = 'bessemer-target';
const SERVER_ALIVE_INTERVAL_S = 15;
const SERVER_ALIVE_COUNT = 4;

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data);

/** SHA256:... as `ssh-keygen -l` prints it, for `type base64`. */
export function hostKeyFingerprint(knownHostKey: string): string {
  const blob = Buffer.from(knownHostKey.split(' ')[1] ?? '', 'base64');
  return `SHA256:${sha256(blob).digest('base64').replace(/=+$/, '')}`;
}

/** The options that make ssh strict; `files` are the only two it reads. */
export function sshCommand(
  target: SshTarget,
  files: { readonly knownHosts: string; readonly identity: string },
  shellCommand: string,
  connectTimeoutMs: number,
): string[] {
  const options: Record<string, string | number> = {
    BatchMode: 'yes',
    PasswordAuthentication: 'no',
    KbdInteractiveAuthentication: 'no',
    PreferredAuthentications: 'publickey',
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: files.knownHosts,
    GlobalKnownHostsFile: '/dev/null',
    HostKeyAlias: HOST_ALIAS,
    CheckHostIP: 'no',
    UpdateHostKeys: 'no',
    VerifyHostKeyDNS: 'no',
    ForwardAgent: 'no',
    ClearAllForwardings: 'yes',
    ControlMaster: 'no',
    ControlPath: 'none',
    ConnectTimeout: Math.max(1, Math.ceil(connectTimeoutMs / 1000)),
    ServerAliveInterval: SERVER_ALIVE_INTERVAL_S,
    ServerAliveCountMax: SERVER_ALIVE_COUNT,
    TCPKeepAlive: 'yes',
    EscapeChar: 'none',
    LogLevel: 'ERROR',
  };
  return [
    'ssh',
    '-F',
    'none',
    '-T',
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    '-i',
    files.identity,
    '-p',
    String(target.port ?? 22),
    '-l',
    target.user,
    '--',
    target.address,
    shellCommand,
  ];
}

/** The transport. `stateDir` is a folder of mode 0700; key files stand in it while a login lasts. */
export function createSshTransport(stateDir: string): Transport<SshTarget> {
  return {
    keyVariables(target) {
      const key = 'path' in target.privateKey ? `path:${target.privateKey.path}` : `pem:${target.privateKey.pem}`;
      return {
        transport: 'ssh',
        address: target.address,
        port: String(target.port ?? 22),
        user: target.user,
        knownHostKey: target.knownHostKey,
        privateKey: sha256(key).digest('hex'),
        python: target.python ?? '',
        // An account's password belongs to the interpreters that were started with it.
        become: sha256(target.become?.password ?? '').digest('hex'),
      };
    },
    describe: (target) => `${target.user}@${target.address}:${target.port ?? 22}`,
    limitKey: (target) => `${target.address}:${target.port ?? 22}`,

    async open(target, shellCommand, connectTimeoutMs) {
      const folder = await mkdtemp(join(stateDir, 'ssh-'));
      const knownHosts = join(folder, 'known_hosts');
      await writeFile(knownHosts, `${HOST_ALIAS} ${target.knownHostKey}\n`, { mode: 0o600 });
      let identity: string;
      if ('path' in target.privateKey) identity = target.privateKey.path;
      else {
        identity = join(folder, 'identity');
        await writeFile(identity, target.privateKey.pem, { mode: 0o600 });
      }
      return {
        command: sshCommand(target, { knownHosts, identity }, shellCommand, connectTimeoutMs),
        hostKeyFingerprint: hostKeyFingerprint(target.knownHostKey),
        cleanUp: () => rm(folder, { recursive: true, force: true }),
      };
    },

    explain(target, end) {
      const at = `${target.user}@${target.address}:${target.port ?? 22}`;
      const transportText = end.problem ?? end.errorText.trim();
      // Other codes than 255 are those of the remote command: the login worked.
      if (end.code !== null && end.code !== 255)
        return new ExecutorError(
          'PYTHON_MISSING',
          `The login to ${at} worked, but Python 3.6 or later did not start there (code ${end.code}).`,
          { transportText },
        );
      const code = classifySshFailure(transportText);
      const sentences: Partial<Record<typeof code, string>> = {
        HOST_KEY_CHANGED: `${at} showed another host key than ${hostKeyFingerprint(target.knownHostKey)}; nothing was sent to it.`,
        AUTHENTICATION_FAILED: `${at} refused the key or the user.`,
      };
      return new ExecutorError(code, sentences[code] ?? `${at} could not be reached.`, { transportText });
    },
  };
}
