/**
 * `npm run check`: everything that needs no service: generated files, format, lint, types, unit tests. Says all that is wrong.
 * More arguments go to the unit tests.
 */
import { spawnSync } from 'node:child_process';

const root = new URL('..', import.meta.url).pathname;
const bin = (name: string) => `${root}node_modules/.bin/${name}`;

// Tools with a `#!/usr/bin/env node` line are to run under the project's own Node.
const env = { ...process.env, PATH: `${root}node_modules/.bin:${process.env['PATH'] ?? ''}` };

const STEPS: ReadonlyArray<readonly [what: string, command: string, ...args: string[]]> = [
  ['generated state diagram', process.execPath, 'tools/gen-states.ts', '--check'],
  ['generated configuration sample', process.execPath, 'tools/gen-config.ts', '--check'],
  ['generated table of policies', process.execPath, 'tools/gen-access.ts', '--check'],
  ['generated list of differences', process.execPath, 'tools/gen-differences.ts', '--check'],
  ['generated API types', process.execPath, 'tools/gen-api.ts', '--check'],
  ['format', bin('biome'), 'format', '--colors=off', '.'],
  ['lint', bin('oxlint'), '.'],
  ['types', bin('tsc'), '--noEmit'],
  ['unit tests', bin('vitest'), 'run', '--project', 'unit', ...process.argv.slice(2)],
];

const failed: string[] = [];
for (const [what, command, ...args] of STEPS) {
  console.log(`check: ${what}`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env });
  if (status !== 0) failed.push(what);
}
console.log(failed.length === 0 ? 'check: all is well' : `check: not well: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
