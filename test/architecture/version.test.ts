import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION } from '@bessemer/cli/version';
import { AGENT_VERSION } from '@bessemer/ramdisk-agent';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('programs, agent and every package are of one version', () => {
  const { workspaces } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { workspaces: string[] };
  const manifests = globSync(
    ['.', ...workspaces].map((folder) => join(folder, 'package.json')),
    { cwd: root },
  );
  expect(manifests.length).toBeGreaterThan(20);
  for (const path of manifests) {
    const { version } = JSON.parse(readFileSync(join(root, path), 'utf8')) as { version: string };
    expect(version, path).toBe(VERSION);
  }
  expect(AGENT_VERSION).toBe(VERSION);
});
