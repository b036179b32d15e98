import { readFileSync } from 'node:fs';
import { EXECUTOR_ERRORS } from '@bessemer/executor-protocol';
import { expect, it } from 'vitest';
import { PLAY_KEYWORDS, REFUSED_MODULES, TASK_KEYWORDS } from './play/keywords.ts';

const page = readFileSync(new URL('../../docs/executor.md', import.meta.url), 'utf8');

it('docs/executor.md lists every error, keyword and refused module', () => {
  for (const code of Object.keys(EXECUTOR_ERRORS)) expect(page).toContain(`| \`${code}\` | `);
  for (const keyword of [...PLAY_KEYWORDS, ...TASK_KEYWORDS]) expect(page).toContain(`\`${keyword}`);
  const named = (module: string) => page.includes(`\`${module}\``) || /^(include|import)_/.test(module);
  expect(Object.keys(REFUSED_MODULES).filter((module) => !named(module))).toEqual([]);
});
