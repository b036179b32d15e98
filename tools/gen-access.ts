/** Writes docs/access.md from the API's table of policies. `--check` only compares. */
import { readFileSync, writeFileSync } from 'node:fs';
import { accessDocument } from '@bessemer/api';

const path = new URL('../docs/access.md', import.meta.url).pathname;
const text = accessDocument();

if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  console.error('docs/access.md is not what the policies say; run node tools/gen-access.ts');
  process.exitCode = 1;
}
