/** Finds what a Python text imports from Ansible, by its import statements, wherever they stand (conditional ones included). */

export interface PythonImport {
  /** Number of leading dots of a relative import. */
  readonly level: number;
  /** `a.b` of `from a.b import c` or `import a.b`; empty for `from . import c`. */
  readonly module: string;
  /** The imported names; empty for `import a.b`. */
  readonly names: readonly string[];
}

const FROM = /^[ \t]*from[ \t]+(\.*)[ \t]*([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|(?:[^\n\\]|\\\n)+)/gm;
const PLAIN = /^[ \t]*import[ \t]+((?:[^\n\\]|\\\n)+)/gm;

const withoutComments = (text: string) => text.replace(/#[^\n]*/g, '');
const list = (text: string) =>
  withoutComments(text)
    .replace(/[()\\]/g, ' ')
    .split(/[,;]/)
    .map((part) => part.trim().split(/\s+/)[0] ?? '')
    .filter((name) => /^[\w.]+$/.test(name));

/** All import statements of a text. Text in strings that looks like one is taken too: it resolves to nothing, or to a file too many. */
export function findImports(source: string): PythonImport[] {
  const found: PythonImport[] = [];
  for (const [, dots = '', module = '', names = ''] of source.matchAll(FROM))
    if (dots !== '' || module !== '') found.push({ level: dots.length, module, names: list(names) });
  for (const [, modules = ''] of source.matchAll(PLAIN))
    for (const module of list(modules)) found.push({ level: 0, module, names: [] });
  return found;
}

/** The dotted names an import may mean, seen from `importer`; the importing side decides which of them exist. */
export function candidateNames(found: PythonImport, importer: string, importerIsPackage: boolean): string[] {
  let base = found.module;
  if (found.level > 0) {
    const parts = importer.split('.');
    const up = found.level - (importerIsPackage ? 1 : 0);
    if (up >= parts.length) return [];
    base = [...parts.slice(0, parts.length - up), ...(found.module === '' ? [] : [found.module])].join('.');
  }
  return [base, ...found.names.map((name) => `${base}.${name}`)];
}
