/** What differs between two recordings of the same script. */
import type { Step } from './side.ts';

export interface Difference {
  readonly scenario: string;
  readonly minor: number | undefined;
  readonly method: string;
  readonly path: string;
  readonly sent: string | undefined;
  /** `status`, `header NAME`, or a JSON pointer into the body in which `*` stands for any element. */
  readonly at: string;
  readonly ironic: string;
  readonly ours: string;
}

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Lists that are sets: in Ironic their order changes from start to start. */
const SETS = /(enabled_\w+_interfaces|supported_boot_devices|traits|http_methods|drivers|hosts)$/;
const ABSENT = '(absent)';

const shown = (value: Json | undefined): string => (value === undefined ? ABSENT : JSON.stringify(value));

function decode(text: string): Json {
  if (text === '') return null;
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return text;
  }
  // An error is JSON in JSON.
  if (typeof value === 'object' && value && !Array.isArray(value) && typeof value['error_message'] === 'string')
    return { error_message: decode(value['error_message']) };
  return value;
}

function* walk(
  at: string,
  ironic: Json | undefined,
  ours: Json | undefined,
): Generator<readonly [string, string, string]> {
  if (Array.isArray(ironic) && Array.isArray(ours)) {
    const sorted = (list: Json[]) => (SETS.test(at) ? list.toSorted((a, b) => (shown(a) < shown(b) ? -1 : 1)) : list);
    if (ironic.length !== ours.length || SETS.test(at)) {
      const [a, b] = [shown(sorted(ironic)), shown(sorted(ours))];
      if (a !== b) yield [at, a, b];
      return;
    }
    for (const [i, item] of ironic.entries()) yield* walk(`${at}/*`, item, ours[i]);
  } else if (isObject(ironic) && isObject(ours)) {
    for (const name of new Set([...Object.keys(ironic), ...Object.keys(ours)]))
      yield* walk(`${at}/${name}`, ironic[name], ours[name]);
  } else if (shown(ironic) !== shown(ours)) yield [at, shown(ironic), shown(ours)];
}

const isObject = (value: Json | undefined): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** All differences of one step. */
function compareSteps(scenario: string, ironic: Step, ours: Step): Difference[] {
  const { minor, method, path, sent } = ironic;
  const found: Difference[] = [];
  const add = (at: string, a: string, b: string) =>
    found.push({ scenario, minor, method, path, sent, at, ironic: a, ours: b });
  if (ironic.status !== ours.status) {
    // The rest of two different answers has nothing to be compared.
    add('status', `${ironic.status} ${ironic.text.slice(0, 300)}`, `${ours.status} ${ours.text.slice(0, 300)}`);
    return found;
  }
  if (ironic.isPreparation) return found;
  for (const name of new Set([...Object.keys(ironic.headers), ...Object.keys(ours.headers)]))
    if (ironic.headers[name] !== ours.headers[name])
      add(`header ${name}`, ironic.headers[name] ?? ABSENT, ours.headers[name] ?? ABSENT);
  for (const [at, a, b] of walk('', decode(ironic.text), decode(ours.text))) add(at || '/', a, b);
  return found;
}

/** All differences of a scenario; a step that only one side sent is one. */
export function compareScenario(scenario: string, ironic: readonly Step[], ours: readonly Step[]): Difference[] {
  const found = ironic.flatMap((step, i) => (ours[i] ? compareSteps(scenario, step, ours[i]) : []));
  if (ironic.length !== ours.length) {
    const last = ironic[Math.min(ironic.length, ours.length) - 1];
    found.push({
      scenario,
      minor: last?.minor,
      method: last?.method ?? '',
      path: last?.path ?? '',
      sent: undefined,
      at: 'number of steps',
      ironic: String(ironic.length),
      ours: String(ours.length),
    });
  }
  return found;
}
