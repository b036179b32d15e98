/**
 * Nodes straight from their rows to JSON: what is only forwarded is not parsed. The text is, byte for byte, what
 * `JSON.stringify(nodeView(...))` gives for the same node, so that an entity tag does not depend on the way it was made.
 */
import { formatTime, isJsonObject, type Json, type JsonObject, type ProvisionState } from '@bessemer/core';
import type { NodeValues } from '@bessemer/db';
import { conductorFor } from '@bessemer/rpc';
import { type Conductors, driverOf } from '../conductors.ts';
import { giveBack, takeBuffer } from '../http/buffers.ts';
import { maskInstanceInfo, maskSecrets, stateName } from './node.ts';
import { NODE_FIELD, NODE_SUBRESOURCES, type NodeField } from './node-fields.ts';

export interface NodeWriter {
  /** The columns that the values must be of: the same array for the same fields. */
  readonly columns: readonly string[];
  /** JSON text of one node. */
  write(values: NodeValues): string;
  /** UTF-8 of each node's JSON. */
  writeEach(rows: readonly NodeValues[]): Buffer[];
  /** UTF-8 of `head`, the nodes with commas between them, and `tail`. */
  writeAll(rows: readonly NodeValues[], head: string, tail: string): Uint8Array;
  /** Host name of the conductor that works on the node, or null: if the field `conductor` or `isHostAsked` was given. */
  hostOf(values: NodeValues): string | null;
  uuidOf(values: NodeValues): string;
}

type Value = NodeValues[number];

/** What all rows of one answer share. */
interface Shared {
  readonly minor: number;
  /** JSON of the host that works on a node. */
  hostText(values: NodeValues): string;
  /** JSON of the interface that a driver takes where a node names none. */
  defaultText(driver: Value, kind: string): string;
}
/** JSON of one member's value. */
type Part = (values: NodeValues, shared: Shared) => string;

/** Nothing in it would have to be escaped. */
const SAFE = /^[\w .,:/@+-]*$/;
const quote = (text: string): string => (SAFE.test(text) ? `"${text}"` : JSON.stringify(text));
const quoted = (value: Value): string => (value === null ? 'null' : quote(String(value)));

