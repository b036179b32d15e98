/** Tables in the manner of cliff over PrettyTable, to the byte. */
import { Float, str, type Value } from './python.ts';
import { displayWidth } from './width.ts';

type Align = 'l' | 'r' | 'c';

export interface TableOptions {
  /** Most columns of the whole table; 0: no limit. */
  readonly maxWidth: number;
  readonly printEmpty: boolean;
}

const cellText = (value: Value): string =>
  typeof value === 'string' ? value.replaceAll('\r\n', '\n').replaceAll('\r', ' ') : str(value);

function justify(text: string, width: number, align: Align): string {
  const excess = width - displayWidth(text);
  if (align === 'l') return text + ' '.repeat(excess);
  if (align === 'r') return ' '.repeat(excess) + text;
  const half = Math.floor(excess / 2);
  if (excess % 2 === 0) return ' '.repeat(half) + text + ' '.repeat(half);
  // The odd blank goes to the right of a text of odd width, else to its left: as Python's str.center does.
  return displayWidth(text) % 2 === 1
    ? ' '.repeat(half) + text + ' '.repeat(half + 1)
    : ' '.repeat(half + 1) + text + ' '.repeat(half);
}

const LETTER = '\\p{L}';
/** Where a line may be broken: at blanks, and after a hyphen between letters, as in `long-lived`. */
const PIECES = new RegExp(
  `\\s+|\\S+?(?:-(?:(?<=${LETTER}{2}-)|(?<=${LETTER}-${LETTER}-))(?=${LETTER}-?${LETTER})|(?=\\s|$))`,
  'gu',
);

/** The longest start of `text` that fits into `columns`, at least one character when `mustTake`. */
function startThatFits(text: string, columns: number, mustTake: boolean): string {
  let taken = '';
  for (const character of text) {
    if (displayWidth(taken + character) > columns && !(mustTake && taken === '')) break;
    taken += character;
  }
  // A word that must be cut is cut behind a hyphen, where it has one.
  const hyphen = taken.lastIndexOf('-');
  return taken !== text && hyphen > 0 && /[^-]/.test(taken.slice(0, hyphen)) ? taken.slice(0, hyphen + 1) : taken;
}

/** Breaks one line so that no part is wider than `width`, as Python's textwrap does; words that are wider are cut. */
function wrapLine(line: string, width: number): string[] {
  if (displayWidth(line) <= width) return [line];
  const pieces = line.replace(/\s/g, ' ').match(PIECES) ?? [];
  const lines: string[] = [];
  while (pieces.length > 0) {
    if (lines.length > 0 && pieces[0]!.trim() === '') pieces.shift();
    let current = '';
    while (pieces.length > 0 && displayWidth(current + pieces[0]!) <= width) current += pieces.shift();
    if (pieces.length > 0 && displayWidth(pieces[0]!) > width) {
      const start = startThatFits(pieces[0]!, width - displayWidth(current), current === '');
      current += start;
      pieces[0] = pieces[0]!.slice(start.length);
    }
    current = current.trimEnd();
    if (current !== '') lines.push(current);
  }
  return lines;
}

const linesOf = (text: string, width: number | undefined): string[] => {
  const lines = text.split('\n');
  return width === undefined ? lines : lines.flatMap((line) => wrapLine(line, width));
};

/** Widths to which columns shrink so that the table fits into `maxWidth`; none when it fits. */
function shrink(widths: readonly number[], maxWidth: number, minWidth: number): ReadonlyArray<number | undefined> {
  const none = widths.map(() => undefined);
  const total = widths.reduce((sum, w) => sum + w + 3, 1);
  if (maxWidth <= 0 || total <= maxWidth) return none;
  const usable = Math.max(0, maxWidth - 1 - 3 * widths.length);
  const optimal = Math.floor(usable / widths.length);
  const large = widths.flatMap((w, i) => (w > optimal ? [i] : []));
  if (large.length === 0) return none;
  let remaining = usable - widths.reduce((sum, w) => sum + (w > optimal ? 0 : w), 0);
  const each = Math.floor(remaining / large.length);
  const result: Array<number | undefined> = [...none];
  large.forEach((index, i) => {
    const isLast = i === large.length - 1;
    result[index] = Math.max(minWidth, isLast ? remaining : each);
    if (!isLast) remaining -= each;
  });
  return result;
}

/** Width of each column without a limit. */
const naturalWidths = (heads: readonly string[], rows: readonly (readonly string[])[]): number[] =>
  heads.map((head, i) => {
    let width = displayWidth(head);
    for (const row of rows) for (const line of row[i]!.split('\n')) width = Math.max(width, displayWidth(line));
    return width;
  });

function draw(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  aligns: readonly Align[],
  limits: ReadonlyArray<number | undefined>,
): string {
  const cells = rows.map((row) => row.map((text, i) => linesOf(text, limits[i])));
  const headCells = heads.map((h, i) => linesOf(h, limits[i]));
  const natural = naturalWidths(heads, rows);
  const widths = natural.map((w, i) => Math.min(w, limits[i] ?? w));
  const rule = `+${widths.map((w) => '-'.repeat(w + 2)).join('+')}+`;
  const rowText = (row: readonly string[][]): string[] => {
    const height = Math.max(1, ...row.map((lines) => lines.length));
    return Array.from(
      { length: height },
      (_, y) => `| ${row.map((lines, i) => justify(lines[y] ?? '', widths[i]!, aligns[i]!)).join(' | ')} |`,
    );
  };
  return [rule, ...rowText(headCells), rule, ...cells.flatMap(rowText), rule].join('\n');
}

function fitted(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  aligns: readonly Align[],
  options: TableOptions,
  minWidth: number,
): string {
  const none = heads.map(() => undefined);
  const whole = draw(heads, rows, aligns, none);
  if (options.maxWidth <= 0) return whole;
  const widths = naturalWidths(heads, rows);
  const limits = shrink(widths, options.maxWidth, minWidth);
  return limits.every((l) => l === undefined) ? whole : draw(heads, rows, aligns, limits);
}

/** Several objects: one row each. The first row decides the alignment of each column. */
export function listTable(
  heads: readonly string[],
  rows: readonly (readonly Value[])[],
  options: TableOptions,
): string {
  if (rows.length === 0 && !options.printEmpty) return '\n';
  const aligns = heads.map((_, i): Align => {
    if (rows.length === 0) return 'c';
    const value = rows[0]![i]!;
    return typeof value === 'number' || typeof value === 'bigint' || value instanceof Float ? 'r' : 'l';
  });
  return `${fitted(
    heads,
    rows.map((row) => row.map(cellText)),
    aligns,
    options,
    8,
  )}\n`;
}

/** One object: field and value. */
export function oneTable(pairs: readonly (readonly [string, Value])[], options: TableOptions): string {
  if (pairs.length === 0) return '\n';
  return `${fitted(
    ['Field', 'Value'],
    pairs.map(([k, v]) => [cellText(k), cellText(v)]),
    ['l', 'l'],
    options,
    16,
  )}\n`;
}
