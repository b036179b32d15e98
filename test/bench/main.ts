/**
 * `npm run bench -- NAME`: one benchmark; `npm run bench -- list`: what there is. Prints a table, then one line of JSON, and
 * keeps a dated copy of both in test/bench/results/.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { Benchmark, BenchResult } from './result.ts';

/** Loaded only when it is run: each needs its own peers. */
const BENCHMARKS: Readonly<Record<string, () => Promise<unknown>>> = {
  api: () => import('./api.ts'),
  cli: () => import('./cli.ts'),
  deploy: () => import('./deploy.ts'),
  executor: () => import('./executor.ts'),
  image: () => import('./image.ts'),
  ipmi: () => import('./ipmi.ts'),
  tftp: () => import('./tftp.ts'),
};

async function load(name: string): Promise<Benchmark> {
  const found = Object.values((await BENCHMARKS[name]!()) as Record<string, unknown>).find(
    (v): v is Benchmark => typeof v === 'object' && v !== null && 'run' in v && 'summary' in v,
  );
  if (!found) throw new Error(`test/bench/${name}.ts exports no benchmark`);
  return found;
}

function printTable(table: BenchResult['table']): string {
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  return table
    .map((row, i) => {
      const line = row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!))).join('  ');
      return i === 0 ? `${line}\n${widths.map((w) => '-'.repeat(w)).join('  ')}` : line;
    })
    .join('\n');
}

const [name, ...args] = process.argv.slice(2);
if (name === undefined || name === 'list' || name === '--help') {
  console.log('npm run bench -- NAME, where NAME is one of:');
  for (const key of Object.keys(BENCHMARKS)) console.log(`  ${key.padEnd(10)} ${(await load(key)).summary}`);
} else if (!Object.hasOwn(BENCHMARKS, name)) {
  console.error(`There is no benchmark ${name}. There are: ${Object.keys(BENCHMARKS).join(', ')}`);
  process.exitCode = 2;
} else {
  const benchmark = await load(name);
  const result = await benchmark.run({ say: (line) => console.error(`bench ${name}: ${line}`), args });
  const at = new Date().toISOString();
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
  };
  const json = JSON.stringify({
    name,
    at,
    figures: result.figures,
    ratios: result.ratios,
    method: result.method,
    versions: { node: process.version, ...result.versions },
    machine,
  });
  const table = printTable(result.table);
  const folder = new URL('./results/', import.meta.url).pathname;
  mkdirSync(folder, { recursive: true });
  if (!result.isTrial)
    writeFileSync(`${folder}${name}-${at.slice(0, 10)}.txt`, `${table}\n\n${result.method}\n\n${json}\n`);
  console.log(`${table}\n\n${result.method}\n`);
  console.log(json);
}
