/** What inspection rules make of what an inspection found. Pure: rows in, changes out. */
import {
  type InspectionRule,
  isJsonObject,
  isTrait,
  type Json,
  type JsonObject,
  namedArguments,
  RULE_ACTIONS,
  type RuleAction,
} from '@bessemer/core';
import { isMaskedField, MASK } from '@bessemer/db';
import { holds, RuleFailure } from './conditions.ts';
import { fill } from './interpolate.ts';

/** Wire names throughout. */
export interface Found {
  readonly node: JsonObject;
  readonly traits: readonly string[];
  readonly ports: readonly (JsonObject & { readonly uuid: string })[];
  readonly inventory: JsonObject;
  readonly pluginData: JsonObject;
}

export interface Ruled {
  readonly node: JsonObject;
  readonly traits: readonly string[];
  readonly ports: readonly (JsonObject & { readonly uuid: string })[];
  readonly pluginData: JsonObject;
  readonly log: readonly { readonly level: string; readonly text: string }[];
  /** Why the inspection has failed; null when it has not. */
  readonly failure: string | null;
}

/** What a rule may change; states, names and interfaces have ways of their own. */
const NODE_ROOTS = [
  'properties',
  'driver_info',
  'extra',
  'instance_info',
  'description',
  'resource_class',
  'owner',
  'lessee',
  'shard',
];
const PORT_ROOTS = [
  'extra',
  'local_link_connection',
  'physical_network',
  'pxe_enabled',
  'description',
  'vendor',
  'category',
];

const partsOf = (path: Json | undefined): string[] => String(path).replace(/^\//, '').split(/[/.]/).filter(Boolean);

/** A copy whose secrets are masked: the rule that reads them is shown to everybody. */
function masked(value: Json): Json {
  if (Array.isArray(value)) return value.map(masked);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, v]) => [name, isMaskedField(name) && v !== null ? MASK : masked(v)]),
  );
}

/** The object that holds the last part, made where it is missing. @throws RuleFailure. */
function holderOf(root: JsonObject, parts: readonly string[], makes: boolean): JsonObject | undefined {
  let at = root;
  for (const part of parts.slice(0, -1)) {
    if (part === '__proto__') throw new RuleFailure(`${part} is not a name that can be used`);
    if (at[part] === undefined || at[part] === null) {
      if (!makes) return undefined;
      at[part] = {};
    }
    const next: Json | undefined = at[part];
    if (!isJsonObject(next)) throw new RuleFailure(`${parts.join('/')} leads through ${part}, which is no object`);
    at = next;
  }
  return at;
}

function change(kind: 'set' | 'extend' | 'remove', root: JsonObject, parts: readonly string[], args: JsonObject): void {
  const last = parts.at(-1);
  if (last === undefined || last === '__proto__') throw new RuleFailure(`the path "${String(args['path'])}" is empty`);
  const holder = holderOf(root, parts, kind !== 'remove');
  if (kind === 'remove') {
    if (holder) delete holder[last];
    return;
  }
  const value = args['value'] ?? null;
  if (kind === 'set') {
    holder![last] = value;
    return;
  }
  const list = holder![last] ?? [];
  if (!Array.isArray(list)) throw new RuleFailure(`${parts.join('/')} is no list and cannot be extended`);
  const isThere = list.some((item) => JSON.stringify(item) === JSON.stringify(value));
  holder![last] = args['unique'] === true && isThere ? list : [...list, value];
}

const kindOf = (op: string): 'set' | 'extend' | 'remove' =>
  op.startsWith('set') ? 'set' : op.startsWith('extend') ? 'extend' : 'remove';

function setCapability(node: JsonObject, name: string, value: Json | undefined): void {
  const properties = isJsonObject(node['properties']) ? node['properties'] : {};
  const others = String(properties['capabilities'] ?? '')
    .split(',')
    .filter((capability) => capability !== '' && capability.split(':')[0] !== name);
  const all = value === undefined ? others : [...others, `${name}:${String(value)}`];
  node['properties'] = { ...properties, capabilities: all.join(',') };
}

