import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { buildConfigDrive, type ConfigDrive, parseConfigDriveInput, readIso9660, type Result } from './index.ts';

const dir = mkdtempSync(join(tmpdir(), 'config-drive-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const DRIVE: ConfigDrive = {
  metaData: { uuid: 'u1', hostname: 'h1' },
  networkData: { links: [] },
  userData: '#!/bin/sh\necho hello\n',
  vendorData: { 'cloud-init': '#cloud-config\n' },
  extraFiles: [{ path: 'openstack/content/long name with ümlaut.conf', data: Buffer.alloc(5000, 65) }],
};
const PATHS: Record<string, string> = {
  'openstack/latest/meta_data.json': '{"uuid":"u1","hostname":"h1"}\n',
  'openstack/latest/network_data.json': '{"links":[]}\n',
  'openstack/latest/user_data': '#!/bin/sh\necho hello\n',
  'openstack/latest/vendor_data.json': '{"cloud-init":"#cloud-config\\n"}\n',
  'openstack/content/long name with ümlaut.conf': 'A'.repeat(5000),
};

describe('a drive of ours', () => {
  const image = join(dir, 'ours.iso');
  writeFileSync(image, value(buildConfigDrive(DRIVE, { timeMs: 1_772_284_455_000 })));

  test('is found by its label', () => {
    expect(run('blkid', '-p', '-o', 'export', image)).toMatch(/LABEL=config-2\n[^]*TYPE=iso9660/);
  });

  test('is read by xorriso, Rock Ridge modes included', () => {
    const out = join(dir, 'xorriso');
    run('xorriso', '-osirrox', 'on', '-indev', image, '-extract', '/', out);
    for (const [path, text] of Object.entries(PATHS)) expect(readFileSync(join(out, path), 'utf8')).toBe(text);
    expect(run('xorriso', '-indev', image, '-lsl', '/openstack/latest')).toMatch(/-r--------.* 'meta_data.json'/);
    run('chmod', '-R', 'u+rwX', out);
  });

  test("passes xorriso's own check", () => {
    expect(() => run('xorriso', '-abort_on', 'WARNING', '-indev', image, '-check_media', '--')).not.toThrow();
  });

  test("is read by GRUB's reader", () => {
    for (const [path, text] of Object.entries(PATHS))
      expect(run('grub-fstest', image, 'cat', `(loop0)/${path}`)).toBe(text);
    expect(run('grub-fstest', image, 'ls', '--', '-l', '(loop0)/openstack/latest')).toContain('user_data');
  });
});

describe.each([
  ['Rock Ridge and Joliet', ['-J', '-R']],
  ['Rock Ridge', ['-r']],
  ['Joliet', ['-J']],
  ['long plain names', ['-l', '-iso-level', '4', '-allow-lowercase', '-relaxed-filenames']],
])('a drive made by mkisofs with %s', (name, options) => {
  test('is read', async () => {
    const root = join(dir, name.replaceAll(' ', '-'));
    const paths = Object.entries(PATHS).filter(([path]) => !path.includes('ü') || options.length < 3);
    for (const [path, text] of paths) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const image = `${root}.iso`;
    run('xorriso', '-as', 'mkisofs', '-quiet', '-V', 'config-2', ...options, '-o', image, root);
    const seen = value(readIso9660(readFileSync(image), 1 << 20));
    expect(seen.volumeLabel).toBe('config-2');
    expect(Object.fromEntries(seen.files.map((f) => [f.path, Buffer.from(f.data).toString()]))).toEqual(
      Object.fromEntries(paths),
    );
    const drive = value(await parseConfigDriveInput(gzipSync(readFileSync(image)).toString('base64')));
    expect(drive.metaData).toEqual(DRIVE.metaData);
  });
});
