import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { accessDocument } from './document.ts';

it('docs/access.md is what the table of policies says (else: node tools/gen-access.ts)', () => {
  expect(readFileSync(new URL('../../../docs/access.md', import.meta.url), 'utf8')).toBe(accessDocument());
});
