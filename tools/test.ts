/**
 * `npm test`: the checks, then the tests that start real peers, then those that boot QEMU machines. What a stage needs is
 * installed by tools/setup before. Ends with the first stage that fails, and a line that counts the tests.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const vitest = `${root}node_modules/.bin/vitest`;

// Tools with a `#!/usr/bin/env node` line are to run under the project's own Node.
const env = { ...process.env, PATH: `${root}node_modules/.bin:${process.env['PATH'] ?? ''}` };

const reports = mkdtempSync(join(tmpdir(), 'bessemer-test-'));
/** Shows the run as usual and writes its figures beside. */
const report = (name: string) => [
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${join(reports, name)}.json`,
];

const STAGES: ReadonlyArray<readonly [what: string, command: string, ...args: string[]]> = [
  ['checks and unit tests', process.execPath, 'tools/check.ts', ...report('unit')],
  ['images for the machines', process.execPath, 'tools/images.ts'],
  ['integration: real peers', vitest, 'run', '--project', 'integration', ...report('integration')],
  ['end to end: real machines', vitest, 'run', '--project', 'e2e', ...report('e2e')],
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
let passed = 0;
let failed = 0;
for (const name of readdirSync(reports)) {
  const figures = JSON.parse(readFileSync(join(reports, name), 'utf8')) as {
    numPassedTests: number;
    numFailedTests: number;
  };
  passed += figures.numPassedTests;
  failed += figures.numFailedTests;
}
rmSync(reports, { recursive: true });
console.log(`\n== all of it took ${Math.round((Date.now() - startedMs) / 60_000)} minutes`);
console.log(`${passed} passed, ${failed} failed`);
