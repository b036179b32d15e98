/**
 * The examples beside the contract: one file per resource in examples/, read in order as one story. For tests, which hold every answer
 * against a live service, and for the tool that writes the document.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type Document, parseDocument, visit } from 'yaml';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON as data, anything else as text; absent: no body. */
  readonly body?: unknown;
}

export interface Example extends Answer {
  readonly operation: string;
  /** One sentence; without it the operation's summary says it. */
  readonly say?: string;
  /** With the query. `{{name}}` stands for what an earlier `keep` of the file kept. */
  readonly path: string;
  /** What goes along beside the version and the content type. */
  readonly send?: Readonly<Record<string, string>>;
  readonly request?: unknown;
  /** The same on the command line. */
  readonly cli?: string;
  /** N of 1.N; without it the newest. */
  readonly version?: number;
  /** What the conductor answers from here on: a result by RPC method. */
  readonly conductor?: Readonly<Record<string, unknown>>;
  /** Values of this answer for later paths: name and JSON pointer. */
  readonly keep?: Readonly<Record<string, string>>;
}

export interface ExampleFile {
  readonly name: string;
  readonly examples: readonly Example[];
  /** The examples with `{{name}}` filled in from the answers in the file. */
  readonly filled: readonly Example[];
  /** Puts these answers in place of those in the file. */
  write(answers: readonly Answer[]): void;
}

const FOLDER = new URL('examples/', import.meta.url);

/** The value at a JSON pointer (RFC 6901, without escapes). */
function valueAt(body: unknown, pointer: string): unknown {
  let at = body;
  for (const part of pointer.split('/').slice(1)) at = (at as Record<string, unknown> | undefined)?.[part];
  return at;
}

/** The path with what was kept in the place of `{{name}}`. */
export const fill = (path: string, kept: ReadonlyMap<string, string>): string =>
  path.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = kept.get(name);
    if (value === undefined) throw new Error(`${path}: nothing before keeps ${name}`);
    return value;
  });

/** Remembers what an answer is asked to keep. */
export function keepFrom(example: Example, body: unknown, kept: Map<string, string>): void {
  for (const [name, pointer] of Object.entries(example.keep ?? {})) kept.set(name, String(valueAt(body, pointer)));
}

function fillAll(examples: readonly Example[]): Example[] {
  const kept = new Map<string, string>();
  return examples.map((example) => {
    const path = fill(example.path, kept);
    const before = new Map(kept);
    keepFrom(example, example.body, kept);
    return { ...example, path, ...(example.cli === undefined ? {} : { cli: fill(example.cli, before) }) };
  });
}

const ANSWER = ['status', 'headers', 'body'] as const;

function writeInto(doc: Document, answers: readonly Answer[]): string {
  for (const [i, answer] of answers.entries())
    for (const key of ANSWER) {
      const at = ['examples', i, key];
      if (answer[key] === undefined) doc.deleteIn(at);
      else doc.setIn(at, doc.createNode(answer[key]));
    }
  visit(doc, {
    // What is empty, and short lists of words, read better on one line.
    Collection(_, node) {
      if (node.items.length === 0) node.flow = true;
    },
  });
  return doc.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** All files, by name. */
export function readExamples(): ExampleFile[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
  return names.toSorted().map((file) => {
    const url = new URL(file, FOLDER);
    const doc = parseDocument(readFileSync(url, 'utf8'));
    if (doc.errors.length > 0) throw new Error(`${file}: ${doc.errors[0]!.message}`);
    const { examples } = doc.toJS() as { examples: Example[] };
    return {
      name: file.replace(/\.yaml$/, ''),
      examples,
      get filled() {
        return fillAll(examples);
      },
      write: (answers) => writeFileSync(url, writeInto(doc, answers)),
    };
  });
}
