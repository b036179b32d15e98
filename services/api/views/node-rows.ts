/**
 * Nodes straight from their rows to JSON: what is only forwarded is not parsed. The text is, byte for byte, what
 * `JSON.stringify(nodeView(...))` gives for the same node, so that an entity tag does not depend on the way it was made.
 */
import { formatTime, isJsonObject, type Json, type JsonObject, type ProvisionState } from '@bessemer/core';
import type { NodeValues } from '@bessemer/db';
import { conductorFor } from '@bessemer/rpc';
import { type Conductors, driverOf } from '../conductors.ts';
import { maskInstanceInfo, maskSecrets, stateName } from './node.ts';
import { NODE_FIELD, NODE_SUBRESOURCES, type NodeField } from './node-fields.ts';

export interface NodeWriter {
  /** The columns that the values must be of: the same array for the same fields. */
  readonly columns: readonly string[];
  /** JSON text of one node. */
  write(values: NodeValues): string;
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
  hostOf(values: NodeValues): string | null;
  /** The interface that a driver takes where a node names none. */
  defaultOf(driver: Value, kind: string): string | null;
}
/** One member of the object, with the comma after it. */
type Part = (values: NodeValues, shared: Shared) => string;

const quoted = (value: Value): string => (value === null ? 'null' : JSON.stringify(String(value)));

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
/** These hold nothing that would have to be escaped. */
const PLAIN: ReadonlySet<string> = new Set(['uuid', 'chassis_uuid', 'power_state', 'target_power_state']);
const STATES: ReadonlySet<string> = new Set(['provision_state', 'target_provision_state']);

/** `at` gives the place of a column among the values. */
function partOf(field: NodeField, at: (column: string) => number): Part {
  const { wire, kind, interfaceKind } = field;
  const name = `${JSON.stringify(wire)}:`;
  const none = `${name}null,`;
  if (wire === 'conductor') return (values, shared) => `${name}${quoted(shared.hostOf(values))},`;
  const i = at(wire);
  if (PLAIN.has(wire)) return (values) => (values[i] === null ? none : `${name}"${values[i]}",`);
  if (STATES.has(wire))
    return (values, { minor }) => {
      const state = stateName(values[i] as ProvisionState | null, minor);
      return state === null ? none : `${name}"${state}",`;
    };
  const mask = MASKS[wire];
  if (mask) return (values) => `${name}${masked(String(values[i]), mask)},`;
  if (interfaceKind) {
    const driver = at('driver');
    return (values, shared) => `${name}${quoted(values[i] ?? shared.defaultOf(values[driver]!, interfaceKind))},`;
  }
  if (kind === 'json' || kind === 'list') return (values) => `${name}${values[i]},`;
  if (kind === 'boolean' || kind === 'tristate') {
    const [yes, no] = [`${name}true,`, `${name}false,`];
    return (values) => (values[i] === null ? none : values[i] === 1 ? yes : no);
  }
  if (kind === 'time') return (values) => (values[i] === null ? none : `${name}"${formatTime(Number(values[i]))}",`);
  return (values) => (values[i] === null ? none : `${name}${JSON.stringify(String(values[i]))},`);
}

/** What depends on the fields alone. */
interface Template {
  readonly columns: readonly string[];
  readonly parts: readonly Part[];
}

