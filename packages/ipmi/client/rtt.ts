/** The learned round trip and the retransmission time-out from it (RFC 6298 section 2), never below a second. */
export interface RoundTrip {
  readonly smoothedMs: number | undefined;
  readonly variationMs: number;
}

export const UNKNOWN_ROUND_TRIP: RoundTrip = { smoothedMs: undefined, variationMs: 0 };

/** BMCs pause for hundreds of milliseconds while they write flash: below a second a repeat only adds load. */
const MIN_TIMEOUT_MS = 1000;
const MAX_TIMEOUT_MS = 5000;

/** Takes in one measured round trip. The caller measures only answers that belong to exactly one datagram (Karn). */
export function learn(roundTrip: RoundTrip, sampleMs: number): RoundTrip {
  if (roundTrip.smoothedMs === undefined) return { smoothedMs: sampleMs, variationMs: sampleMs / 2 };
  const error = sampleMs - roundTrip.smoothedMs;
  return {
    smoothedMs: roundTrip.smoothedMs + error / 8,
    variationMs: roundTrip.variationMs + (Math.abs(error) - roundTrip.variationMs) / 4,
  };
}

export function retransmitAfterMs(roundTrip: RoundTrip): number {
  if (roundTrip.smoothedMs === undefined) return MIN_TIMEOUT_MS;
  const learned = roundTrip.smoothedMs + 4 * roundTrip.variationMs;
  return Math.min(MAX_TIMEOUT_MS, Math.max(MIN_TIMEOUT_MS, learned));
}
