/** Whether what an inspection found is what a rule is for. Pure. */
import { BlockList, isIP } from 'node:net';
import { createContext, Script } from 'node:vm';
import {
  isJsonObject,
  type Json,
  type JsonObject,
  namedArguments,
  RULE_OPERATORS,
  type RuleOperator,
} from '@bessemer/core';
import { fill } from './interpolate.ts';

/** A condition that cannot be checked. */
export class RuleFailure extends Error {}

const MAX_TEXT = 4096;
/** An expression that goes through all ways to part a text (`(a+)+$`) would hold up the whole process: it is interrupted. */
const MATCH_MS = 100;
const MATCH = new Script('new RegExp(expression).test(text)');
const workbench = createContext({});
const listOf = (value: Json | undefined): Json[] => {
  if (!Array.isArray(value)) throw new RuleFailure(`Expected a list for 'values', got ${JSON.stringify(value)}`);
  return value;
};

/** What is filled in is text: beside a number, a text that is one counts as one. */
const isNumeric = (value: Json): boolean =>
  typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value));
function compare(a: Json, b: Json): number {
  const asNumbers = (typeof a === 'number' && isNumeric(b)) || (typeof b === 'number' && isNumeric(a));
  const [left, right] = asNumbers ? [Number(a), Number(b)] : [a, b];
  if (typeof left !== typeof right || (typeof left !== 'number' && typeof left !== 'string'))
    throw new RuleFailure(`${JSON.stringify(a)} and ${JSON.stringify(b)} cannot be put in order`);
  return left < right! ? -1 : left > right! ? 1 : 0;
}
const ordered = (values: readonly Json[], isRight: (order: number) => boolean): boolean =>
  pairs(values, (a, b) => isRight(compare(a, b)));
const same = (a: Json, b: Json): boolean => JSON.stringify(a) === JSON.stringify(b);
const pairs = (values: readonly Json[], holds: (a: Json, b: Json) => boolean): boolean =>
  values.every((value, i) => i + 1 === values.length || holds(value, values[i + 1]!));

function matches(value: Json, pattern: Json | undefined, isWhole: boolean): boolean {
  const text = String(pattern);
  workbench['expression'] = isWhole ? `^(?:${text.replace(/\$$/, '')})$` : text;
  workbench['text'] = String(value).slice(0, MAX_TEXT);
  try {
    return MATCH.runInContext(workbench, { timeout: MATCH_MS }) === true;
  } catch (error) {
    const isSlow = (error as { code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    throw new RuleFailure(
      isSlow
        ? `the regular expression ${text.slice(0, 200)} takes longer than ${MATCH_MS} ms: write it without repetitions inside of repetitions`
        : `invalid regular expression: ${text.slice(0, 200)}`,
    );
  }
}

function isInNet(address: Json | undefined, subnet: Json | undefined): boolean {
  const [net = '', bits] = String(subnet).split('/');
  const family = isIP(net);
  const prefix = bits === undefined ? (family === 6 ? 128 : 32) : Number(bits);
  if (family === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > (family === 6 ? 128 : 32))
    throw new RuleFailure(`${String(subnet)} is no network`);
  const own = isIP(String(address));
  if (own === 0) return false;
  const list = new BlockList();
  list.addSubnet(net, prefix, family === 6 ? 'ipv6' : 'ipv4');
  return own === family && list.check(String(address), own === 6 ? 'ipv6' : 'ipv4');
}

const isTrue = (value: Json | undefined): boolean =>
  typeof value === 'string'
    ? /^(yes|true)$/i.test(value)
    : value === true || (typeof value === 'number' && value !== 0);
const isFalse = (value: Json | undefined): boolean =>
  typeof value === 'string' ? /^(no|false)$/i.test(value) : value === false || value === 0 || value === null;

const CHECKS: Readonly<Record<RuleOperator, (args: JsonObject) => boolean>> = {
  eq: (args) => pairs(listOf(args['values']), same),
  ne: (args) => pairs(listOf(args['values']), (a, b) => !same(a, b)),
  lt: (args) => ordered(listOf(args['values']), (order) => order < 0),
  le: (args) => ordered(listOf(args['values']), (order) => order <= 0),
  gt: (args) => ordered(listOf(args['values']), (order) => order > 0),
  ge: (args) => ordered(listOf(args['values']), (order) => order >= 0),
  'is-empty': ({ value }) =>
    ['', 'null', 'None', '[]', '{}', '""'].includes(JSON.stringify(value ?? null)) || value === '',
  'is-none': ({ value }) => value === null || value === 'None',
  'is-true': ({ value }) => isTrue(value),
  'is-false': ({ value }) => isFalse(value),
  'in-net': (args) => isInNet(args['address'], args['subnet']),
  'one-of': (args) => listOf(args['values']).some((value) => same(value, args['value'] ?? null)),
  matches: (args) => matches(args['value'] ?? null, args['regex'], true),
  contains: (args) => matches(args['value'] ?? null, args['regex'], false),
};

function checkOnce(condition: JsonObject, context: JsonObject, isLooped: boolean): boolean {
  const text = String(condition['op']);
  const op = text.replace(/^!/, '') as RuleOperator;
  const missing = op === 'is-empty' || op === 'is-none' ? null : undefined;
  const args = fill(namedArguments(RULE_OPERATORS[op], condition['args'] ?? {}), context, missing) as JsonObject;
  const asText = isLooped || args['force_strings'] === true;
  const values = args['values'];
  const given =
    asText && Array.isArray(values) && op !== 'one-of'
      ? { ...args, values: values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))) }
      : args;
  return CHECKS[op](given) !== text.startsWith('!');
}

/** @throws RuleFailure. */
export function holds(condition: JsonObject, context: JsonObject): boolean {
  const loop = condition['loop'];
  if (!Array.isArray(loop) && !isJsonObject(loop)) return checkOnce(condition, context, false);
  const results = (Array.isArray(loop) ? loop : [loop]).map((item) =>
    checkOnce(condition, { ...context, item: fill(item, context) }, true),
  );
  switch (condition['multiple']) {
    case 'all':
      return results.every(Boolean);
    case 'first':
      return results[0] ?? false;
    case 'last':
      return results.at(-1) ?? false;
    default:
      return results.some(Boolean);
  }
}
