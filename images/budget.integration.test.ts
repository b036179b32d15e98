/** The size of the deploy ramdisk as a release has it, against its budget: printed at every run. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@bessemer/ports/node';
import { expect, test } from 'vitest';
import { checkBudget } from './build.ts';

const cacheDir = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bessemer');

test.each(['lab', 'product'] as const)('the %s ramdisk is within its budget', async (variant) => {
  const report = await checkBudget({ variant, cacheDir, clock: systemClock });
  console.log(report.text);
  expect(report.ramdiskBytes).toBeLessThanOrEqual(report.budgetBytes);
});
