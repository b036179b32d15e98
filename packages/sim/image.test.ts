import { addPartition, GPT_HEAD_BYTES, parseGpt, relocateBackup } from '@bessemer/image-format';
import { describe, expect, it } from 'vitest';
import { createImage, createSparseMedium, differenceOf, isBootable } from './image.ts';

const MIB = 1024 * 1024;
const DISK_BYTES = 16 * MIB;
const image = createImage('debian', 1);

/** A disk as the agent leaves it. */
function deployed() {
  const medium = createSparseMedium();
  medium.write(0, image.bytes);
  const gpt = parseGpt(image.bytes.subarray(0, GPT_HEAD_BYTES));
  if (!gpt.ok) throw new Error(gpt.error.message);
  const moved = relocateBackup(gpt.value, DISK_BYTES);
  if (!moved.ok) throw new Error(moved.error.message);
  const drive = addPartition(moved.value.gpt, {
    label: 'config-2',
    typeGuid: '0fc63daf-8483-4772-8e79-3d69d8477de4',
    guid: '11111111-2222-4333-8444-555555555555',
    sizeBytes: MIB,
    atEnd: true,
  });
  if (!drive.ok) throw new Error(drive.error.message);
  for (const write of drive.value.writes) medium.write(write.offset, write.data);
  return medium;
}

describe('the comparison of a disk with its image', () => {
  it('finds nothing on a disk that holds it', () => {
    expect(differenceOf(deployed(), image)).toBeUndefined();
    expect(isBootable(deployed())).toBe(true);
  });

  it('finds old data in a hole, a byte that differs, other boot code, and a missing config drive', () => {
    const inHole = deployed();
    inHole.write(MIB + MIB / 2, Uint8Array.of(1));
    expect(differenceOf(inHole, image)).toMatch(/^the bytes from \d+ on differ$/);
    const changed = deployed();
    changed.write(3 * MIB, Uint8Array.of(1, 2, 3));
    expect(differenceOf(changed, image)).toMatch(/differ/);
    const other = deployed();
    other.write(0, new Uint8Array(16));
    expect(differenceOf(other, image)).toBe('the boot code differs');
    const bare = createSparseMedium();
    bare.write(0, image.bytes);
    expect(differenceOf(bare, image)).toBe('there is no config drive');
  });

  it('does not boot what has no table, and forgets what was zeroed', () => {
    const medium = deployed();
    medium.zero(0, MIB);
    expect(isBootable(medium)).toBe(false);
    expect(medium.read(0, MIB).every((byte) => byte === 0)).toBe(true);
    medium.write(100, Uint8Array.of(7));
    medium.zero(90, 20);
    expect(medium.read(100, 1)[0]).toBe(0);
  });
});
