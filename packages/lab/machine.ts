/** One virtual server: power, resets and boot order, in front of a QEMU that somebody else starts. */
import type { BootOptions, ChassisBackend, ChassisControl, PowerState } from '@bessemer/ipmi/bmc';
import { sleep } from '@bessemer/ports';
import type { Clock, Log } from '@bessemer/ports';
import { bootTarget, NO_OVERRIDE, orderCommands, spend } from './boot-order.ts';
import type { BootTarget } from './boot-order.ts';
import { qemuArguments } from './command-line.ts';
import type { MachineSpec } from './command-line.ts';
import { createQmpSession } from './qmp.ts';
import type { QmpSession } from './qmp.ts';

/** A started QEMU. */
export interface QemuHandle {
  readonly pid: number;
  send(line: string): void;
  onData(listener: (chunk: Uint8Array) => void): void;
  /** Resolves when the process is gone, with a sentence that says how (exit code or signal, and QEMU's last words). */
  readonly exited: Promise<string>;
  /** SIGKILL: the plug is pulled. */
  kill(): void;
}

/** Starts QEMU with these arguments. */
export type LaunchQemu = (args: readonly string[]) => QemuHandle | Promise<QemuHandle>;

export interface MachineStatus {
  readonly power: PowerState;
  readonly pid: number | undefined;
  readonly bootOptions: BootOptions;
  /** What the next reset boots from. */
  readonly nextBoot: BootTarget;
  readonly starts: number;
  readonly resets: number;
}

export interface Machine extends ChassisBackend {
  readonly spec: MachineSpec;
  /** The plug is pulled: the machine is off, whatever it was doing; its disk keeps what was written. */
  powerCut(): Promise<void>;
  status(): MachineStatus;
}

interface Running {
  readonly handle: QemuHandle;
  readonly qmp: QmpSession;
  applied: BootTarget;
}

/** How long QEMU may take to answer: it does in 0.1 s on an idle core. */
const QMP_TIMEOUT_MS = 30_000;

/** Creates a server that is off. Commands are done one after the other. */
export function createMachine(deps: { spec: MachineSpec; launch: LaunchQemu; clock: Clock; log: Log }): Machine {
  const { spec, launch, clock, log } = deps;
  let running: Running | undefined;
  let options: BootOptions = NO_OVERRIDE;
  let starts = 0;
  let resets = 0;
  let resetWaiters: Array<() => void> = [];
  let queue: Promise<unknown> = Promise.resolve();

  const inOrder = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work);
    queue = result.catch(() => {});
    return result;
  };

  const withLimit = async <T>(what: string, work: Promise<T>): Promise<T> => {
    const limit = new AbortController();
    const late = sleep(clock, QMP_TIMEOUT_MS, limit.signal).then(() => {
      throw new Error(`${spec.name}: ${what}: no answer from QEMU within ${QMP_TIMEOUT_MS / 1000} s`);
    });
    late.catch(() => {});
    try {
      return await Promise.race([work, late]);
    } finally {
      limit.abort();
    }
  };

  const applyOrder = async (): Promise<void> => {
    const current = running;
    const target = bootTarget(options);
    if (!current || current.applied === target) return;
    for (const set of orderCommands(target)) await withLimit('boot order', current.qmp.execute('qom-set', set));
    current.applied = target;
    log.debug('next boot', { machine: spec.name, target });
  };

  const onReset = (from: Running, isGuest: boolean): void => {
    if (running !== from) return;
    resets += 1;
    log.info('reset', { machine: spec.name, by: isGuest ? 'guest' : 'bmc', boot: from.applied });
    options = spend(options);
    inOrder(applyOrder).catch((error: Error) => {
      if (running === from) log.error('boot order was not set', { machine: spec.name, error: error.message });
    });
    for (const wake of resetWaiters.splice(0)) wake();
  };

  const powerOn = async (): Promise<void> => {
    if (running) return;
    const target = bootTarget(options);
    const handle = await launch(qemuArguments(spec, target));
    const qmp = createQmpSession({
      send: (line) => handle.send(line),
      onMalformed: (reason) => log.warn('QMP line ignored', { machine: spec.name, reason }),
    });
    const started: Running = { handle, qmp, applied: target };
    running = started;
    starts += 1;
    handle.onData(qmp.receive);
    qmp.onEvent((name, data) => {
      if (name === 'RESET') onReset(started, data.guest === true);
    });
    void handle.exited.then((how) => {
      qmp.close(`QEMU is gone: ${how}`);
      if (running === started) {
        running = undefined;
        log.info('power off', { machine: spec.name, how });
      }
      for (const wake of resetWaiters.splice(0)) wake();
    });
    try {
      await withLimit('start', qmp.ready);
      log.info('power on', { machine: spec.name, pid: handle.pid, boot: target });
      // The order of this boot was fixed by the command line: from here on the indexes are those of the next reset.
      options = spend(options);
      await applyOrder();
    } catch (error) {
      handle.kill();
      await handle.exited;
      throw new Error(`${spec.name} did not start: ${(error as Error).message}`, { cause: error });
    }
  };

  const powerOff = async (): Promise<void> => {
    const current = running;
    if (!current) return;
    current.handle.kill();
    await current.handle.exited;
    if (running === current) running = undefined;
  };

  const mustRun = (action: string): Running => {
    if (!running) throw new Error(`${spec.name} is off: ${action} is not possible`);
    return running;
  };

  const actions: Record<ChassisControl, () => Promise<void>> = {
    on: powerOn,
    off: powerOff,
    async cycle() {
      await powerOff();
      await powerOn();
    },
    async reset() {
      const { qmp } = mustRun('reset');
      // Only the event says that the reset has been made: a boot override set after this returns is for the next one.
      const seen = new Promise<void>((resolve) => resetWaiters.push(resolve));
      await withLimit('reset', qmp.execute('system_reset'));
      await withLimit('reset', seen);
    },
    async soft() {
      await withLimit('soft power off', mustRun('soft').qmp.execute('system_powerdown'));
    },
    async diag() {
      await withLimit('diagnostic interrupt', mustRun('diag').qmp.execute('inject-nmi'));
    },
  };

  return {
    spec,
    getPower: () => (running ? 'on' : 'off'),
    control: (action) => inOrder(actions[action]),
    setBootOptions: (wanted) =>
      inOrder(async () => {
        options = wanted;
        await applyOrder();
      }),
    getBootOptions: () => options,
    // Not in the queue: a plug is pulled also while another command waits.
    powerCut: powerOff,
    status: () => ({
      power: running ? 'on' : 'off',
      pid: running?.handle.pid,
      bootOptions: options,
      nextBoot: bootTarget(options),
      starts,
      resets,
    }),
  };
}
