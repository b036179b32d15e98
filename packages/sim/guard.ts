/**
 * No timer but those of the virtual clock: while a simulation runs, the timers of the process are replaced by ones that throw
 * and name who called. What slips through would run in real time, and the same seed would no longer give the same run.
 */

export interface Guard {
  /** Puts everything back. */
  release(): void;
}

const NAMES = ['setTimeout', 'setInterval', 'setImmediate'] as const;

/** @param onBreach told once for each use, with a sentence that holds the stack of the caller. */
export function guardTimers(onBreach: (text: string) => void): Guard {
  const breach = (name: string): never => {
    const text = `${name} was called, which the virtual clock knows nothing of: take time from a Clock`;
    const error = new Error(text);
    onBreach(`${text}\n${(error.stack ?? '').split('\n').slice(2, 6).join('\n')}`);
    throw error;
  };
  const saved = NAMES.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  for (const name of NAMES)
    Object.defineProperty(globalThis, name, { configurable: true, writable: true, value: () => breach(name) });
  const savedTimeout = Object.getOwnPropertyDescriptor(AbortSignal, 'timeout');
  Object.defineProperty(AbortSignal, 'timeout', {
    configurable: true,
    writable: true,
    value: () => breach('AbortSignal.timeout'),
  });
  return {
    release() {
      for (const [name, descriptor] of saved) if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      if (savedTimeout) Object.defineProperty(AbortSignal, 'timeout', savedTimeout);
    },
  };
}