/** Applies the rules, those of the highest priority first. A rule that fails ends the inspection and changes nothing. */
export function applyRules(rules: readonly InspectionRule[], found: Found): Ruled {
  const node = structuredClone(found.node);
  const ports = structuredClone(found.ports) as (JsonObject & { readonly uuid: string })[];
  const pluginData = structuredClone(found.pluginData);
  const traits = new Set(found.traits);
  const log: { level: string; text: string }[] = [];

  const act = (op: RuleAction, args: JsonObject): void => {
    const parts = partsOf(args['path']);
    switch (op) {
      case 'fail':
        throw new RuleFailure(String(args['msg']));
      case 'log':
        log.push({ level: String(args['level'] ?? 'info').toLowerCase(), text: String(args['msg']) });
        return;
      case 'set-attribute':
      case 'extend-attribute':
      case 'del-attribute':
        if (!NODE_ROOTS.includes(parts[0] ?? ''))
          throw new RuleFailure(`a rule cannot change ${parts[0]} of a node; it can change ${NODE_ROOTS.join(', ')}`);
        return change(kindOf(op), node, parts, args);
      case 'set-plugin-data':
      case 'extend-plugin-data':
      case 'unset-plugin-data':
        return change(op === 'unset-plugin-data' ? 'remove' : kindOf(op), pluginData, parts, args);
      case 'set-capability':
        return setCapability(node, String(args['name']), args['value'] ?? null);
      case 'unset-capability':
        return setCapability(node, String(args['name']), undefined);
      case 'add-trait':
        if (!isTrait(String(args['name']))) throw new RuleFailure(`${String(args['name'])} is no trait`);
        return void traits.add(String(args['name']));
      case 'remove-trait':
        return void traits.delete(String(args['name']));
      case 'set-port-attribute':
      case 'extend-port-attribute':
      case 'del-port-attribute': {
        const port = ports.find((p) => p.uuid === args['port_id'] || p['address'] === args['port_id']);
        if (!port) throw new RuleFailure(`Port ${String(args['port_id'])} could not be found.`);
        if (!PORT_ROOTS.includes(parts[0] ?? ''))
          throw new RuleFailure(`a rule cannot change ${parts[0]} of a port; it can change ${PORT_ROOTS.join(', ')}`);
        return change(kindOf(op), port, parts, args);
      }
    }
  };

  const follow = (rule: InspectionRule): void => {
    const see = (value: JsonObject): Json => (rule.sensitive ? value : masked(value));
    const context = (): JsonObject => ({
      node: see(node),
      inventory: see(found.inventory),
      plugin_data: see(pluginData),
    });
    if (!rule.conditions.every((condition) => holds(condition, context()))) return;
    for (const action of rule.actions) {
      const op = String(action['op']) as RuleAction;
      const loop = action['loop'];
      const items = Array.isArray(loop) ? loop : isJsonObject(loop) ? [loop] : [undefined];
      for (const item of items) {
        const at = item === undefined ? context() : { ...context(), item: fill(item, context()) };
        act(op, fill(namedArguments(RULE_ACTIONS[op], action['args'] ?? {}), at) as JsonObject);
      }
    }
  };

  for (const rule of rules.toSorted((a, b) => b.priority - a.priority || a.createdAt - b.createdAt)) {
    try {
      follow(rule);
    } catch (error) {
      if (!(error instanceof RuleFailure)) throw error;
      const failure = `Inspection rule ${rule.description ?? rule.uuid}: ${error.message}`;
      return { node: found.node, traits: found.traits, ports: found.ports, pluginData: found.pluginData, log, failure };
    }
  }
  return { node, traits: [...traits].toSorted(), ports, pluginData, log, failure: null };
}
