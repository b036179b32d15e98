/** Writes docs/bessemer.conf.sample from the configuration's schema. `--check` only compares. */
import { readFileSync, writeFileSync } from 'node:fs';
import { sampleConfig } from '@bessemer/core';

const path = new URL('../docs/bessemer.conf.sample', import.meta.url).pathname;
const text = sampleConfig();

if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  console.error('docs/bessemer.conf.sample is not what the schema says; run npm run gen:config');
  process.exitCode = 1;
}
