/**
 * `npm run pack`: makes dist/bessemer-VERSION.tgz, which `npm install` takes anywhere. Node strips no types below node_modules, so
 * every module is turned into JavaScript; the workspaces travel inside as bundled dependencies; the agent is one file,
 * and `baremetal` one for its start and one for each part that only some commands need.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { bundleCli } from '@bessemer/cli/bundle';
import { bundleAgent } from '@bessemer/ramdisk-agent/bundle';
import { transformSync } from 'esbuild';

const root = new URL('..', import.meta.url).pathname;
/** Where the archive is put: `dist`, or the folder given. */
const dist = resolve(process.argv[2] ?? join(root, 'dist'));
const out = join(dist, 'package');

interface Manifest {
  name: string;
  version: string;
  workspaces?: string[];
  bin?: Record<string, string>;
  exports?: Record<string, string>;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}
const readManifest = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

const workspaces = (): string[] =>
  readManifest(root).workspaces!.flatMap((pattern) =>
    pattern.endsWith('/*')
      ? readdirSync(join(root, pattern.slice(0, -2))).map((name) => join(pattern.slice(0, -2), name))
      : [pattern],
  );

const isLeftOut = (name: string) =>
  /\.test\.ts$|^testing|-testing\.ts$|^testdata$|^crash-test$|^test-world\.ts$|^node_modules$|^dist$/.test(name);
/** Paths of modules stand in strings too: `new URL('./main.ts', import.meta.url)`. */
const toJs = (text: string) =>
  text
    .replaceAll('../../images/', '../images/')
    .replaceAll(/(['"`](?:\.{1,2}\/|@bessemer\/)[^'"`\n]*)\.ts(['"`])/g, '$1.js$2');

function copyWorkspace(folder: string): Manifest {
  const own = join(root, folder);
  // The recipes are no workspace: they are run from the tree.
  const manifest: Manifest = existsSync(join(own, 'package.json'))
    ? readManifest(own)
    : { name: `@bessemer/${folder}`, version: readManifest(root).version };
  const target = join(out, 'node_modules', manifest.name);
  const walk = (from: string): void => {
    for (const name of readdirSync(from)) {
      if (isLeftOut(name)) continue;
      const path = join(from, name);
      const to = join(target, relative(join(root, folder), path));
      if (statSync(path).isDirectory()) walk(path);
      else {
        mkdirSync(dirname(to), { recursive: true });
        if (name.endsWith('.ts')) {
          const { code } = transformSync(toJs(readFileSync(path, 'utf8')), {
            loader: 'ts',
            format: 'esm',
            target: 'node24',
          });
          writeFileSync(to.replace(/\.ts$/, '.js'), code);
        } else if (name.endsWith('.mjs')) writeFileSync(to, toJs(readFileSync(path, 'utf8')));
        else if (name !== 'package.json') cpSync(path, to);
      }
    }
  };
  walk(join(root, folder));
  const exports = Object.fromEntries(
    Object.entries(manifest.exports ?? {})
      .filter(([door]) => !door.endsWith('/testing'))
      .map(([door, file]) => [door, file.replace(/\.ts$/, '.js')]),
  );
  writeFileSync(
    join(target, 'package.json'),
    JSON.stringify({ name: manifest.name, version: manifest.version, type: 'module', exports }, null, 2),
  );
  return manifest;
}

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, 'bin'), { recursive: true });
const manifests = [...workspaces(), 'images'].map(copyWorkspace);
await bundleAgent({ outFile: join(out, 'node_modules/@bessemer/ramdisk-agent/agent.mjs') });

await bundleCli(join(out, 'lib'));

for (const [launcher, main] of [
  ['services/bessemer/bin/bessemer.mjs', '../node_modules/@bessemer/bessemer/main.js'],
  ['services/cli/bin/baremetal.mjs', '../lib/baremetal.mjs'],
] as const)
  writeFileSync(
    join(out, 'bin', basename(launcher)),
    readFileSync(join(root, launcher), 'utf8').replace("'../main.ts'", `'${main}'`),
    { mode: 0o755 },
  );
for (const name of ['README.md', 'CHANGELOG.md', 'LICENSE'])
  if (existsSync(join(root, name))) cpSync(join(root, name), join(out, name));

const { version, optionalDependencies } = readManifest(root);
const inside = manifests.map((m) => m.name);
writeFileSync(
  join(out, 'package.json'),
  JSON.stringify(
    {
      name: 'bessemer',
      version,
      type: 'module',
      license: 'Apache-2.0',
      description: 'Turns racks of powered-off physical servers into running, configured machines, and back.',
      bin: { bessemer: 'bin/bessemer.mjs', baremetal: 'bin/baremetal.mjs' },
      engines: { node: '>=20' },
      dependencies: {
        ...Object.assign({}, ...manifests.map((m) => m.dependencies ?? {})),
        ...Object.fromEntries(inside.map((name) => [name, manifests.find((m) => m.name === name)!.version])),
      },
      bundleDependencies: inside,
      optionalDependencies,
    },
    null,
    2,
  ),
);
const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', dist], { cwd: out, encoding: 'utf8' });
const archive = join(dist, packed.trim().split('\n').at(-1)!);
console.log(`${archive}: ${(statSync(archive).size / 1e6).toFixed(1)} MB`);
