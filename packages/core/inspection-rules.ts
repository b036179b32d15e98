/** The words of inspection rules: operators and actions with their arguments, as Ironic has them (common/inspection_rules). */
import type { Json, JsonObject } from './json.ts';
import { isJsonObject } from './json.ts';

interface Signature {
  readonly required: readonly string[];
  readonly optional?: readonly string[];
}

const compares: Signature = { required: ['values'], optional: ['force_strings'] };
const looks: Signature = { required: ['value'] };
const reads: Signature = { required: ['value', 'regex'] };

/** An operator may stand with `!` before it. */
export const RULE_OPERATORS = {
  eq: compares,
  ne: compares,
  lt: compares,
  le: compares,
  gt: compares,
  ge: compares,
  'is-empty': looks,
  'is-none': looks,
  'is-true': looks,
  'is-false': looks,
  'in-net': { required: ['address', 'subnet'] },
  'one-of': { required: ['value', 'values'] },
  matches: reads,
  contains: reads,
} as const satisfies Record<string, Signature>;
export type RuleOperator = keyof typeof RULE_OPERATORS;

const sets: Signature = { required: ['path', 'value'] };
const extend: Signature = { required: ['path', 'value'], optional: ['unique'] };
const removes: Signature = { required: ['path'] };

export const RULE_ACTIONS = {
  fail: { required: ['msg'] },
  log: { required: ['msg'], optional: ['level'] },
  'set-attribute': sets,
  'extend-attribute': extend,
  'del-attribute': removes,
  'set-capability': { required: ['name', 'value'] },
  'unset-capability': { required: ['name'] },
  'add-trait': { required: ['name'] },
  'remove-trait': { required: ['name'] },
  'set-plugin-data': sets,
  'extend-plugin-data': extend,
  'unset-plugin-data': removes,
  'set-port-attribute': { required: ['port_id', 'path', 'value'] },
  'extend-port-attribute': { required: ['port_id', 'path', 'value'], optional: ['unique'] },
  'del-port-attribute': { required: ['port_id', 'path'] },
} as const satisfies Record<string, Signature>;
export type RuleAction = keyof typeof RULE_ACTIONS;

/** The arguments by name: a list gives them in their order; the values of a comparison may be the list itself. */
export function namedArguments(signature: Signature, args: Json): JsonObject {
  if (isJsonObject(args)) return args;
  const list = Array.isArray(args) ? args : [];
  if (signature.required[0] === 'values' && !Array.isArray(list[0])) return { values: list };
  const names = [...signature.required, ...(signature.optional ?? [])];
  return Object.fromEntries(list.slice(0, names.length).map((value, i) => [names[i]!, value]));
}

function problemOf(what: string, table: Readonly<Record<string, Signature>>, entry: JsonObject): string | undefined {
  const op = String(entry['op']).replace(/^!/, '');
  if (!Object.hasOwn(table, op)) return `Unsupported ${what} '${op}'. Supported are: ${Object.keys(table).join(', ')}.`;
  const signature = table[op]!;
  const given = Object.keys(namedArguments(signature, entry['args'] ?? {}));
  const missing = signature.required.filter((name) => !given.includes(name));
  const unexpected = given.filter((name) => ![...signature.required, ...(signature.optional ?? [])].includes(name));
  if (missing.length > 0) return `${what} ${op}: missing required argument(s): ${missing.join(', ')}`;
  if (unexpected.length > 0) return `${what} ${op}: unexpected argument(s): ${unexpected.join(', ')}`;
  return undefined;
}

/** What is wrong with a rule's conditions and actions; undefined when nothing is. */
export function ruleProblem(rule: {
  readonly conditions?: readonly JsonObject[];
  readonly actions?: readonly JsonObject[];
}): string | undefined {
  for (const condition of rule.conditions ?? []) {
    const problem = problemOf('operator', RULE_OPERATORS, condition);
    if (problem) return problem;
  }
  for (const action of rule.actions ?? []) {
    const problem = problemOf('action', RULE_ACTIONS, action);
    if (problem) return problem;
  }
  return undefined;
}
