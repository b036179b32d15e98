/** A party is what can stand still or die on its own: a process, a machine's ramdisk. Everything that reaches it goes through its gate. */
import type { Clock, MessageChannel } from '@bessemer/ports';

export interface Party {
  readonly state: 'running' | 'paused' | 'dead';
  /** Hands something from outside to the party: at once, when it goes on, or never. */
  enter(fn: () => void): void;
  /** The party's own view of time: its timers fire late after a pause and never after its death. Time itself goes on. */
  readonly clock: Clock;
  pause(): void;
  /** What was held arrives in the order in which it came. */
  resume(): void;
  kill(): void;
}

export function createParty(world: Clock): Party {
  let state: Party['state'] = 'running';
  let held: Array<() => void> = [];
  function enter(fn: () => void): void {
    if (state === 'running') fn();
    else if (state === 'paused') held.push(fn);
  }
  return {
    get state() {
      return state;
    },
    enter,
    clock: {
      nowMs: () => world.nowMs(),
      monotonicMs: () => world.monotonicMs(),
      setTimer(delayMs, fn) {
        let isCancelled = false;
        const timer = world.setTimer(delayMs, () => enter(() => (isCancelled ? undefined : fn())));
        return {
          cancel() {
            isCancelled = true;
            timer.cancel();
          },
        };
      },
    },
    pause() {
      if (state === 'running') state = 'paused';
    },
    resume() {
      if (state !== 'paused') return;
      state = 'running';
      const waiting = held;
      held = [];
      for (const fn of waiting) world.setTimer(0, () => enter(fn));
    },
    kill() {
      state = 'dead';
      held = [];
    },
  };
}

/** A cable that can go dark: then nothing comes through and nobody is told. */
export interface Cable {
  isDark: boolean;
}

/** One end of a channel as the party at that end sees it. */
export function channelOf(raw: MessageChannel, party: Party, cable: Cable): MessageChannel {
  const onMessage: Array<(message: string) => void> = [];
  const onClose: Array<(reason: string) => void> = [];
  raw.onMessage((message) => {
    if (cable.isDark) return;
    party.enter(() => {
      for (const listener of onMessage) listener(message);
    });
  });
  raw.onClose((reason) => {
    party.enter(() => {
      for (const listener of onClose) listener(reason);
    });
  });
  return {
    get bufferedBytes() {
      return raw.bufferedBytes;
    },
    send(message) {
      if (!cable.isDark && party.state !== 'dead') raw.send(message);
    },
    onMessage: (listener) => void onMessage.push(listener),
    onClose: (listener) => void onClose.push(listener),
    close: (reason) => raw.close(reason),
  };
}

/** For what a dead party awaits. */
export const never = <T>(): Promise<T> => new Promise<T>(() => {});
