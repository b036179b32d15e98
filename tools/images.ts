/** Builds what the end-to-end tests boot, so that no test waits for it: the lab's ramdisk and both test systems. Kept by content. */
import { mkdirSync } from 'node:fs';
import { systemClock } from '@bessemer/ports/node';
import { buildRamdisk, buildTestImage } from '../images/build.ts';
import { cacheDirOf } from '../images/cache-dir.ts';

const cacheDir = cacheDirOf(process.env);
const progress = (p: { build: string; phase: string; elapsedMs: number }) =>
  console.log(`${(p.elapsedMs / 1000).toFixed(0).padStart(4)} s  ${p.build}: ${p.phase}`);

mkdirSync(cacheDir, { recursive: true });
await buildRamdisk({ variant: 'lab', level: 3, cacheDir, clock: systemClock, progress });
for (const variant of ['small', 'cloud'] as const) {
  const image = await buildTestImage({ variant, cacheDir, clock: systemClock, progress });
  console.log(
    `test image ${variant}: ${(image.qcow2.sizeBytes / 1e6).toFixed(0)} MB as qcow2, ${(image.usedBytes / 1e6).toFixed(0)} MB in use`,
  );
}