function makeTemplate(fields: readonly string[], isHostAsked: boolean): Template {
  const needsHost = isHostAsked || fields.some((wire) => wire === 'conductor' || NODE_FIELD.get(wire)!.interfaceKind);
  // The place of a column among the values is its place in this list; UUID_AT, DRIVER_AT and GROUP_AT are of it.
  const columns = needsHost ? ['uuid', 'driver', 'conductor_group'] : ['uuid'];
  const at = (column: string): number => {
    const found = columns.indexOf(column);
    return found >= 0 ? found : columns.push(column) - 1;
  };
  const parts = fields.map((wire) => partOf(NODE_FIELD.get(wire)!, at));
  return { columns, parts };
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
  const known = new Map<string, Conductors>();
  return (values) => {
    const driver = String(values[DRIVER_AT]);
    const conductorGroup = String(values[GROUP_AT]);
    const key = `${driver}\n${conductorGroup}`;
    let candidates = known.get(key);
    if (!candidates) {
      candidates = conductors.filter((c) => conductorFor({ uuid: '', driver, conductorGroup }, [c]) !== undefined);
      known.set(key, candidates);
    }
    if (candidates.length <= 1) return candidates[0]?.hostname ?? null;
    return conductorFor({ uuid: String(values[UUID_AT]), driver, conductorGroup }, candidates) ?? null;
  };
}

const UUID_LENGTH = 36;
const HOLE = '-'.repeat(UUID_LENGTH);

/** The links of a node, and of its sub-resources in a full view: one text with the same UUID in many places. */
function linksAround(base: string, names: readonly string[]): string[] {
  const escaped = JSON.stringify(base).slice(1, -1);
  const pair = (name: string, tail: string) =>
    `"${name}":[{"href":"${escaped}/v1/nodes/${HOLE}${tail}","rel":"self"},{"href":"${escaped}/nodes/${HOLE}${tail}","rel":"bookmark"}]`;
  return [pair('links', ''), ...names.map((name) => pair(name, `/${name}`))].join().concat('}').split(HOLE);
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
  const { columns, parts } = templateFor(fields, options.isHostAsked ?? false);
  const hostOf = createPlacement(conductors);
  const defaults = new Map<Value, Readonly<Record<string, string>> | undefined>();
  const shared: Shared = {
    minor,
    hostOf,
    defaultOf(driver, kind) {
      if (!defaults.has(driver)) defaults.set(driver, driverOf(conductors, String(driver))?.defaults);
      return defaults.get(driver)?.[kind] ?? null;
    },
  };
  const below = isFull ? NODE_SUBRESOURCES.filter(([, since]) => since <= minor).map(([name]) => name) : [];
  const around = linksAround(base, below);
  const members = (values: NodeValues): string => {
    let text = '{';
    for (const part of parts) text += part(values, shared);
    return text;
  };
  return {
    columns,
    hostOf,
    uuidOf: (values) => String(values[UUID_AT]),
    write: (values) => members(values) + around.join(String(values[UUID_AT])),
    writeAll(rows, head, tail) {
      const bytes = createBytes();
      const links = Buffer.from(around.join(HOLE));
      const holes: number[] = [];
      for (let at = links.indexOf(HOLE); at >= 0; at = links.indexOf(HOLE, at + UUID_LENGTH)) holes.push(at);
      bytes.text(head);
      rows.forEach((values, i) => {
        bytes.text(i === 0 ? members(values) : `,${members(values)}`);
        const start = bytes.copy(links);
        const uuid = String(values[UUID_AT]);
        for (const hole of holes) bytes.at(start + hole, uuid);
      });
      bytes.text(tail);
      return bytes.end();
    },
  };
}

interface Bytes {
  text(text: string): void;
  /** Gives the place where the copy begins. */
  copy(part: Buffer): number;
  /** Writes ASCII over what is there. */
  at(place: number, ascii: string): void;
  end(): Uint8Array;
}

/** A buffer that grows. */
function createBytes(): Bytes {
  let buffer = Buffer.allocUnsafe(64 * 1024);
  let size = 0;
  const room = (more: number) => {
    if (size + more <= buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, size + more));
    buffer.copy(larger, 0, 0, size);
    buffer = larger;
  };
  return {
    text(text) {
      room(text.length * 3);
      size += buffer.write(text, size, 'utf8');
    },
    copy(part) {
      room(part.length);
      const start = size;
      size += part.copy(buffer, start);
      return start;
    },
    at: (place, ascii) => void buffer.write(ascii, place, 'latin1'),
    end: () => buffer.subarray(0, size),
  };
}