/** A name that may be a secret's and has a value to be hidden. It finds too much rather than too little: then the text is parsed. */
const MAY_HOLD_SECRET =
  /(?:pass|secret|token|credential|community|key|config_?drive|image_url)(?:[^"\\]|\\.)*"\s*:(?!\s*(?:"\*{6}"|null|""))/i;

function masked(text: string, mask: (value: JsonObject) => JsonObject): string {
  if (text.length <= 2 || !MAY_HOLD_SECRET.test(text)) return text;
  const parsed = JSON.parse(text) as Json;
  return isJsonObject(parsed) ? JSON.stringify(mask(parsed)) : text;
}
const MASKS: Readonly<Record<string, (value: JsonObject) => JsonObject>> = {
  driver_info: maskSecrets,
  driver_internal_info: maskSecrets,
  instance_info: maskInstanceInfo,
};
const STATES: ReadonlySet<string> = new Set(['provision_state', 'target_provision_state']);

/** `at` gives the place of a column among the values. */
function partOf(field: NodeField, at: (column: string) => number): Part {
  const { wire, kind, interfaceKind } = field;
  if (wire === 'health') return () => 'null';
  if (wire === 'conductor') return (values, shared) => shared.hostText(values);
  const i = at(wire);
  if (STATES.has(wire)) return (values, { minor }) => quoted(stateName(values[i] as ProvisionState | null, minor));
  const mask = MASKS[wire];
  if (mask) return (values) => masked(String(values[i]), mask);
  if (interfaceKind) {
    const driver = at('driver');
    return (values, shared) =>
      values[i] === null ? shared.defaultText(values[driver]!, interfaceKind) : quoted(values[i]!);
  }
  if (kind === 'json' || kind === 'list') return (values) => String(values[i]);
  if (kind === 'boolean' || kind === 'tristate')
    return (values) => (values[i] === null ? 'null' : values[i] === 1 ? 'true' : 'false');
  if (kind === 'time') return (values) => (values[i] === null ? 'null' : `"${formatTime(Number(values[i]))}"`);
  return (values) => quoted(values[i]!);
}

/** Fields in a row of which neighbours in a list mostly have the same values: their text is made once for all of these. */
interface Run {
  readonly from: number;
  readonly to: number;
  /** The columns that the text depends on; none for a field that is a node's own. */
  readonly columns: readonly number[];
}

/** What depends on the fields alone. */
interface Template {
  readonly columns: readonly string[];
  readonly parts: readonly Part[];
  /** What stands before each part: a brace or a comma, and the name. */
  readonly heads: readonly string[];
  readonly runs: readonly Run[];
}

const OWN: ReadonlySet<string> = new Set(
  `uuid name description instance_uuid instance_name allocation_uuid created_at updated_at provision_updated_at
  inspection_started_at inspection_finished_at driver_info driver_internal_info instance_info extra properties health conductor`
    .trim()
    .split(/\s+/),
);

function makeTemplate(fields: readonly string[], isHostAsked: boolean): Template {
  const needsHost = isHostAsked || fields.some((wire) => wire === 'conductor' || NODE_FIELD.get(wire)!.interfaceKind);
  // The place of a column among the values is its place in this list; UUID_AT, DRIVER_AT and GROUP_AT are of it.
  const columns = needsHost ? ['uuid', 'driver', 'conductor_group'] : ['uuid'];
  let used: number[] = [];
  const at = (column: string): number => {
    const found = columns.indexOf(column);
    const place = found >= 0 ? found : columns.push(column) - 1;
    used.push(place);
    return place;
  };
  const runs: Run[] = [];
  const parts = fields.map((wire, i) => {
    const isOwn = OWN.has(wire);
    const last = runs.at(-1);
    used = isOwn || !last || last.columns.length === 0 ? [] : [...last.columns];
    const part = partOf(NODE_FIELD.get(wire)!, at);
    if (isOwn) runs.push({ from: i, to: i + 1, columns: [] });
    else if (!last || last.columns.length === 0) runs.push({ from: i, to: i + 1, columns: used });
    else runs[runs.length - 1] = { from: last.from, to: i + 1, columns: used };
    return part;
  });
  const heads = fields.map((wire, i) => `${i === 0 ? '{' : ','}${JSON.stringify(wire)}:`);
  return { columns, parts, heads, runs };
}

/** Clients ask for few combinations; one that asks for ever new ones only misses. */
const KEPT_TEMPLATES = 200;
const templates = new Map<string, Template>();
/** Full views are asked for with the same list each time. */
const templatesOfLists = new WeakMap<readonly string[], Template>();

function templateFor(fields: readonly string[], isHostAsked: boolean): Template {
  const known = isHostAsked ? undefined : templatesOfLists.get(fields);
  if (known) return known;
  const key = `${isHostAsked} ${fields.join()}`;
  let found = templates.get(key);
  if (!found) {
    found = makeTemplate(fields, isHostAsked);
    if (templates.size < KEPT_TEMPLATES) templates.set(key, found);
  }
  if (!isHostAsked) templatesOfLists.set(fields, found);
  return found;
}

const [UUID_AT, DRIVER_AT, GROUP_AT] = [0, 1, 2];

/** The hosts of one group that run one driver: mostly one, and then no node's hash must be computed. */
function createPlacement(conductors: Conductors): (values: NodeValues) => string | null {
  // Of the row before: neighbours in a list are mostly of one driver and group.
  let driver: string | undefined;
  let conductorGroup = '';
  let candidates: Conductors = [];
  return (values) => {
    if (values[DRIVER_AT] !== driver || values[GROUP_AT] !== conductorGroup) {
      driver = String(values[DRIVER_AT]);
      conductorGroup = String(values[GROUP_AT]);
      const node = { uuid: '', driver, conductorGroup };
      candidates = conductors.filter((c) => conductorFor(node, [c]) !== undefined);
    }
    if (candidates.length <= 1) return candidates[0]?.hostname ?? null;
    return conductorFor({ uuid: String(values[UUID_AT]), driver: driver!, conductorGroup }, candidates) ?? null;
  };
}

function isSame(columns: readonly number[], a: NodeValues, b: NodeValues): boolean {
  for (const column of columns) if (a[column] !== b[column]) return false;
  return true;
}

/** Calls have their price: shorter texts are encoded together with their neighbours. */
const LEAST_BLOCK = 200;
const UUID_LENGTH = 36;
const HOLE = '-'.repeat(UUID_LENGTH);

/** The links of a node, and of its sub-resources in a full view, with holes for its UUID. */
function linksOf(base: string, names: readonly string[]): string {
  const escaped = JSON.stringify(base).slice(1, -1);
  const pair = (name: string, tail: string) =>
    `"${name}":[{"href":"${escaped}/v1/nodes/${HOLE}${tail}","rel":"self"},{"href":"${escaped}/nodes/${HOLE}${tail}","rel":"bookmark"}]`;
  return `${[pair('links', ''), ...names.map((name) => pair(name, `/${name}`))].join()}}`;
}

/**
 * Writes nodes with these fields in this order, then links; a full view (`isFull`) has the links of its sub-resources too.
 * `base` has no trailing slash.
 */
export function createNodeWriter(
  fields: readonly string[],
  options: {
    readonly isFull: boolean;
    readonly minor: number;
    readonly base: string;
    readonly conductors: Conductors;
    /** `hostOf` will be called. */
    readonly isHostAsked?: boolean;
  },
): NodeWriter {
  const { isFull, minor, base, conductors } = options;
  const { columns, parts, heads, runs } = templateFor(fields, options.isHostAsked ?? false);
  const hostOf = createPlacement(conductors);
  const hosts = new Map<string | null, string>();
  const defaults = new Map<Value, Readonly<Record<string, string>>>();
  const shared: Shared = {
    minor,
    hostText(values) {
      const host = hostOf(values);
      let text = hosts.get(host);
      if (text === undefined) hosts.set(host, (text = quoted(host)));
      return text;
    },
    defaultText(driver, kind) {
      let texts = defaults.get(driver);
      if (!texts) {
        const named: Readonly<Record<string, string>> = driverOf(conductors, String(driver))?.defaults ?? {};
        texts = Object.fromEntries(Object.entries(named).map(([k, name]) => [k, quote(name)]));
        defaults.set(driver, texts);
      }
      return texts[kind] ?? 'null';
    },
  };
  const below = isFull ? NODE_SUBRESOURCES.filter(([, since]) => since <= minor).map(([name]) => name) : [];
  const links = `${fields.length === 0 ? '{' : ','}${linksOf(base, below)}`;
  const textOf = ({ from, to }: Run, values: NodeValues): string => {
    let text = '';
    for (let i = from; i < to; i++) text += heads[i]! + parts[i]!(values, shared);
    return text;
  };
  /** Of the shared runs, what the row before had; long texts as bytes, which are copied rather than encoded again. */
  const made: Array<{ readonly values: NodeValues; readonly text: string; readonly block?: Buffer } | undefined> =
    runs.map(() => undefined);
  const addMembers = (values: NodeValues, bytes: Bytes): void => {
    let text = '';
    for (let r = 0; r < runs.length; r++) {
      const run = runs[r]!;
      if (run.columns.length === 0) {
        text += textOf(run, values);
        continue;
      }
      let known = made[r];
      if (!known || !isSame(run.columns, values, known.values)) {
        const shownAs = textOf(run, values);
        const block = shownAs.length >= LEAST_BLOCK ? Buffer.from(shownAs) : undefined;
        made[r] = known = { values, text: shownAs, ...(block ? { block } : {}) };
      }
      if (known.block) {
        bytes.add(text);
        bytes.addBlock(known.block);
        text = '';
      } else text += known.text;
    }
    bytes.add(text);
  };
  const linksBlock = Buffer.from(links);
  const holes: number[] = [];
  for (let at = linksBlock.indexOf(HOLE); at >= 0; at = linksBlock.indexOf(HOLE, at + UUID_LENGTH)) holes.push(at);
  const addNode = (values: NodeValues, bytes: Bytes): void => {
    addMembers(values, bytes);
    bytes.addWithHoles(linksBlock, holes, String(values[UUID_AT]));
  };
  return {
    columns,
    hostOf,
    uuidOf: (values) => String(values[UUID_AT]),
    write: (values) =>
      runs.map((run) => textOf(run, values)).join('') + links.replaceAll(HOLE, String(values[UUID_AT])),
    writeEach(rows) {
      const bytes = createBytes();
      return rows.map((values) => {
        bytes.clear();
        addNode(values, bytes);
        return Buffer.from(bytes.end());
      });
    },
    writeAll(rows, head, tail) {
      const bytes = createBytes();
      bytes.add(head);
      rows.forEach((values, i) => {
        if (i > 0) bytes.add(',');
        addNode(values, bytes);
        // The other rows are about as long as the first.
        if (i === 0) bytes.reserve(Math.ceil(bytes.size() * 1.1) * rows.length);
      });
      bytes.add(tail);
      return bytes.end();
    },
  };
}

interface Bytes {
  size(): number;
  /** Makes room for so many bytes more. */
  reserve(most: number): void;
  add(text: string): void;
  addBlock(block: Uint8Array): void;
  /** A block with the same ASCII text in all its holes. */
  addWithHoles(block: Buffer, holes: readonly number[], text: string): void;
  /** What was added. */
  end(): Uint8Array;
  /** Empties it; what `end` gave is written over. */
  clear(): void;
}

/** UTF-8 in a buffer that grows. */
function createBytes(): Bytes {
  let buffer = takeBuffer(16 * 1024);
  let size = 0;
  const reserve = (most: number) => {
    if (size + most <= buffer.length) return;
    const larger = takeBuffer(Math.max(buffer.length * 2, size + most));
    buffer.copy(larger, 0, 0, size);
    giveBack(buffer);
    buffer = larger;
  };
  return {
    size: () => size,
    reserve,
    add(text) {
      // A UTF-16 unit is three bytes at most.
      reserve(text.length * 3);
      size += buffer.write(text, size, 'utf8');
    },
    addBlock(block) {
      reserve(block.length);
      buffer.set(block, size);
      size += block.length;
    },
    addWithHoles(block, holes, text) {
      reserve(block.length);
      buffer.set(block, size);
      const first = size + holes[0]!;
      buffer.write(text, first, 'latin1');
      for (let i = 1; i < holes.length; i++) buffer.copyWithin(size + holes[i]!, first, first + text.length);
      size += block.length;
    },
    end: () => buffer.subarray(0, size),
    clear: () => void (size = 0),
  };
}
