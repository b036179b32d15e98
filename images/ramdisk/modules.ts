/** Which kernel modules a list of names needs, from the text files that depmod writes. Pure. */

/** Modules are called with `_` or `-` alike. */
const normal = (name: string): string => name.replaceAll('-', '_');
const nameOf = (path: string): string => normal((path.split('/').at(-1) ?? '').replace(/\.ko$/, ''));

export interface ModuleSelection {
  /** Paths below /lib/modules/VERSION, dependencies included, sorted. */
  readonly paths: readonly string[];
  /** Names that this kernel has neither as a module nor built in. */
  readonly missing: readonly string[];
}

/**
 * @param modulesDep text of modules.dep: `path: dependency dependency`
 * @param modulesBuiltin text of modules.builtin: one path per line
 */
export function selectModules(names: readonly string[], modulesDep: string, modulesBuiltin: string): ModuleSelection {
  const dependencies = new Map<string, readonly string[]>();
  const pathOf = new Map<string, string>();
  for (const line of modulesDep.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const path = line.slice(0, colon);
    dependencies.set(
      path,
      line
        .slice(colon + 1)
        .trim()
        .split(/\s+/)
        .filter(Boolean),
    );
    pathOf.set(nameOf(path), path);
  }
  const builtin = new Set(modulesBuiltin.split('\n').map(nameOf));
  const paths = new Set<string>();
  const missing: string[] = [];
  for (const name of names) {
    const path = pathOf.get(normal(name));
    if (path !== undefined) for (const one of [path, ...(dependencies.get(path) ?? [])]) paths.add(one);
    else if (!builtin.has(normal(name))) missing.push(name);
  }
  return { paths: [...paths].toSorted(), missing };
}
