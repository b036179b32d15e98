/** Modules and everything they import, as texts by dotted name: what a runtime needs to run them. */

export interface SourceEntry {
  readonly digest: string;
  readonly isPackage: boolean;
  /** Shown in tracebacks. */
  readonly path: string;
  readonly source: string;
}

export interface ModuleSet {
  /** dotted name -> text. */
  readonly names: ReadonlyMap<string, SourceEntry>;
  /** module as a play names it -> dotted name of its text. */
  readonly modules: ReadonlyMap<string, string>;
}
