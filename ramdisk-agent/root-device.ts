/**
 * Which disk gets the image: Ironic's root-device hints and their operators, and Ironic's default without hints.
 * Pure: a wrong choice erases somebody's data, so all of it can be tested by table.
 *
 * Operators (oslo.utils specs_matcher): `=` (at least) `==` `!=` `<` `<=` `>` `>=` for numbers, `s==` `s!=` `s<` `s<=` `s>`
 * `s>=` for strings, `<in> TEXT` (TEXT is a part of the value), `<all-in> A <all-in> B` (each is a part), `<or> A <or> B`
 * (it is one of them). Without an operator: equal. Case does not matter.
 */
import type { DiskIdentity, InventoryDisk, Result, RootDeviceHints } from '@bessemer/agent-protocol';

const GIB = 1024 ** 3;
/** Ironic's least size of a disk that is taken without hints. */
const MIN_ROOT_DISK_BYTES = 4 * GIB;

type Matcher = (disk: InventoryDisk) => boolean;

const TEXT_HINTS: Record<string, (disk: InventoryDisk) => string | null | undefined> = {
  model: (d) => d.model,
  vendor: (d) => d.vendor,
  serial: (d) => d.serial,
  wwn: (d) => d.wwn,
  wwn_with_extension: (d) => d.wwn_with_extension,
  wwn_vendor_extension: (d) => d.wwn_vendor_extension,
  name: (d) => d.name,
  by_path: (d) => d.by_path,
  hctl: (d) => d.hctl,
  tran: (d) => d.tran,
};
const ROOT_DEVICE_HINT_NAMES: readonly string[] = [...Object.keys(TEXT_HINTS), 'size', 'rotational'];

interface Expression {
  readonly operator: string;
  readonly values: readonly string[];
}

// The longer operator first: `s==` begins like no other, `==` begins like `=`.
const OPERATORS = [
  '<all-in>',
  '<range-in>',
  '<in>',
  '<or>',
  's==',
  's!=',
  's<=',
  's>=',
  's<',
  's>',
  '==',
  '!=',
  '<=',
  '>=',
  '=',
  '<',
  '>',
];
const LIST_OPERATORS = new Set(['<all-in>', '<or>']);

function parseExpression(hint: string, expression: string): Result<Expression> {
  const text = expression.trim().toLowerCase();
  if (text === '') return bad(hint, 'it is empty');
  const operator = OPERATORS.find((candidate) => text.startsWith(candidate)) ?? '';
  if (operator === '<range-in>') return bad(hint, 'the operator <range-in> is not supported: use >= and <=');
  const values = (operator === '' ? [text] : text.split(operator))
    .map((value) => value.trim())
    .filter((value) => value !== '');
  if (values.length === 0) return bad(hint, `there is no value behind ${operator}`);
  if (values.length > 1 && !LIST_OPERATORS.has(operator)) return bad(hint, `the operator ${operator} takes one value`);
  return { ok: true, value: { operator, values } };
}

const bad = (hint: string, why: string): { ok: false; error: string } => ({
  ok: false,
  error: `root device hint "${hint}": ${why}`,
});

const NUMBER_TESTS: Record<string, (value: number, wanted: number) => boolean> = {
  '=': (value, wanted) => value >= wanted,
  '==': (value, wanted) => value === wanted,
  '!=': (value, wanted) => value !== wanted,
  '<': (value, wanted) => value < wanted,
  '<=': (value, wanted) => value <= wanted,
  '>': (value, wanted) => value > wanted,
  '>=': (value, wanted) => value >= wanted,
};

const TEXT_TESTS: Record<string, (value: string, wanted: readonly string[]) => boolean> = {
  '': (value, [wanted]) => value === wanted,
  's==': (value, [wanted]) => value === wanted,
  's!=': (value, [wanted]) => value !== wanted,
  's<': (value, [wanted]) => value < (wanted ?? ''),
  's<=': (value, [wanted]) => value <= (wanted ?? ''),
  's>': (value, [wanted]) => value > (wanted ?? ''),
  's>=': (value, [wanted]) => value >= (wanted ?? ''),
  '<in>': (value, [wanted]) => value.includes(wanted ?? ''),
  '<all-in>': (value, wanted) => wanted.every((part) => value.includes(part)),
  '<or>': (value, wanted) => wanted.includes(value),
};

