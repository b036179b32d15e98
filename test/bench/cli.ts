/** Start of the packed `baremetal`, beside Python's client on the same service. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundleCli } from '@bessemer/cli/bundle';
import { createInstallation } from '@bessemer/cli/testing';
import { systemClock } from '@bessemer/ports/node';
import type { Benchmark } from './result.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PYTHON_CLIENT = '/usr/bin/baremetal';
/** What a command with a request may take, and one without. */
const BUDGET_MS = { request: 150, none: 80 };
const OUR_RUNS = 25;
const THEIR_RUNS = 7;

/** Its files and their launcher, as `npm run pack` makes them. */
async function pack(folder: string): Promise<string> {
  await bundleCli(join(folder, 'lib'));
  const launcher = readFileSync(join(ROOT, 'services/cli/bin/baremetal.mjs'), 'utf8');
  mkdirSync(join(folder, 'bin'));
  const path = join(folder, 'bin/baremetal.mjs');
  writeFileSync(path, launcher.replace("'../main.ts'", "'../lib/baremetal.mjs'"));
  return path;
}

/** Bytes of all files below a folder. */
const sizeOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

async function timeOf(argv: readonly string[]): Promise<number> {
  const startedMs = systemClock.monotonicMs();
  await run(argv[0]!, argv.slice(1));
  return systemClock.monotonicMs() - startedMs;
}

export const cli: Benchmark = {
  name: 'cli',
  summary: "start of the packed `baremetal`, beside Python's client on the same service",
  async run({ say }) {
    const folder = mkdtempSync(join(tmpdir(), 'bmr-bench-cli-'));
    const bed = await createInstallation();
    try {
      const main = await pack(folder);
      for (let i = 0; i < 20; i++) await bed.ours('node', 'create', '--driver', 'fake-hardware', '--name', `n${i}`);
      say('20 nodes are registered');
      const connection = ['--os-auth-type', 'none', '--os-endpoint', bed.endpoint];
      const cases = [
        { name: '--version', args: ['--version'] },
        { name: '--help', args: ['--help'] },
        { name: 'node deploy --help', args: ['node', 'deploy', '--help'] },
        { name: 'node list', args: [...connection, 'node', 'list'] },
      ];
      const table: string[][] = [['command', 'ours ms', 'fastest ms', 'Python ms', 'Python / ours']];
      const figures: Record<string, number> = {
        bundle_kb: Math.round(sizeOf(join(folder, 'lib')) / 1000),
      };
      const ratios: Record<string, number> = {};
      let isWithin = true;
      const node: number[] = [];
      for (let i = 0; i < OUR_RUNS; i++) node.push(await timeOf([process.execPath, '-e', '0']));
      figures['node_itself_ms'] = Math.round(median(node));
      table.push(['(node itself)', median(node).toFixed(0), Math.min(...node).toFixed(0), '', '']);
      for (const { name, args } of cases) {
        const ours: number[] = [];
        const theirs: number[] = [];
        for (let i = 0; i < OUR_RUNS; i++) {
          ours.push(await timeOf([process.execPath, main, ...args]));
          if (i % Math.ceil(OUR_RUNS / THEIR_RUNS) === 0) theirs.push(await timeOf([PYTHON_CLIENT, ...args]));
        }
        const key = name.replace(/^--/, '').replace(/[^a-z]+/g, '_');
        const [own, peer] = [median(ours), median(theirs)];
        figures[`${key}_ms`] = Math.round(own);
        figures[`${key}_fastest_ms`] = Math.round(Math.min(...ours));
        figures[`${key}_python_ms`] = Math.round(peer);
        ratios[`${key}_python_to_ours`] = Number((peer / own).toFixed(1));
        if (own > (args.includes('list') ? BUDGET_MS.request : BUDGET_MS.none)) isWithin = false;
        table.push([
          name,
          own.toFixed(0),
          Math.min(...ours).toFixed(0),
          peer.toFixed(0),
          `${(peer / own).toFixed(1)}x`,
        ]);
        say(`${name}: ${own.toFixed(0)} ms, Python ${peer.toFixed(0)} ms`);
      }
      figures['budget_ms'] = BUDGET_MS.request;
      figures['budget_without_request_ms'] = BUDGET_MS.none;
      figures['is_within_budget'] = Number(isWithin);
      const python = execFileSync(PYTHON_CLIENT, ['--version'], { encoding: 'utf8' }).trim();
      return {
        table,
        figures,
        ratios,
        method: `Wall-clock time from spawn to exit, median of ${OUR_RUNS} runs of ours and about ${THEIR_RUNS} of Python's client, taking turns; ours is bundled by esbuild as npm run pack does it, started through its launcher under Node 24; both list the same 20 nodes of one service on loopback. Budget: ${BUDGET_MS.request} ms with a request, ${BUDGET_MS.none} ms without.`,
        versions: { 'python3-ironicclient': python },
      };
    } finally {
      await bed.end();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
