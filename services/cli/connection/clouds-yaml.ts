/** The part of YAML that clouds.yaml files use: nested mappings of plain or quoted scalars, comments. */
import { CliError } from '../errors.ts';

/** Settings of one cloud by their path below it, such as `auth.username`. */
export type CloudSettings = Readonly<Record<string, string>>;

/** The value of a scalar, and whether a block of deeper lines follows instead. */
function scalar(raw: string): string | undefined {
  const quoted = /^(?:'((?:[^']|'')*)'|"((?:[^"\\]|\\.)*)")\s*(?:#.*)?$/.exec(raw);
  if (quoted) {
    if (quoted[1] !== undefined) return quoted[1].replaceAll("''", "'");
    return quoted[2]!.replace(/\\(.)/g, (_, c: string) => ({ n: '\n', t: '\t' })[c] ?? c);
  }
  const plain = raw.replace(/(^|\s)#.*$/, '').trim();
  return plain === '' ? undefined : plain;
}

/**
 * The clouds of a clouds.yaml.
 * @throws CliError with the line that is outside of the subset that is read.
 */
export function cloudsFromYaml(content: string, path: string): Readonly<Record<string, CloudSettings>> {
  const clouds: Record<string, Record<string, string>> = {};
  const stack: Array<{ indent: number; key: string }> = [];
  content.split(/\r?\n/).forEach((line, index) => {
    if (/^\s*(#.*)?$/.test(line) || /^(---|\.\.\.)\s*(#.*)?$/.test(line)) return;
    const match = /^( *)(?:'([^']+)'|"([^"]+)"|([^\s#'"[\]{}:-][^:#]*?))\s*:(?:\s+(.*))?$/.exec(line);
    const indent = match?.[1]!.length ?? /^ */.exec(line)![0].length;
    while (stack.length > 0 && stack.at(-1)!.indent >= indent) stack.pop();
    const isOfClouds = stack[0]?.key === 'clouds';
    if (!match) {
      // Lists and other shapes stand in settings that are not read here, such as regions.
      if (!isOfClouds || /^\s*- /.test(line)) return;
      throw new CliError(`${path}, line ${index + 1}: this form of YAML is not read here; write "key: value".`);
    }
    const key = match[2] ?? match[3] ?? match[4]!;
    const value = scalar(match[5] ?? '');
    stack.push({ indent, key });
    const [root, cloud, ...rest] = stack.map((s) => s.key);
    if (root !== 'clouds' || cloud === undefined) return;
    clouds[cloud] ??= {};
    if (rest.length === 0 || value === undefined) return;
    if (/^[[{&*|>!]/.test(match[5]!.trim())) {
      if (rest[0] !== 'auth') return;
      throw new CliError(`${path}, line ${index + 1}: this form of YAML is not read here; write "key: value".`);
    }
    clouds[cloud]![rest.join('.')] = value;
  });
  return clouds;
}
