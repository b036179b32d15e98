/** Walks the imports of the tree and tells which arrows are not of the plan. The plan is the table below. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

const LIBRARIES = [
  'core',
  'ipmi',
  'tftp',
  'image-format',
  'agent-protocol',
  'executor-protocol',
  'rpc',
  'lab',
  'node-range',
  'sim',
];

/** Room -> rooms it may import. `*`: everything. */
const ARROWS: Readonly<Record<string, readonly string[] | '*'>> = {
  'packages/ports': [],
  'packages/core': ['packages/ports'],
  'packages/ipmi': ['packages/ports'],
  'packages/tftp': ['packages/ports'],
  'packages/node-range': [],
  'packages/image-format': ['packages/ports'],
  'packages/agent-protocol': ['packages/ports'],
  'packages/executor-protocol': ['packages/ports'],
  db: ['packages/ports', 'packages/core'],
  'packages/rpc': ['packages/ports', 'packages/core'],
  'services/conductor': [
    'packages/ports',
    'packages/core',
    'packages/node-range',
    'db',
    'packages/rpc',
    'packages/ipmi',
    'packages/agent-protocol',
    'packages/executor-protocol',
    'packages/image-format',
  ],
  'services/api': ['packages/ports', 'packages/core', 'packages/node-range', 'db', 'packages/rpc', 'api-spec'],
  'services/boot': ['packages/ports', 'packages/core', 'db', 'packages/tftp'],
  'services/depot': ['packages/ports', 'packages/core', 'db', 'packages/image-format'],
  'services/executor': ['packages/ports', 'packages/core', 'packages/executor-protocol'],
  'services/cli': ['packages/node-range', 'api-spec'],
  'ramdisk-agent': ['packages/ports', 'packages/agent-protocol', 'packages/image-format'],
  'packages/lab': ['packages/ports', 'packages/ipmi'],
  'packages/sim': '*',
  'services/bessemer': '*',
  'api-spec': [],
  images: ['packages/ports', 'ramdisk-agent'],
  test: '*',
  tools: '*',
};

/** Modules that are imported in one home only. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  knex: ['db'],
  'better-sqlite3': ['db'],
  pg: ['db'],
  amqplib: ['packages/rpc'],
  ws: ['services/conductor', 'ramdisk-agent'],
  'node:dgram': ['packages/ports'],
  dgram: ['packages/ports'],
  ssh2: ['services/executor'],
};

/** Rooms that are no package: they are reached by path. */
const WITHOUT_DOOR: ReadonlySet<string> = new Set(['images', 'test', 'tools']);

export interface SourceFile {
  /** Path from the root of the tree, with slashes. */
  readonly path: string;
  readonly text: string;
}

const SPECIFIER =
  /(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** What a file imports, as written. */
export function specifiersOf(text: string): string[] {
  return [...text.matchAll(SPECIFIER)].map((m) => m[1] ?? m[2] ?? m[3] ?? '');
}

const isTest = (path: string) => /\.test\.ts$|(^|\/)testing\.ts$|(^|\/)(testing|suite)\//.test(path);

/** The room a path is in. */
function roomOf(path: string): string | undefined {
  const parts = path.split('/');
  const two = parts.slice(0, 2).join('/');
  if (Object.hasOwn(ARROWS, two)) return two;
  return Object.hasOwn(ARROWS, parts[0]!) ? parts[0]! : undefined;
}

function roomOfPackage(name: string): string | undefined {
  const bare = name.replace('@bessemer/', '').split('/')[0]!;
  if (bare === 'ports' || LIBRARIES.includes(bare)) return `packages/${bare}`;
  if (bare === 'db' || bare === 'api-spec' || bare === 'ramdisk-agent') return bare;
  return `services/${bare}`;
}

/** Every violation, as a sentence. Tests beside the code may import what they need but for the homes. */
export function violations(files: readonly SourceFile[]): string[] {
  const found: string[] = [];
  const edges = new Map<string, Set<string>>();
  for (const { path, text } of files) {
    const room = roomOf(path);
    if (!room) {
      found.push(`${path} is in no room of the plan`);
      continue;
    }
    for (const specifier of specifiersOf(text)) {
      const target = specifier.startsWith('.')
        ? roomOf(normalize(join(dirname(path), specifier)))
        : specifier.startsWith('@bessemer/')
          ? roomOfPackage(specifier)
          : undefined;
      const home = HOMES[specifier];
      if (home && !home.includes(room) && room !== 'test' && room !== 'tools' && !isTest(path))
        found.push(`${path} imports ${specifier}, which is imported in ${home.join(' and ')} only`);
      if (!target || target === room) continue;
      if (specifier.startsWith('.') && !WITHOUT_DOOR.has(target))
        found.push(`${path} reaches into ${target} by a relative path; use its door @bessemer/...`);
      if (isTest(path)) continue;
      const allowed = ARROWS[room]!;
      if (allowed !== '*' && !allowed.includes(target)) found.push(`${path}: ${room} may not import ${target}`);
      const from = edges.get(room) ?? new Set();
      edges.set(room, from.add(target));
    }
    if (
      /(^|[^\w.'"])process\.(argv|env)\b/.test(text) &&
      !/(^|\/)main\.ts$/.test(path) &&
      room !== 'tools' &&
      room !== 'test' &&
      !isTest(path)
    )
      found.push(`${path} reads argv or the environment; only main.ts may`);
  }
  return [...found, ...cycles(edges)];
}

function cycles(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const found: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (room: string, path: readonly string[]): void => {
    if (state.get(room) === 'done') return;
    if (state.get(room) === 'open') {
      found.push(`cycle: ${[...path.slice(path.indexOf(room)), room].join(' -> ')}`);
      return;
    }
    state.set(room, 'open');
    for (const next of edges.get(room) ?? []) visit(next, [...path, room]);
    state.set(room, 'done');
  };
  for (const room of edges.keys()) visit(room, []);
  return found;
}

const LEFT_OUT = new Set(['node_modules', 'dist', 'generated', '.git', '.cache', 'docs', 'vagrant']);

/** Every TypeScript source below `root`. */
export function sourcesBelow(root: string): SourceFile[] {
  const files: SourceFile[] = [];
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      if (LEFT_OUT.has(name)) continue;
      const full = join(folder, name);
      if (statSync(full).isDirectory()) walk(full);
      else if (name.endsWith('.ts') && folder !== root)
        files.push({ path: relative(root, full), text: readFileSync(full, 'utf8') });
    }
  };
  walk(root);
  return files;
}
