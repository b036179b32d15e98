import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SshTarget } from '@bessemer/executor-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSshTransport, sshCommand } from './ssh.ts';
import { classifySshFailure } from './ssh-failures.ts';

const target: SshTarget = {
  transport: 'ssh',
  address: '192.0.2.7',
  user: 'root',
  privateKey: { pem: '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n' },
  knownHostKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVzdGluZ3Rlc3Rpbmd0ZXN0aW5ndGVzdGluZ3Rlc3Rp',
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bessemer-ssh-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('ssh', () => {
  it('trusts exactly the key it was told and reads nothing else', () => {
    const command = sshCommand(
      { ...target, port: 2222 },
      { knownHosts: '/k/known', identity: '/k/id' },
      'exec x',
      1500,
    );
    expect(command.slice(0, 4)).toEqual(['ssh', '-F', 'none', '-T']);
    for (const option of [
      'StrictHostKeyChecking=yes',
      'UserKnownHostsFile=/k/known',
      'GlobalKnownHostsFile=/dev/null',
      'HostKeyAlias=bessemer-target',
      'UpdateHostKeys=no',
      'BatchMode=yes',
      'PasswordAuthentication=no',
      'IdentitiesOnly=yes',
      'IdentityAgent=none',
      'ConnectTimeout=2',
    ])
      expect(command).toContain(option);
    expect(command.join(' ')).not.toMatch(/accept-new|StrictHostKeyChecking=(no|ask)/);
    expect(command.slice(-9)).toEqual(['-i', '/k/id', '-p', '2222', '-l', 'root', '--', '192.0.2.7', 'exec x']);
  });

  it('keeps a key in a file of its own only while the login lasts', async () => {
    const opening = await createSshTransport(folder).open(target, 'exec x', 1000);
    const identity = opening.command[opening.command.indexOf('-i') + 1]!;
    expect(statSync(identity).mode & 0o777).toBe(0o600);
    const known = opening.command.find((each) => each.startsWith('UserKnownHostsFile='))!.split('=')[1]!;
    expect(readFileSync(known, 'utf8')).toBe(`bessemer-target ${target.knownHostKey}\n`);
    await opening.cleanUp();
    expect(existsSync(identity)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is another connection when a key variable differs, and the same when another one does', () => {
    const { keyVariables } = createSshTransport(folder);
    const key = (change: Partial<SshTarget>) => JSON.stringify(keyVariables({ ...target, ...change }));
    const same = key({});
    expect(key({ port: 22 })).toBe(same);
    expect(key({ become: { method: 'sudo', user: 'app', always: true } })).toBe(same);
    const others = [
      { address: '192.0.2.8' },
      { port: 23 },
      { user: 'op' },
      { knownHostKey: 'ssh-rsa AAAA' },
      { privateKey: { path: '/x' } },
      { python: 'python3.6' },
      { become: { method: 'sudo', password: 'p' } },
    ] as const;
    expect(new Set(others.map(key)).size).toBe(others.length);
    expect(others.map(key)).not.toContain(same);
    expect(same).not.toContain('PRIVATE KEY');
  });

  it.each([
    [
      '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\nHost key verification failed.',
      'HOST_KEY_CHANGED',
    ],
    ['No ED25519 host key is known for bessemer-target and you have requested strict checking.', 'HOST_KEY_CHANGED'],
    [
      'Unable to negotiate with 192.0.2.7 port 22: no matching host key type found. Their offer: ssh-dss',
      'HOST_KEY_CHANGED',
    ],
    ['root@192.0.2.7: Permission denied (publickey).', 'AUTHENTICATION_FAILED'],
    ['Received disconnect from 192.0.2.7 port 22:2: Too many authentication failures', 'AUTHENTICATION_FAILED'],
    ['Load key "/k/id": error in libcrypto\r\nroot@192.0.2.7: Permission denied (publickey).', 'AUTHENTICATION_FAILED'],
    ['ssh: connect to host 192.0.2.7 port 22: Connection refused', 'UNREACHABLE'],
    ['ssh: connect to host 192.0.2.7 port 22: No route to host', 'UNREACHABLE'],
    ['ssh: Could not resolve hostname n1.example: Name or service not known', 'UNREACHABLE'],
    ['kex_exchange_identification: Connection closed by remote host', 'UNREACHABLE'],
    ['Timeout, server 192.0.2.7 not responding.', 'UNREACHABLE'],
    ['', 'UNREACHABLE'],
  ])('saying %j is its own error', (text, code) => {
    expect(classifySshFailure(text)).toBe(code);
  });
});
