/** The recipes' door: deploy ramdisk and test operating system, built from the host's own Debian sources. */
export type { BuildDeps, BuildProgress, BuiltFile, OnProgress } from './cache.ts';
export { appendAgent, buildRamdisk, checkBudget } from './ramdisk/build.ts';
export type { BudgetReport, CompressionLevel, Ramdisk } from './ramdisk/build.ts';
export type { RamdiskVariant } from './ramdisk/recipe.ts';
export { buildTestImage } from './testos/build.ts';
export type { TestImage } from './testos/build.ts';
export type { TestImageVariant } from './testos/recipe.ts';
