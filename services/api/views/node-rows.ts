/**
 * Nodes straight from their rows to JSON text: what is only forwarded is not parsed. The text is, byte for byte, what
 * `JSON.stringify(nodeView(...))` gives for the same node, so that an entity tag does not depend on the way it was made.
 */
import { formatTime, isJsonObject, type JsonObject, type ProvisionState } from '@bessemer/core';
import type { NodeRow } from '@bessemer/db';
import { conductorFor } from '@bessemer/rpc';
import { type Conductors, driverOf } from '../conductors.ts';
import { maskInstanceInfo, maskSecrets, stateName } from './node.ts';
import { NODE_FIELD, NODE_SUBRESOURCES, type NodeField } from './node-fields.ts';

/** What all rows of one answer share. */
interface Shared {
  readonly minor: number;
  /** JSON of the host that works on a node, and of the interface that its driver takes where it names none. */
  hostOf(row: NodeRow): string;
  defaultOf(driver: string, kind: string): string;
}

export interface NodeWriter {
  /** The columns that a row must have: the same array for the same fields. */
  readonly columns: readonly string[];
  /** JSON text of the node. */
  write(row: NodeRow): string;
  /** Host name of the conductor that works on the node, or null. */
  hostOf(row: NodeRow): string | null;
}

type Part = (row: NodeRow, shared: Shared) => string;

const quoted = (value: string | number | null | undefined): string =>
  value === null || value === undefined ? 'null' : JSON.stringify(String(value));
/** For columns that hold nothing that would have to be escaped: UUIDs and the names of states. */
const plain = (value: string | number | null | undefined): string =>
  value === null || value === undefined ? 'null' : `"${value}"`;
const flag = (value: string | number | null | undefined): string =>
  value === null || value === undefined ? 'null' : value === 1 ? 'true' : 'false';

/** A name that may be a secret's and has a value to be hidden. It finds too much rather than too little: then the text is parsed. */
const MAY_HOLD_SECRET =
  /(?:pass|secret|token|credential|community|key|config_?drive|image_url)(?:[^"\\]|\\.)*"\s*:(?!\s*(?:"\*{6}"|null|""))/i;

function masked(text: string, mask: (value: JsonObject) => JsonObject): string {
  if (!MAY_HOLD_SECRET.test(text)) return text;
  const parsed: unknown = JSON.parse(text);
  return isJsonObject(parsed as never) ? JSON.stringify(mask(parsed as JsonObject)) : text;
}

const SPECIAL: Readonly<Record<string, Part>> = {
  uuid: (row) => plain(row['uuid']),
  chassis_uuid: (row) => plain(row['chassis_uuid']),
  power_state: (row) => plain(row['power_state']),
  target_power_state: (row) => plain(row['target_power_state']),
  provision_state: (row, { minor }) => plain(stateName(row['provision_state'] as ProvisionState, minor)),
  target_provision_state: (row, { minor }) => plain(stateName(row['target_provision_state'] as ProvisionState, minor)),
  conductor: (row, shared) => shared.hostOf(row),
  driver_info: (row) => masked(String(row['driver_info']), maskSecrets),
  driver_internal_info: (row) => masked(String(row['driver_internal_info']), maskSecrets),
  instance_info: (row) => masked(String(row['instance_info']), maskInstanceInfo),
};

function partOf({ wire, kind, interfaceKind }: NodeField): Part {
  const special = SPECIAL[wire];
  if (special) return special;
  if (interfaceKind)
    return (row, shared) => {
      const own = row[wire];
      return typeof own === 'string' ? quoted(own) : shared.defaultOf(String(row['driver']), interfaceKind);
    };
  if (kind === 'json' || kind === 'list') return (row) => String(row[wire]);
  if (kind === 'boolean' || kind === 'tristate') return (row) => flag(row[wire]);
  if (kind === 'time')
    return (row) => {
      const at = row[wire];
      return typeof at === 'number' ? `"${formatTime(at)}"` : 'null';
    };
  return (row) => quoted(row[wire]);
}

interface Template {
  readonly columns: readonly string[];
  readonly heads: readonly string[];
  readonly parts: readonly Part[];
}

function makeTemplate(fields: readonly string[]): Template {
  const columns = new Set(['uuid']);
  const heads: string[] = [];
  const parts: Part[] = [];
  for (const wire of fields) {
    const field = NODE_FIELD.get(wire)!;
    if (wire === 'conductor') for (const column of ['driver', 'conductor_group']) columns.add(column);
    else columns.add(wire);
    if (field.interfaceKind) columns.add('driver');
    heads.push(`${JSON.stringify(wire)}:`);
    parts.push(partOf(field));
  }
  return { columns: [...columns], heads, parts };
}

/** Clients ask for few combinations; one that asks for ever new ones only misses. */
const KEPT_TEMPLATES = 200;
const templates = new Map<string, Template>();
/** Full views are asked for with the same list each time. */
const templatesOfLists = new WeakMap<readonly string[], Template>();

function templateFor(fields: readonly string[]): Template {
  const known = templatesOfLists.get(fields);
  if (known) return known;
  const key = fields.join();
  let found = templates.get(key);
  if (!found) {
    found = makeTemplate(fields);
    if (templates.size < KEPT_TEMPLATES) templates.set(key, found);
  }
  templatesOfLists.set(fields, found);
  return found;
}

/** The hosts of one group that run one driver: mostly one, and then no node's hash must be computed. */
function createPlacement(conductors: Conductors): (row: NodeRow) => string | null {
  const only = new Map<string, Conductors>();
  return (row) => {
    const driver = String(row['driver']);
    const conductorGroup = String(row['conductor_group']);
    const key = `${driver}\n${conductorGroup}`;
    let candidates = only.get(key);
    if (!candidates) {
      candidates = conductors.filter((c) => conductorFor({ uuid: '', driver, conductorGroup }, [c]) !== undefined);
      only.set(key, candidates);
    }
    if (candidates.length <= 1) return candidates[0]?.hostname ?? null;
    return conductorFor({ uuid: String(row['uuid']), driver, conductorGroup }, candidates) ?? null;
  };
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
    /** Columns beside those of the fields. */
    readonly more?: readonly string[];
  },
): NodeWriter {
  const { isFull, minor, conductors, more } = options;
  const { columns, heads, parts } = templateFor(fields);
  const hostOf = createPlacement(conductors);
  const defaults = new Map<string, Readonly<Record<string, string>> | undefined>();
  const shared: Shared = {
    minor,
    hostOf: (row) => quoted(hostOf(row)),
    defaultOf(driver, kind) {
      if (!defaults.has(driver)) defaults.set(driver, driverOf(conductors, driver)?.defaults);
      return quoted(defaults.get(driver)?.[kind]);
    },
  };
  const base = JSON.stringify(options.base).slice(1, -1);
  const links = (name: string, uuid: string, tail: string) =>
    `"${name}":[{"href":"${base}/v1/nodes/${uuid}${tail}","rel":"self"},{"href":"${base}/nodes/${uuid}${tail}","rel":"bookmark"}]`;
  const below = isFull ? NODE_SUBRESOURCES.filter(([, since]) => since <= minor).map(([name]) => name) : [];
  return {
    columns: more ? [...columns, ...more] : columns,
    hostOf,
    write(row) {
      const uuid = String(row['uuid']);
      let text = '{';
      for (let i = 0; i < parts.length; i++) text += `${heads[i]}${parts[i]!(row, shared)},`;
      text += links('links', uuid, '');
      for (const name of below) text += `,${links(name, uuid, `/${name}`)}`;
      return `${text}}`;
    },
  };
}
