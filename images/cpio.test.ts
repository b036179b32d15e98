import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cpioEntry, cpioTrailer, directory, regularFile, symlink } from './cpio.ts';

test('GNU cpio reads what we write, whatever the lengths', () => {
  const dir = mkdtempSync(join(tmpdir(), 'bmr-cpio-'));
  try {
    const entries = [
      directory('d'),
      ...[0, 1, 2, 3, 4, 5].map((length) => regularFile(`d/${'f'.repeat(length + 1)}`, Buffer.alloc(length, 0x61))),
      regularFile('d/program', Buffer.from('#!/bin/sh\n'), 0o755),
      symlink('link', 'd/program'),
    ];
    const archive = Buffer.concat([...entries.map((entry, index) => cpioEntry(entry, index + 1)), cpioTrailer()]);
    execFileSync('cpio', ['-i', '--quiet', '--no-absolute-filenames'], { cwd: dir, input: archive });
    expect(readFileSync(join(dir, 'd/ffff'), 'utf8')).toBe('aaa');
    expect(readFileSync(join(dir, 'd/f'), 'utf8')).toBe('');
    expect(statSync(join(dir, 'd/program')).mode & 0o777).toBe(0o755);
    expect(readlinkSync(join(dir, 'link'))).toBe('d/program');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a header has the field widths of the format', () => {
  const entry = cpioEntry(regularFile('ab', Buffer.from('x')), 7);
  expect(entry.subarray(0, 110).toString()).toBe(
    '070701' +
      '00000007' + // inode
      '000081a4' + // a regular file, 0644
      '00000000' + // owner
      '00000000' + // group
      '00000001' + // links
      '00000000' + // time
      '00000001' + // size
      '00000000'.repeat(4) + // devices
      '00000003' + // name with its NUL
      '00000000', // check
  );
  expect(entry.length % 4).toBe(0);
});
