/** Writes docs/differences-from-ironic.md from the explanations of the comparison with a real Ironic. `--check` only compares. */
import { readFileSync, writeFileSync } from 'node:fs';
import { EXPLAINED } from '../test/differential/explained.ts';

const path = new URL('../docs/differences-from-ironic.md', import.meta.url).pathname;
const cell = (text: string) => text.replaceAll('|', '\\|');
const text = `# Differences from Ironic

\`npm run differential\` sends the same requests to a real Ironic (Debian's, which ends at microversion 1.82) and to Bessemer, at 1.1, 1.31, 1.58, 1.78 and
1.82, and compares statuses, headers and bodies. Answers are equal but for identifiers, times, hosts, and what stands here. A difference that fits none of
these makes the command fail. This page is made from what the comparison itself accepts, by \`node tools/gen-differences.ts\`.

| | Why it differs |
|---|---|
${EXPLAINED.map(({ id, why }) => `| ${id} | ${cell(why)} |`).join('\n')}
`;

if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  console.error('docs/differences-from-ironic.md is not what the comparison says; run node tools/gen-differences.ts');
  process.exitCode = 1;
}
