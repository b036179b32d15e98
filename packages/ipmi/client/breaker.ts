/**
 * The circuit breaker of one BMC: after `threshold` time-outs in a row requests fail at once, until a single probe is let
 * through; each failed probe doubles the pause. So a dead BMC delays nobody who waits for a living one.
 */
export interface BreakerOptions {
  readonly threshold: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
}

export type Breaker =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly pauseMs: number }
  /** One request is on its way to see whether the BMC is back. */
  | { readonly kind: 'halfOpen'; readonly pauseMs: number };

export const CLOSED_BREAKER: Breaker = { kind: 'closed', failures: 0 };

/** Whether a request may go, and the breaker after letting it through. */
export function admit(
  breaker: Breaker,
  nowMs: number,
):
  | { readonly admitted: true; readonly breaker: Breaker }
  | { readonly admitted: false; readonly retryAfterMs: number } {
  switch (breaker.kind) {
    case 'closed':
      return { admitted: true, breaker };
    case 'open':
      return nowMs < breaker.untilMs
        ? { admitted: false, retryAfterMs: breaker.untilMs - nowMs }
        : { admitted: true, breaker: { kind: 'halfOpen', pauseMs: breaker.pauseMs } };
    case 'halfOpen':
      return { admitted: false, retryAfterMs: breaker.pauseMs };
  }
}

export function afterSilence(breaker: Breaker, nowMs: number, options: BreakerOptions): Breaker {
  switch (breaker.kind) {
    case 'closed': {
      const failures = breaker.failures + 1;
      if (failures < options.threshold) return { kind: 'closed', failures };
      return { kind: 'open', untilMs: nowMs + options.openMs, pauseMs: options.openMs };
    }
    case 'open':
      return breaker;
    case 'halfOpen': {
      const pauseMs = Math.min(options.maxOpenMs, breaker.pauseMs * 2);
      return { kind: 'open', untilMs: nowMs + pauseMs, pauseMs };
    }
  }
}

/** A probe that was taken back (cancelled) proves nothing: the next request probes. */
export function afterCancelledProbe(breaker: Breaker, nowMs: number): Breaker {
  return breaker.kind === 'halfOpen' ? { kind: 'open', untilMs: nowMs, pauseMs: breaker.pauseMs } : breaker;
}