function textMatcher(hint: string, expression: unknown): Result<Matcher> {
  if (typeof expression !== 'string') return bad(hint, 'it must be a string');
  const parsed = parseExpression(hint, expression);
  if (!parsed.ok) return parsed;
  const { operator, values } = parsed.value;
  const read = TEXT_HINTS[hint]!;
  const valueOf = (disk: InventoryDisk): string => (read(disk) ?? '').trim().toLowerCase();
  const numberTest = NUMBER_TESTS[operator];
  if (numberTest) {
    const wanted = toNumber(values[0]!);
    if (wanted === undefined)
      return bad(
        hint,
        `${operator} compares numbers and "${values[0]}" is none: use s${operator === '=' ? '==' : operator} for text`,
      );
    return {
      ok: true,
      value: (disk) => {
        const value = toNumber(valueOf(disk));
        return value !== undefined && numberTest(value, wanted);
      },
    };
  }
  // A disk that does not tell the value matches no hint about it, not even s!=.
  return { ok: true, value: (disk) => valueOf(disk) !== '' && TEXT_TESTS[operator]!(valueOf(disk), values) };
}

function toNumber(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

function sizeMatcher(expression: unknown): Result<Matcher> {
  if (typeof expression !== 'string' && typeof expression !== 'number')
    return bad('size', 'it must be a number of GiB');
  const parsed = parseExpression('size', String(expression));
  if (!parsed.ok) return parsed;
  const { operator, values } = parsed.value;
  if (!values.every((value) => /^\d+$/.test(value) && Number(value) > 0))
    return bad('size', `"${values.join(' ')}" is not a positive whole number of GiB`);
  const wanted = values.map(Number);
  if (operator === '<or>') return { ok: true, value: (disk) => wanted.includes(disk.size / GIB) };
  const test = operator === '' ? NUMBER_TESTS['==']! : NUMBER_TESTS[operator];
  if (!test) return bad('size', `the operator ${operator} does not compare numbers`);
  return { ok: true, value: (disk) => test(disk.size / GIB, wanted[0]!) };
}

const TRUE_WORDS = new Set(['1', 't', 'true', 'on', 'y', 'yes']);
const FALSE_WORDS = new Set(['0', 'f', 'false', 'off', 'n', 'no']);

function rotationalMatcher(expression: unknown): Result<Matcher> {
  const word = String(expression).trim().toLowerCase();
  if (!TRUE_WORDS.has(word) && !FALSE_WORDS.has(word)) return bad('rotational', `"${word}" is neither true nor false`);
  return { ok: true, value: (disk) => disk.rotational === TRUE_WORDS.has(word) };
}

/** Compiles hints into one test that is true for disks that meet all of them. The error names the hint. */
function compileHints(hints: RootDeviceHints): Result<Matcher> {
  const matchers: Matcher[] = [];
  for (const [hint, expression] of Object.entries(hints)) {
    const matcher =
      hint === 'size'
        ? sizeMatcher(expression)
        : hint === 'rotational'
          ? rotationalMatcher(expression)
          : Object.hasOwn(TEXT_HINTS, hint)
            ? textMatcher(hint, expression)
            : bad(hint, `it is not one of ${ROOT_DEVICE_HINT_NAMES.join(', ')}`);
    if (!matcher.ok) return matcher;
    matchers.push(matcher.value);
  }
  return { ok: true, value: (disk) => matchers.every((matches) => matches(disk)) };
}

export type RootDeviceChoice =
  | { readonly ok: true; readonly disk: InventoryDisk }
  | {
      readonly ok: false;
      readonly code: 'BAD_ARGUMENTS' | 'NO_SUITABLE_DISK' | 'AMBIGUOUS_DISK';
      readonly message: string;
    };

/**
 * Chooses the disk. With hints: the one disk that meets them all; read-only disks never count, removable ones only when no
 * fixed disk meets the hints; more than one is refused. Without: the smallest fixed, writable disk of the machine itself of at
 * least 4 GiB, of equal ones the first by path.
 */
export function chooseRootDevice(disks: readonly InventoryDisk[], hints: RootDeviceHints = {}): RootDeviceChoice {
  const seen = `Disks seen: ${disks.length === 0 ? 'none' : disks.map(describeDisk).join('; ')}`;
  const writable = disks.filter((disk) => !disk.read_only && disk.size > 0);
  if (Object.keys(hints).length === 0) {
    const fitting = writable
      .filter((disk) => !disk.removable && !isOnNetwork(disk) && disk.size >= MIN_ROOT_DISK_BYTES)
      .toSorted((a, b) => a.size - b.size || compare(a.by_path ?? '', b.by_path ?? '') || compare(a.name, b.name));
    if (fitting[0]) return { ok: true, disk: fitting[0] };
    return {
      ok: false,
      code: 'NO_SUITABLE_DISK',
      message: `no fixed, writable disk of at least 4 GiB is there. ${seen}. Set properties.root_device to name another one.`,
    };
  }
  const matches = compileHints(hints);
  if (!matches.ok)
    return { ok: false, code: 'BAD_ARGUMENTS', message: `${matches.error}. Correct properties.root_device.` };
  const matching = writable.filter(matches.value);
  const fixed = matching.filter((disk) => !disk.removable);
  const candidates = fixed.length > 0 ? fixed : matching;
  if (candidates.length === 1) return { ok: true, disk: candidates[0]! };
  const wanted = JSON.stringify(hints);
  if (candidates.length === 0)
    return {
      ok: false,
      code: 'NO_SUITABLE_DISK',
      message: `no writable disk meets the root device hints ${wanted}. ${seen}.`,
    };
  return {
    ok: false,
    code: 'AMBIGUOUS_DISK',
    message: `${candidates.length} disks meet the root device hints ${wanted}: ${candidates.map((d) => d.name).join(', ')}. Add a hint such as serial or wwn. ${seen}.`,
  };
}

/** A disk of a storage network, which other machines may share: only a hint makes it ours to write to. */
export const isOnNetwork = (disk: Pick<InventoryDisk, 'tran'>): boolean => disk.tran === 'fc' || disk.tran === 'iscsi';

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A disk in a line for people. */
export function describeDisk(disk: InventoryDisk): string {
  const facts = [
    `${Number((disk.size / GIB).toFixed(2))} GiB`,
    [disk.vendor, disk.model].filter(Boolean).join(' '),
    disk.serial && `serial ${disk.serial}`,
    disk.wwn && `wwn ${disk.wwn}`,
    disk.by_path,
    disk.rotational ? 'rotational' : '',
    disk.removable ? 'removable' : '',
    disk.read_only ? 'read-only' : '',
    isOnNetwork(disk) ? `on a storage network (${disk.tran})` : '',
  ];
  return `${disk.name} (${facts.filter(Boolean).join(', ')})`;
}

/** What has to stay the same for a disk to be the same disk. */
export function identityOf(disk: InventoryDisk): DiskIdentity {
  return { name: disk.name, serial: disk.serial, wwn: disk.wwn, byPath: disk.by_path, sizeBytes: disk.size };
}

/**
 * Finds the disk that was chosen earlier, by what cannot change within its life: serial and WWN where it has them, else its
 * path or name; the size always. Undefined when it is not there or cannot be told from another.
 */
export function findSameDisk(disks: readonly InventoryDisk[], identity: DiskIdentity): InventoryDisk | undefined {
  const same = disks.filter((disk) => {
    if (disk.size !== identity.sizeBytes) return false;
    if (disk.serial !== identity.serial || disk.wwn !== identity.wwn) return false;
    if (identity.serial !== '' || identity.wwn !== null) return true;
    return identity.byPath !== null ? disk.by_path === identity.byPath : disk.name === identity.name;
  });
  // Twins (disks of one enclosure with one serial) are told apart by where they are.
  const there =
    same.length > 1 ? same.filter((disk) => disk.by_path === identity.byPath && disk.name === identity.name) : same;
  return there.length === 1 ? there[0] : undefined;
}
