/** Which events somebody wants: patterns of types, and a least severity. The stream and the webhooks mean the same by them. */
import { EVENT_TYPES, type EventType } from './events.ts';

export const SEVERITIES = ['info', 'warning', 'error'] as const;
export type Severity = (typeof SEVERITIES)[number];

const TYPES = Object.keys(EVENT_TYPES) as EventType[];

/**
 * The types that patterns such as `node.*`, `*.failed` or `run.finished` stand for; `*` is any text.
 * @returns the first pattern that stands for none.
 */
export function matchEventTypes(
  patterns: readonly string[],
):
  | { readonly ok: true; readonly types: readonly EventType[] }
  | { readonly ok: false; readonly pattern: string; readonly error: string } {
  const found = new Set<EventType>();
  for (const pattern of patterns) {
    const parts = pattern.split('*');
    const matching = parts.length > 4 ? [] : TYPES.filter((type) => matches(type, parts));
    if (matching.length === 0)
      return {
        ok: false,
        pattern,
        error: `There is no event type ${pattern.slice(0, 60)}. Types: ${TYPES.join(', ')}`,
      };
    for (const type of matching) found.add(type);
  }
  return { ok: true, types: TYPES.filter((type) => found.has(type)) };
}

/** Whether the parts stand in the text in their order, the first at its begin and the last at its end. */
function matches(text: string, parts: readonly string[]): boolean {
  const [first = '', ...rest] = parts;
  if (rest.length === 0) return text === first;
  const last = rest.pop()!;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** The severities from `least` on. */
export const severitiesFrom = (least: Severity): readonly Severity[] => SEVERITIES.slice(SEVERITIES.indexOf(least));

export const isSeverity = (value: unknown): value is Severity => SEVERITIES.includes(value as Severity);
