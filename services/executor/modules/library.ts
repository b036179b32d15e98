/**
 * Ansible's modules, read at run time from the controller's own installation: the text of a module and of exactly the
 * module_utils it imports. Nothing of Ansible is part of this program.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ExecutorError } from '@bessemer/executor-protocol';
import { candidateNames, findImports } from './imports.ts';
import type { ModuleSet, SourceEntry } from './module-set.ts';

/** Where distributions and pip put ansible-core. */
const USUAL_PLACES = [
  '/usr/lib/python3/dist-packages/ansible',
  '/usr/local/lib/python3/dist-packages/ansible',
  ...[15, 14, 13, 12, 11, 10, 9].flatMap((minor) => [
    `/usr/local/lib/python3.${minor}/dist-packages/ansible`,
    `/usr/local/lib/python3.${minor}/site-packages/ansible`,
    `/usr/lib/python3.${minor}/site-packages/ansible`,
  ]),
];
const USUAL_COLLECTIONS = ['/root/.ansible/collections', '/usr/share/ansible/collections'];

export interface ModuleLibrary {
  readonly ansibleVersion: string;
  /** `copy`, `ansible.builtin.copy` and `ansible.legacy.copy` are the same; `ns.collection.name` is a collection's. */
  canonicalName(name: string): string;
  /** Throws MODULE_NOT_FOUND, with the places searched, unless the module is there and is a new-style Python module. */
  check(name: string): void;
  has(name: string): boolean;
  /** The set for these modules. Throws MODULE_NOT_FOUND. */
  collect(names: Iterable<string>): ModuleSet;
}

export interface ModuleLibraryOptions {
  /** The folder of the Python package `ansible`. Default: the usual places. */
  readonly ansiblePath?: string;
  /** Folders that hold `ansible_collections`. */
  readonly collectionPaths?: readonly string[];
}

interface Cached {
  readonly stamp: string;
  readonly entry: SourceEntry;
  readonly imports: readonly string[];
}

