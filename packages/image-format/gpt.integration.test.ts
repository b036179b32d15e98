import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { addPartition, GPT_HEAD_BYTES, type GptChange, parseGpt, type Result, relocateBackup } from './index.ts';

const MIB = 1024 * 1024;
const LINUX = '0fc63daf-8483-4772-8e79-3d69d8477de4';
const dir = mkdtempSync(join(tmpdir(), 'gpt-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}
function makeDisk(name: string, script: string, sector: number): string {
  const path = join(dir, name);
  writeFileSync(path, '');
  truncateSync(path, 64 * MIB);
  withLoop(path, sector, (device) =>
    execFileSync('sfdisk', ['-q', '--no-reread', device], { input: script, stdio: ['pipe', 'ignore', 'ignore'] }),
  );
  return path;
}
/** sfdisk takes the sector size from the device, so a file has to look like one. */
function withLoop<T>(path: string, sector: number, fn: (device: string) => T): T {
  const args = ['--find', '--show', '--sector-size', String(sector), path];
  const device = execFileSync('losetup', args, { encoding: 'utf8' }).trim();
  try {
    return fn(device);
  } finally {
    execFileSync('losetup', ['--detach', device]);
  }
}
function head(path: string): Uint8Array {
  const fd = openSync(path, 'r');
  const bytes = Buffer.alloc(GPT_HEAD_BYTES);
  readSync(fd, bytes, 0, GPT_HEAD_BYTES, 0);
  closeSync(fd);
  return bytes;
}
function apply(path: string, change: GptChange): void {
  const fd = openSync(path, 'r+');
  for (const w of change.writes) writeSync(fd, w.data, 0, w.data.length, w.offset);
  closeSync(fd);
}
interface Dump {
  partitiontable: { id: string; firstlba: number; lastlba: number; partitions: Array<Record<string, string | number>> };
}
function dump(path: string, sector: number): Dump['partitiontable'] {
  const text = withLoop(path, sector, (device) =>
    execFileSync('sfdisk', ['-J', device], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  return (JSON.parse(text) as Dump).partitiontable;
}

const SCRIPT =
  'label: gpt\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649, name="bios"\nsize=8MiB, type=U, name="esp"\nsize=20MiB, type=L, name="wurzel äöü", attrs="LegacyBIOSBootable"\n';

describe.each([512, 4096] as const)('tables made by sfdisk with sectors of %i bytes', (sector) => {
  test('are read as sfdisk reads them', () => {
    const path = makeDisk(`read-${sector}`, SCRIPT, sector);
    const gpt = value(parseGpt(head(path)));
    const seen = dump(path, sector);
    expect(gpt.sectorSizeBytes).toBe(sector);
    expect(gpt.diskGuid).toBe(seen.id.toLowerCase());
    expect([gpt.firstUsableLba, gpt.lastUsableLba]).toEqual([seen.firstlba, seen.lastlba]);
    expect(gpt.partitions.map((p) => [p.typeGuid, p.guid, p.firstLba, p.lastLba - p.firstLba + 1, p.label])).toEqual(
      seen.partitions.map((p) => [
        String(p['type']).toLowerCase(),
        String(p['uuid']).toLowerCase(),
        p['start'],
        p['size'],
        p['name'],
      ]),
    );
    expect(gpt.partitions[2]?.attributes).toBe(4n);
  });

  test('grow onto a larger disk with a partition at the end, and sfdisk finds nothing to complain about', () => {
    const path = makeDisk(`grow-${sector}`, SCRIPT, sector);
    const before = dump(path, sector);
    truncateSync(path, 200 * MIB + sector * 3);
    const moved = value(relocateBackup(value(parseGpt(head(path))), 200 * MIB + sector * 3));
    const added = value(
      addPartition(moved.gpt, {
        label: 'config-2',
        typeGuid: LINUX,
        guid: '01020304-0506-0708-090a-0b0c0d0e0f10',
        sizeBytes: 500_000,
        atEnd: true,
      }),
    );
    apply(path, added);
    const after = dump(path, sector);
    expect(after.partitions.slice(0, 3)).toEqual(before.partitions);
    expect(after.partitions[3]).toMatchObject({
      name: 'config-2',
      uuid: '01020304-0506-0708-090A-0B0C0D0E0F10',
      start: (198 * MIB) / sector,
      size: MIB / sector,
    });
    const verify = withLoop(path, sector, (device) =>
      execFileSync('sfdisk', ['--verify', device], { encoding: 'utf8' }),
    );
    expect(verify).toContain('No errors detected');

    // The backup alone is enough: with the primary gone sfdisk restores the same table from it.
    const fd = openSync(path, 'r+');
    writeSync(fd, new Uint8Array(sector), 0, sector, sector);
    closeSync(fd);
    expect(dump(path, sector).partitions).toEqual(after.partitions);
  });
});

test('sgdisk verifies a relocated table and reads its backup as equal to the primary', () => {
  const path = makeDisk('sgdisk', SCRIPT, 512);
  truncateSync(path, 3 * 1024 * MIB);
  const moved = value(relocateBackup(value(parseGpt(head(path))), 3 * 1024 * MIB));
  apply(path, moved);
  expect(execFileSync('sgdisk', ['-v', path], { encoding: 'utf8' })).toContain('No problems found');
  const fd = openSync(path, 'r');
  const mbr = Buffer.alloc(512);
  readSync(fd, mbr, 0, 512, 0);
  closeSync(fd);
  expect(mbr.readUInt32LE(446 + 12)).toBe((3 * 1024 * MIB) / 512 - 1);
});

test('a table made and grown by sgdisk is read', () => {
  const path = join(dir, 'made-by-sgdisk');
  writeFileSync(path, '');
  truncateSync(path, 32 * MIB);
  execFileSync('sgdisk', ['-n', '1:0:+4M', '-c', '1:one', '-n', '128:0:0', '-c', '128:last', path], {
    stdio: 'ignore',
  });
  expect(value(parseGpt(head(path))).partitions.map((p) => [p.number, p.label])).toEqual([
    [1, 'one'],
    [128, 'last'],
  ]);
});
