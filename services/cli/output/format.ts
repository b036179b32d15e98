/** What a command gives, written in the format that was asked for. */
import { CliError } from '../errors.ts';
import { dumps, Float, str, type Value } from './python.ts';
import { listTable, oneTable } from './table.ts';
import { yamlLines } from './yaml.ts';

/** Several objects under column heads, or one object as fields and values. */
export type Output =
  | {
      readonly kind: 'list';
      readonly heads: readonly string[];
      /** Names of the fields below the heads, which `--column` takes as well. */
      readonly fields?: readonly string[];
      readonly rows: readonly (readonly Value[])[];
    }
  | { readonly kind: 'one'; readonly pairs: readonly (readonly [string, Value])[] };

/** `csv` is for lists, `shell` for single objects. */
export type Format = 'csv' | 'json' | 'shell' | 'table' | 'value' | 'yaml';

export interface FormatOptions {
  readonly format: Format;
  readonly columns: readonly string[];
  /** Most columns of a table; 0: no limit. */
  readonly maxWidth: number;
  readonly printEmpty: boolean;
  readonly noIndent: boolean;
  readonly quote: 'all' | 'minimal' | 'none' | 'nonnumeric';
  readonly prefix: string;
  readonly sortColumns: readonly string[];
  readonly isDescending: boolean;
}

const isNumber = (value: Value): value is number | bigint | Float =>
  typeof value === 'number' || typeof value === 'bigint' || value instanceof Float;

function csvCell(value: Value, quote: FormatOptions['quote']): string {
  const text = value === null ? '' : str(value);
  const isSpecial = /[",\r\n]/.test(text);
  if (quote === 'none') return text.replace(/([",\\\r\n])/g, '\\$1');
  if (quote === 'all' || isSpecial || (quote === 'nonnumeric' && !isNumber(value) && typeof value !== 'boolean'))
    return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '""')}"`;
  return text;
}

function compare(a: Value, b: Value): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const [x, y] = isNumber(a) && isNumber(b) ? [Number(str(a)), Number(str(b))] : [str(a), str(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Which of `names` are asked for, by them or by their fields, in the object's own order. */
function chosen(names: readonly string[], wanted: readonly string[], fields: readonly string[] = []): number[] {
  const all = names.map((_, i) => i);
  if (wanted.length === 0) return all;
  const indexes = all.filter(
    (i) => wanted.includes(names[i]!) || (fields[i] !== undefined && wanted.includes(fields[i])),
  );
  if (indexes.length === 0)
    throw new CliError(
      `No recognized column names in ${wanted.join(', ')}. Recognized columns are ${names.join(', ')}.`,
    );
  return indexes;
}

/**
 * Writes an output as text, with a line end.
 * @throws CliError when none of the wanted columns exists.
 */
export function formatOutput(output: Output, options: FormatOptions): string {
  const table = { maxWidth: options.maxWidth, printEmpty: options.printEmpty };
  const indent = options.noIndent ? undefined : 2;
  if (output.kind === 'one') {
    const indexes = chosen(
      output.pairs.map(([k]) => k),
      options.columns,
    );
    const pairs = indexes.map((i) => output.pairs[i]!);
    switch (options.format) {
      case 'json':
        return `${dumps(Object.fromEntries(pairs), indent)}\n`;
      case 'value':
        return pairs.map(([, v]) => `${str(v)}\n`).join('');
      case 'shell':
        return pairs
          .map(([k, v]) => {
            const name = k.toLowerCase().replace(/[ :-]/g, '_');
            const text = typeof v === 'string' ? v.replaceAll('"', '\\"') : str(v);
            return `${options.prefix}${name}="${text}"\n`;
          })
          .join('');
      case 'yaml':
        return pairs.map(([k, v]) => `${yamlLines({ [k]: v }).join('\n')}\n`).join('');
      default:
        return oneTable(pairs, table);
    }
  }
  const columnOf = (name: string) => {
    const index = output.heads.indexOf(name);
    return index >= 0 ? index : (output.fields ?? []).indexOf(name);
  };
  const sortBy = options.sortColumns.map(columnOf).filter((i) => i >= 0);
  const sign = options.isDescending ? -1 : 1;
  const sorted =
    sortBy.length === 0
      ? output.rows
      : output.rows.toSorted((a, b) => sign * (sortBy.map((i) => compare(a[i]!, b[i]!)).find((c) => c !== 0) ?? 0));
  const indexes = chosen(output.heads, options.columns, output.fields);
  const heads = indexes.map((i) => output.heads[i]!);
  const rows = sorted.map((row) => indexes.map((i) => row[i]!));
  switch (options.format) {
    case 'json':
      return `${dumps(
        rows.map((row) => Object.fromEntries(row.map((v, i) => [heads[i]!, v]))),
        indent,
      )}\n`;
    case 'value':
      return rows.map((row) => `${row.map(str).join(' ')}\n`).join('');
    case 'csv':
      return [heads, ...rows].map((row) => `${row.map((v) => csvCell(v, options.quote)).join(',')}\n`).join('');
    case 'yaml':
      return `${yamlLines(rows.map((row) => Object.fromEntries(row.map((v, i) => [heads[i]!, v])))).join('\n')}\n`;
    default:
      return listTable(heads, rows, table);
  }
}