/** Opens the installation. Throws MODULE_NOT_FOUND when there is none. */
export function createModuleLibrary(options: ModuleLibraryOptions = {}): ModuleLibrary {
  const ansiblePath =
    options.ansiblePath ?? USUAL_PLACES.find((path) => existsSync(join(path, 'module_utils/basic.py')));
  if (ansiblePath === undefined || !existsSync(join(ansiblePath, 'module_utils/basic.py')))
    throw new ExecutorError(
      'MODULE_NOT_FOUND',
      `No ansible-core was found${options.ansiblePath ? ` at ${options.ansiblePath}` : ''}: install the package ansible-core on this machine, or tell the path of its Python package 'ansible'.`,
    );
  const collectionPaths = (options.collectionPaths ?? USUAL_COLLECTIONS).map((path) =>
    join(path, 'ansible_collections'),
  );
  const release = readFileSync(join(ansiblePath, 'release.py'), 'utf8');
  const ansibleVersion = /^__version__\s*=\s*['"]([^'"]+)/m.exec(release)?.[1] ?? 'unknown';
  const files = new Map<string, Cached>();

  const synthetic = (path: string, source: string): SourceEntry => ({
    digest: digestOf(source),
    isPackage: true,
    path,
    source,
  });
  /** Packages whose own __init__ is the controller's business. */
  const packages = new Map<string, SourceEntry>([
    ['ansible', synthetic('ansible/__init__.py', `__version__ = '${ansibleVersion}'\n`)],
    ['ansible.modules', synthetic('ansible/modules/__init__.py', '')],
    ['ansible.module_utils', synthetic('ansible/module_utils/__init__.py', '')],
  ]);

  /** The file of a dotted name, if it is one that targets may have. */
  function locate(name: string): { path: string; isPackage: boolean } | undefined {
    const parts = name.split('.');
    const roots: string[] = [];
    if (parts[0] === 'ansible' && (parts[1] === 'module_utils' || parts[1] === 'modules') && parts.length > 2)
      roots.push(join(ansiblePath!, ...parts.slice(1)));
    else if (parts[0] === 'ansible_collections' && parts.length > 4 && parts[3] === 'plugins')
      roots.push(...collectionPaths.map((root) => join(root, ...parts.slice(1))));
    for (const root of roots) {
      if (existsSync(`${root}.py`)) return { path: `${root}.py`, isPackage: false };
      if (existsSync(join(root, '__init__.py'))) return { path: join(root, '__init__.py'), isPackage: true };
    }
    return undefined;
  }

  function load(name: string, path: string, isPackage: boolean): Cached {
    const { mtimeMs, size } = statSync(path);
    const stamp = `${mtimeMs}:${size}`;
    const known = files.get(path);
    if (known?.stamp === stamp) return known;
    const source = readFileSync(path, 'utf8');
    const imports = findImports(source).flatMap((found) => candidateNames(found, name, isPackage));
    const cached = { stamp, imports, entry: { digest: digestOf(source), isPackage, path, source } };
    files.set(path, cached);
    return cached;
  }

  /** Adds a name, the packages above it, and all that they import. */
  function add(name: string, into: Map<string, SourceEntry>): void {
    const queue = [name];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (into.has(next) || !/^ansible(_collections)?\./.test(next)) continue;
      const file = packages.has(next) ? undefined : locate(next);
      if (!file) continue;
      const { entry, imports } = load(next, file.path, file.isPackage);
      into.set(next, entry);
      addParents(next, into, queue);
      queue.push(...imports);
    }
  }
  function addParents(name: string, into: Map<string, SourceEntry>, queue: string[]): void {
    for (let end = name.lastIndexOf('.'); end > 0; end = name.lastIndexOf('.', end - 1)) {
      const parent = name.slice(0, end);
      if (into.has(parent)) continue;
      const known = packages.get(parent);
      if (known) into.set(parent, known);
      else if (locate(parent)) queue.push(parent);
      else into.set(parent, synthetic(`${parent.replaceAll('.', '/')}/__init__.py`, ''));
    }
  }

  const canonicalName = (name: string) => name.replace(/^ansible\.(builtin|legacy)\./, '');
  function dottedName(name: string): string {
    const short = canonicalName(name);
    const parts = short.split('.');
    const dotted =
      parts.length === 1
        ? `ansible.modules.${short}`
        : `ansible_collections.${parts[0]}.${parts[1]}.plugins.modules.${parts.slice(2).join('.')}`;
    const file = /^[\w.]+$/.test(short) && parts.length !== 2 ? locate(dotted) : undefined;
    if (!file)
      throw new ExecutorError(
        'MODULE_NOT_FOUND',
        `The module '${name}' is not in ${parts.length === 1 ? join(ansiblePath!, 'modules') : collectionPaths.join(' or ')}.`,
      );
    if (
      !/^\s*(from|import)\s+ansible\.module_utils|^\s*from\s+\.+module_utils/m.test(
        load(dotted, file.path, file.isPackage).entry.source,
      )
    )
      throw new ExecutorError(
        'MODULE_NOT_FOUND',
        `The module '${name}' is not a new-style Python module (${file.path} imports no module_utils), and others are not supported.`,
      );
    return dotted;
  }

  return {
    ansibleVersion,
    canonicalName,
    check: (name) => void dottedName(name),
    has(name) {
      try {
        dottedName(name);
        return true;
      } catch {
        return false;
      }
    },
    collect(names) {
      const into = new Map<string, SourceEntry>();
      const modules = new Map<string, string>();
      for (const name of names) {
        const dotted = dottedName(name);
        modules.set(canonicalName(name), dotted);
        add(dotted, into);
      }
      add('ansible.module_utils.basic', into);
      return { names: into, modules };
    },
  };
}

function digestOf(source: string): string {
  return createHash('sha256').update(source).digest('hex').slice(0, 32);
}
