/** Writes docs/provision-states.md from the table of provision states. `--check` only compares. */
import { readFileSync, writeFileSync } from 'node:fs';
import { STATES, stateDiagram } from '@bessemer/core';

const path = new URL('../docs/provision-states.md', import.meta.url).pathname;
const rows = Object.entries(STATES).map(
  ([name, state]: [string, { stable: boolean; resting?: boolean; meaning: string }]) =>
    `| ${name} | ${state.stable ? 'stable' : state.resting ? 'resting' : 'at work'} | ${state.meaning} |`,
);
const text = [
  '# Provision states',
  '',
  'Made from `packages/core/provision-states.ts` by `npm run gen:states`. A *stable* state has no target; a *resting* one stopped',
  'on the way and waits for a decision; one *at work* has a run, a deadline and a named thing it waits for.',
  '',
  '| State | Kind | Meaning |',
  '|---|---|---|',
  ...rows,
  '',
  '```mermaid',
  stateDiagram().trimEnd(),
  '```',
  '',
].join('\n');

if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  console.error('docs/provision-states.md is not what the table says; run npm run gen:states');
  process.exitCode = 1;
}
