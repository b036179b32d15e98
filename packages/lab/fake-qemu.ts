/** A QEMU that answers QMP and boots nothing: for tests of what stands in front of it. */
import type { LaunchQemu, QemuHandle } from './machine.ts';

export interface FakeQemu {
  readonly launch: LaunchQemu;
  /** Each start, in order. */
  readonly starts: ReadonlyArray<{ readonly args: readonly string[] }>;
  /** What each boot began with, by `bootindex`: the command line's order, then the order at each reset. */
  readonly boots: readonly string[];
  /** Commands received, without their arguments. */
  readonly commands: readonly string[];
  /** The guest restarts by itself. */
  guestReset(): void;
  /** The guest powers off by itself. */
  guestPowerOff(): void;
  /** From here on commands are not answered. */
  hang(): void;
}

export function createFakeQemu(options: { failsToStart?: string } = {}): FakeQemu {
  const starts: Array<{ args: readonly string[] }> = [];
  const boots: string[] = [];
  const commands: string[] = [];
  let emit: (message: object) => void = () => {};
  let exit: (how: string) => void = () => {};
  let indexes = new Map<string, number>();
  let isHanging = false;

  const boot = (): void => {
    const [first] = [...indexes].filter(([, index]) => index >= 0).toSorted(([, a], [, b]) => a - b);
    boots.push(first?.[0] ?? 'nothing');
  };
  const reset = (isGuest: boolean): void => {
    boot();
    emit({ event: 'RESET', data: { guest: isGuest } });
  };

  const launch = (args: readonly string[]): QemuHandle => {
    starts.push({ args });
    indexes = new Map();
    for (const arg of args) {
      const id = /,id=([^,]+)/.exec(arg)?.[1];
      const index = /,bootindex=(\d+)/.exec(arg)?.[1];
      if (id && index) indexes.set(id, Number(index));
    }
    let listener: (chunk: Uint8Array) => void = () => {};
    const exited = Promise.withResolvers<string>();
    exit = exited.resolve;
    emit = (message) => listener(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
    if (options.failsToStart) exit(options.failsToStart);
    else boot();
    return {
      pid: 1000 + starts.length,
      send(line) {
        const request = JSON.parse(line) as {
          execute: string;
          id: number;
          arguments?: { path: string; value: number };
        };
        commands.push(request.execute);
        if (isHanging) return;
        if (request.execute === 'qom-set' && request.arguments) {
          const { path, value } = request.arguments;
          const id = path.split('/').at(-1) ?? '';
          const holder = [...indexes].find(([other, index]) => other !== id && index === value && value >= 0);
          if (holder) return emit({ id: request.id, error: { desc: `The bootindex ${value} has already been used` } });
          indexes.set(id, value);
        }
        emit({ id: request.id, return: {} });
        if (request.execute === 'system_reset') reset(false);
      },
      onData(fn) {
        listener = fn;
        if (!options.failsToStart) queueMicrotask(() => emit({ QMP: { version: {}, capabilities: [] } }));
      },
      exited: exited.promise,
      kill: () => exited.resolve('killed by SIGKILL'),
    };
  };
  return {
    launch,
    starts,
    boots,
    commands,
    guestReset: () => reset(true),
    guestPowerOff: () => exit('exit code 0'),
    hang: () => {
      isHanging = true;
    },
  };
}
