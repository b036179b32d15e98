/** The size of the deploy ramdisk as a release has it, against its budget: printed at every run. */
import { systemClock } from '@bessemer/ports/node';
import { expect, test } from 'vitest';
import { cacheDirOf } from './cache-dir.ts';
import { checkBudget } from './build.ts';

const cacheDir = cacheDirOf(process.env);

test.each(['lab', 'product'] as const)('the %s ramdisk is within its budget', async (variant) => {
  const report = await checkBudget({ variant, cacheDir, clock: systemClock });
  console.log(report.text);
  expect(report.ramdiskBytes).toBeLessThanOrEqual(report.budgetBytes);
});
