/**
 * `npm test`: the checks, then the tests that start real peers, then those that boot QEMU machines. What a stage needs is
 * installed by tools/setup before. Ends with the first stage that fails.
 */
import { spawnSync } from 'node:child_process';

const root = new URL('..', import.meta.url).pathname;
const vitest = `${root}node_modules/.bin/vitest`;

// Tools with a `#!/usr/bin/env node` line are to run under the project's own Node.
const env = { ...process.env, PATH: `${root}node_modules/.bin:${process.env['PATH'] ?? ''}` };

const STAGES: ReadonlyArray<readonly [what: string, command: string, ...args: string[]]> = [
  ['checks and unit tests', process.execPath, 'tools/check.ts'],
  ['images for the machines', process.execPath, 'tools/images.ts'],
  ['integration: real peers', vitest, 'run', '--project', 'integration'],
  ['end to end: real machines', vitest, 'run', '--project', 'e2e'],
];

const startedMs = Date.now();
for (const [what, command, ...args] of STAGES) {
  const stageMs = Date.now();
  console.log(`\n== ${what}`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env });
  console.log(`== ${what}: ${status === 0 ? 'passed' : 'FAILED'} in ${Math.round((Date.now() - stageMs) / 1000)} s`);
  if (status !== 0) {
    process.exitCode = 1;
    break;
  }
}
console.log(`\n== all of it took ${Math.round((Date.now() - startedMs) / 60_000)} minutes`);
