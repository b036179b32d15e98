import { expect, test } from 'vitest';
import { selectModules } from './modules.ts';

const DEP = `kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko
kernel/fs/jbd2/jbd2.ko:
kernel/lib/crc16.ko:
kernel/drivers/scsi/sd_mod.ko: kernel/drivers/scsi/scsi_mod.ko
kernel/drivers/scsi/scsi_mod.ko:
kernel/fs/nls/nls_iso8859-1.ko:
`;
const BUILTIN = 'kernel/drivers/char/hw_random/rng-core.ko\n';

test('takes modules with all they depend on, once and in a fixed order', () => {
  expect(selectModules(['sd-mod', 'ext4', 'ext4', 'nls_iso8859-1'], DEP, BUILTIN)).toEqual({
    paths: [
      'kernel/drivers/scsi/scsi_mod.ko',
      'kernel/drivers/scsi/sd_mod.ko',
      'kernel/fs/ext4/ext4.ko',
      'kernel/fs/jbd2/jbd2.ko',
      'kernel/fs/nls/nls_iso8859-1.ko',
      'kernel/lib/crc16.ko',
    ],
    missing: [],
  });
});

test('names what is not there, and not what is built in', () => {
  expect(selectModules(['rng_core', 'tg3'], DEP, BUILTIN)).toEqual({ paths: [], missing: ['tg3'] });
});
