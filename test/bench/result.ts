/** What a benchmark gives: a table for people, figures for machines. */
export interface BenchResult {
  /** First row: the heads. */
  readonly table: readonly (readonly string[])[];
  readonly figures: Readonly<Record<string, number>>;
  /** Ours to the peer's, measured in the same run. */
  readonly ratios: Readonly<Record<string, number>>;
  /** How it was measured, in a few sentences. */
  readonly method: string;
  readonly versions: Readonly<Record<string, string>>;
  /** A short or partial run: shown, not kept. */
  readonly isTrial?: boolean;
}

export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  run(options: BenchOptions): Promise<BenchResult>;
}

export interface BenchOptions {
  /** Says where it is; the result goes to standard output. */
  readonly say: (line: string) => void;
  readonly args: readonly string[];
}
