/** The small variant's reader of the config drive, run on a folder instead of `/`. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const READER = fileURLToPath(new URL('files/configdrive.py', import.meta.url));
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bmr-drive-'));
  for (const dir of ['etc/ssh', 'proc/sys/kernel', 'home/debian', 'root', 'var/lib', 'drive/openstack/latest'])
    mkdirSync(join(root, dir), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

/** Applies a drive with these files; every absolute path of the reader is put below the temporary folder. */
function apply(files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'drive/openstack/latest', name), text);
  const program = readFileSync(READER, 'utf8').replaceAll(/"\/(etc|proc|home|root|var)/g, `"${root}/$1`);
  return execFileSync('python3', ['-IS', '-c', program, join(root, 'drive')], { encoding: 'utf8' });
}
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const mode = (path: string): number => statSync(join(root, path)).mode & 0o777;

const PRIVATE =
  '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n  =\n-----END OPENSSH PRIVATE KEY-----\n';
const indented = (text: string): string => text.trimEnd().replaceAll(/^/gm, '    ');

test('name and keys', () => {
  apply({
    'meta_data.json': JSON.stringify({
      hostname: 'web-1.example.org',
      public_keys: { a: 'ssh-ed25519 AAA a\n', b: 'ssh-ed25519 BBB b' },
      keys: [
        { name: 'b', type: 'ssh', data: 'ssh-ed25519 BBB b' },
        { type: 'x509', data: 'nothing' },
      ],
    }),
  });
  expect(read('etc/hostname')).toBe('web-1\n');
  expect(read('proc/sys/kernel/hostname')).toBe('web-1');
  expect(read('etc/hosts')).toContain('127.0.1.1 web-1.example.org web-1\n');
  for (const home of ['home/debian', 'root']) {
    expect(read(`${home}/.ssh/authorized_keys`)).toBe('ssh-ed25519 AAA a\nssh-ed25519 BBB b\n');
    expect(mode(`${home}/.ssh/authorized_keys`)).toBe(0o600);
    expect(mode(`${home}/.ssh`)).toBe(0o700);
  }
});

test.each([
  [
    'block scalars',
    `#cloud-config\nssh_keys:\n  ed25519_private: |\n${indented(PRIVATE)}\n  ed25519_public: ssh-ed25519 AAA host\n`,
  ],
  [
    'quoted, beside other settings',
    `#cloud-config\nruncmd:\n- [ls]\nssh_keys:\n  ed25519_public: "ssh-ed25519 AAA host"\n  ed25519_private: |\n${indented(PRIVATE)}\nusers:\n  other_private: no\n`,
  ],
  [
    'JSON',
    `#cloud-config\n${JSON.stringify({ ssh_keys: { ed25519_private: PRIVATE, ed25519_public: 'ssh-ed25519 AAA host' } })}`,
  ],
])('SSH host keys as cloud-init takes them: %s', (_, config) => {
  apply({ 'meta_data.json': '{}', 'vendor_data.json': JSON.stringify({ 'cloud-init': config }) });
  expect(read('etc/ssh/ssh_host_ed25519_key')).toBe(PRIVATE);
  expect(mode('etc/ssh/ssh_host_ed25519_key')).toBe(0o600);
  expect(read('etc/ssh/ssh_host_ed25519_key.pub')).toBe('ssh-ed25519 AAA host\n');
});

test('a script of user_data is kept for the end, anything else is named', () => {
  apply({ 'meta_data.json': '{}', user_data: '#!/bin/sh\necho hello\n' });
  expect(read('var/lib/configdrive/user-data')).toBe('#!/bin/sh\necho hello\n');
  expect(mode('var/lib/configdrive/user-data')).toBe(0o700);
  rmSync(join(root, 'var/lib/configdrive'), { recursive: true });
  expect(apply({ 'meta_data.json': '{}', user_data: '#cloud-config\n{}\n' })).toContain('user_data is no script');
  expect(existsSync(join(root, 'var/lib/configdrive'))).toBe(false);
});

test('broken files are named and stop nothing', () => {
  chmodSync(root, 0o755);
  const said = apply({ 'meta_data.json': '{"hostname": ', 'vendor_data.json': '[1]', user_data: '' });
  expect(said).toContain('meta_data.json is not JSON');
  expect(read('root/.ssh/authorized_keys')).toBe('');
});
