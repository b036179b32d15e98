import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const path = fileURLToPath(new URL('../../vagrant/Vagrantfile', import.meta.url));

it('the Vagrantfile is sound Ruby and runs the two commands of the README on a Debian box', () => {
  expect(execFileSync('ruby', ['-c', path], { encoding: 'utf8' })).toBe('Syntax OK\n');
  const text = readFileSync(path, 'utf8');
  expect(text).toMatch(/config\.vm\.box = "debian\/bookworm64"/);
  for (const command of ['npm run demo', 'npm test']) expect(text).toContain(command);
  // What it provisions must be there before Node's launcher can bring the rest along.
  for (const program of ['git', 'npm']) expect(text).toMatch(new RegExp(`apt-get .*install.* ${program}`));
});
