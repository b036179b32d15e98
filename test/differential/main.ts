/**
 * `npm run differential [-- SCENARIO...] [-- --versions=1,82]`: the same script to a real Ironic and to Bessemer, and all
 * that they answer differently. Exit status 1 when a difference has no explanation. A tool for development: it installs
 * Debian's python3-ironic, and is no part of the tests.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRole } from '../integration/service-process.ts';
import { compareScenario, type Difference } from './compare.ts';
import { EXPLAINED } from './explained.ts';
import { prepareIronic } from './ironic.ts';
import { SCENARIOS } from './script/index.ts';
import { createRecorder } from './side.ts';

const VERSIONS = [1, 31, 58, 78, 82];
const SHOWN = 180;

const options = process.argv.slice(2).filter((a) => a.startsWith('--'));
const wanted = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const versions =
  options
    .find((o) => o.startsWith('--versions='))
    ?.slice(11)
    .split(',')
    .map(Number) ?? VERSIONS;
const scenarios = SCENARIOS.filter((s) => wanted.length === 0 || wanted.includes(s.name));
const say = (line: string) => console.error(`differential: ${line}`);
if (scenarios.length === 0) {
  console.error(`There is no such scenario. There are: ${SCENARIOS.map((s) => s.name).join(', ')}`);
  process.exit(2);
}

interface Tally {
  steps: number;
  explained: number;
  unexplained: number;
}
const tallies = new Map<string, Tally>();
const differences: Difference[] = [];
const usedExplanations = new Set<string>();

const installation = await prepareIronic(say);
const folder = mkdtempSync(join(tmpdir(), 'bmr-differential-'));
try {
  say(`starting Ironic ${installation.version} and Bessemer`);
  const [ironic, ours] = await Promise.all([
    installation.start(),
    startRole({ role: 'up', dataDir: folder, set: { 'service.host': 'localhost' } }),
  ]);
  const agents = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })] as const;
  try {
    for (const minor of versions)
      for (const { name, run } of scenarios) {
        const sides = [
          createRecorder(ironic.url, minor, agents[0]),
          createRecorder(ours.apiUrl!, minor, agents[1]),
        ] as const;
        await Promise.all(
          sides.map(async (side) => {
            await side.clear();
            await run(side);
          }),
        );
        const tally = tallies.get(name) ?? { steps: 0, explained: 0, unexplained: 0 };
        tallies.set(name, tally);
        tally.steps += sides[0].steps.filter((s) => !s.isPreparation).length;
        for (const difference of compareScenario(name, sides[0].steps, sides[1].steps)) {
          const explanation = EXPLAINED.find((e) => e.fits(difference));
          if (explanation) {
            usedExplanations.add(explanation.id);
            tally.explained++;
          } else {
            tally.unexplained++;
            differences.push(difference);
          }
        }
        say(`1.${minor} ${name}: ${sides[0].steps.length} requests`);
      }
  } finally {
    for (const agent of agents) agent.destroy();
    await Promise.all([ironic.stop(), ours.stop()]);
  }
} finally {
  installation.remove();
  rmSync(folder, { recursive: true, force: true });
}

/** The same difference at several versions, or of several requests, is one finding. */
const findings = new Map<string, { first: Difference; requests: Set<string>; minors: Set<string> }>();
for (const d of differences) {
  const key = [d.scenario, d.at, d.at === 'status' ? d.path + d.sent : '', d.ironic, d.ours].join('\n');
  let finding = findings.get(key);
  if (!finding) findings.set(key, (finding = { first: d, requests: new Set(), minors: new Set() }));
  finding.requests.add(`${d.method} ${d.path}${d.sent === undefined ? '' : ` ${d.sent.slice(0, SHOWN)}`}`);
  finding.minors.add(d.minor === undefined ? 'none' : `1.${d.minor}`);
}

let scenario = '';
for (const { first, requests, minors } of findings.values()) {
  if (first.scenario !== scenario) console.log(`\n== ${(scenario = first.scenario)}`);
  console.log(`${first.at}  (${[...minors].join(', ')})`);
  for (const line of [...requests].slice(0, 3)) console.log(`   ${line}`);
  if (requests.size > 3) console.log(`   and ${requests.size - 3} more requests`);
  console.log(`   Ironic:   ${first.ironic.slice(0, SHOWN * 2)}\n   Bessemer: ${first.ours.slice(0, SHOWN * 2)}`);
}
console.log('\nscenario               requests  explained  unexplained');
for (const [name, { steps, explained, unexplained }] of tallies)
  console.log(
    `${name.padEnd(22)} ${String(steps).padStart(8)} ${String(explained).padStart(10)} ${String(unexplained).padStart(12)}`,
  );
const total = [...tallies.values()].reduce((sum, t) => sum + t.steps, 0);
console.log(`\nExplained differences:`);
for (const { id, why } of EXPLAINED)
  console.log(`  ${id}: ${why}${usedExplanations.has(id) ? '' : ' (not seen in this run)'}`);
console.log(
  `\n${total} requests to each at ${versions.map((v) => `1.${v}`).join(', ')}; ${findings.size} unexplained findings (${differences.length} differences).`,
);
process.exitCode = findings.size === 0 ? 0 : 1;
