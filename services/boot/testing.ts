/** A BootDirectory in memory, for tests: nodes are put in by MAC, everything seen can be read back. */
import type { BootAnswer, BootDirectory, BootEvent, UnknownSighting } from './directory.ts';

export interface MemoryDirectory extends BootDirectory {
  /** What `lookup` answers for a MAC; without an entry the machine is unknown. */
  readonly answers: Map<string, BootAnswer>;
  readonly tokens: Array<{ token: string; nodeUuid: string; runId: string; mac: string }>;
  readonly unknown: UnknownSighting[];
  readonly events: BootEvent[];
  /** Resolves with the first event, past or future, that fits. */
  seen(fits: (event: BootEvent) => boolean): Promise<BootEvent>;
}

export function createMemoryDirectory(): MemoryDirectory {
  const answers = new Map<string, BootAnswer>();
  const tokens: MemoryDirectory['tokens'] = [];
  const unknown: UnknownSighting[] = [];
  const events: BootEvent[] = [];
  const waiting: Array<{ fits: (event: BootEvent) => boolean; resolve: (event: BootEvent) => void }> = [];
  return {
    answers,
    tokens,
    unknown,
    events,
    lookup: async ({ mac }) => answers.get(mac) ?? { kind: 'unknown' },
    async mintToken(boot) {
      const token = `token-${tokens.length + 1}`;
      tokens.push({ token, ...boot });
      return token;
    },
    async recordUnknown(sighting) {
      unknown.push(sighting);
    },
    async recordBoot(event) {
      events.push(event);
      for (const waiter of waiting.filter((w) => w.fits(event))) {
        waiting.splice(waiting.indexOf(waiter), 1);
        waiter.resolve(event);
      }
    },
    seen(fits) {
      const past = events.find(fits);
      return past ? Promise.resolve(past) : new Promise((resolve) => waiting.push({ fits, resolve }));
    },
  };
}
