/**
 * Makes api-spec/generated/ from what is written by hand beside it: the contract (openapi.yaml, resources/) and the document that is
 * published, which has descriptions.yaml and examples/ in addition. `--examples` first takes the answers of the examples from a live
 * service. `--check` writes nothing and fails when something is stale.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readExamples } from '@bessemer/api-spec/testing';
import { parse } from 'yaml';
import { addExamples, describe, type Descriptions, isTree, type Tree } from './api-document.ts';

const root = new URL('..', import.meta.url).pathname;
const check = process.argv.includes('--check');
const toolDir = join(root, 'tools/openapi-types');

/** Adds `more` to `base`, at any depth; a leaf that is there already is an error that names its place and file. */
function merge(base: Tree, more: Tree, file: string, at = ''): void {
  for (const [key, value] of Object.entries(more)) {
    const have = base[key];
    if (have === undefined) base[key] = value;
    else if (isTree(have) && isTree(value)) merge(have, value, file, `${at}/${key}`);
    else throw new Error(`${file}: ${at}/${key} is described twice`);
  }
}

const read = (path: string): Tree =>
  parse(readFileSync(join(root, 'api-spec', path), 'utf8'), { merge: true, maxAliasCount: -1 }) as Tree;
const spec = read('openapi.yaml');
for (const name of readdirSync(join(root, 'api-spec/resources')).toSorted())
  merge(spec, read(`resources/${name}`), name);
const json = `${JSON.stringify(spec, null, 1)}\n`;

// The service is loaded only for this: it may not run yet while its contract is being written.
if (process.argv.includes('--examples')) await (await import('./examples.ts')).rewriteExamples();
const published = JSON.parse(json) as Tree;
for (const problem of describe(published, read('descriptions.yaml') as unknown as Descriptions)) {
  console.error(`gen-api: api-spec/descriptions.yaml: ${problem}`);
  process.exitCode = 1;
}
addExamples(published, readExamples());

if (!existsSync(join(toolDir, 'node_modules/openapi-typescript'))) {
  console.log('gen-api: installing openapi-typescript into its own folder');
  execFileSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: toolDir,
    stdio: 'inherit',
  });
}
const work = mkdtempSync(join(tmpdir(), 'gen-api-'));
try {
  writeFileSync(join(work, 'openapi.json'), json);
  execFileSync(
    process.execPath,
    [
      join(toolDir, 'node_modules/openapi-typescript/bin/cli.js'),
      join(work, 'openapi.json'),
      '-o',
      join(work, 'types.ts'),
    ],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const made = {
    'openapi.json': json,
    'document.json': `${JSON.stringify(published, null, 1)}\n`,
    'types.ts': readFileSync(join(work, 'types.ts'), 'utf8'),
  };
  let stale = false;
  for (const [name, content] of Object.entries(made)) {
    const path = join(root, 'api-spec/generated', name);
    if (existsSync(path) && readFileSync(path, 'utf8') === content) continue;
    stale = true;
    if (check) console.error(`gen-api: ${path} is not what api-spec/*.yaml say; run npm run gen:api`);
    else writeFileSync(path, content);
  }
  if (check && stale) process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
