/**
 * The session sequence window (IPMI v2.0 section 6.12.12, 6.12.13): a number counts once, and only near the highest seen.
 * A value, not an object: `acceptSequence` returns the next one.
 */
export interface SequenceWindow {
  readonly highest: number;
  /** Bit n is set when `highest - n` has been seen. */
  readonly seen: number;
}

/** Nothing seen; the first number of a session is 1, 0 is for messages outside a session. */
export const FRESH_WINDOW: SequenceWindow = { highest: 0, seen: 1 };

const BEHIND = 16;

/**
 * The window after `sequence`, or undefined when the number is a repeat, 0, 16 or more behind, or `ahead` or more in front.
 * BMCs look 16 ahead; a console may accept any number in front, as the AuthCode has been checked.
 */
export function acceptSequence(window: SequenceWindow, sequence: number, ahead: number): SequenceWindow | undefined {
  if (sequence === 0) return undefined;
  const distance = (sequence - window.highest) | 0; // modulo 2^32, signed
  if (distance > 0) {
    if (distance >= ahead) return undefined;
    return { highest: sequence, seen: distance >= BEHIND ? 1 : ((window.seen << distance) | 1) & 0xffff };
  }
  if (distance <= -BEHIND) return undefined;
  const bit = 1 << -distance;
  return window.seen & bit ? undefined : { highest: window.highest, seen: window.seen | bit };
}

/** The number after `sequence`: 32 bits, never 0. */
export function nextSequence(sequence: number): number {
  return (sequence + 1) >>> 0 || 1;
}
