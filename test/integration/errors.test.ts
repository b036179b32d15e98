/** The table of errors, its page for operators and the code that raises them say the same. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HTTP_STATUS } from '@bessemer/core';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
const sources = globSync('{services,packages,db}/**/*.ts', {
  cwd: ROOT,
  exclude: (name) => /node_modules|testing|suite|\.test\.ts$/.test(name),
})
  .filter((name) => name !== 'packages/core/errors.ts')
  .map((name) => readFileSync(join(ROOT, name), 'utf8'))
  .join('\n');

test.each(Object.entries(HTTP_STATUS))('%s has a status, a line in the docs and a raiser', (code, status) => {
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(600);
  const [meaning, remedy] =
    new RegExp(`^\\| \`${code}\` \\| ${status} \\| (.+) \\| (.+) \\|$`, 'm').exec(page)?.slice(1) ?? [];
  expect(meaning).toMatch(/\.$/);
  expect(remedy).toMatch(/\.$/);
  expect(sources).toContain(`'${code}'`);
});

test('the docs have no line of a code that is gone', () => {
  const named = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1]);
  expect(named).toEqual(Object.keys(HTTP_STATUS));
});
