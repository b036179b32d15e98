/**
 * The operator of the simulated machine room: brings every node from enroll through cleaning, deployment and undeployment back to
 * available, asks the conductor that is in charge of it, repeats what was not answered under the same request id, and mends what
 * failed.
 */
import type { NodeId, PowerTarget, ProvisionState } from '@bessemer/core';
import { isServiceError } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Clock, Random } from '@bessemer/ports';
import { conductorFor, type RpcHandlers } from '@bessemer/rpc';
import type { Chaos } from './chaos.ts';
import type { ConductorProcess } from './conductor-process.ts';
import { differenceOf, type SimImage } from './image.ts';
import type { Machine } from './machine.ts';

export interface Charge {
  readonly uuid: NodeId;
  readonly machine: Machine;
  readonly image: SimImage;
  /** The right password; the node is registered with a wrong one when they differ. */
  readonly password: string;
  hasWrongPassword: boolean;
  readonly startsAtMs: number;
}

export interface OperatorOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly chaos: Chaos;
  readonly charges: readonly Charge[];
  readonly conductorAt: (host: string) => ConductorProcess | undefined;
  readonly trace: (line: string) => void;
  readonly violate: (text: string) => void;
}

export interface Operator {
  start(): void;
  /** Nodes that have been through everything. */
  readonly done: number;
}

const LOOK_EVERY_MS = 1_000;
const CALL_PATIENCE_MS = 8_000;
const COLUMNS = ['uuid', 'provision_state', 'maintenance'] as const;

type Call = { readonly name: string; make(handlers: RpcHandlers, requestId: string): Promise<unknown> };

interface Work {
  readonly charge: Charge;
  phase: 'toDeploy' | 'toUndeploy' | 'done';
  /** A call under way, or one that waits to be repeated. */
  isBusy: boolean;
  notBeforeMs: number;
  call: { readonly key: string; readonly requestId: string } | undefined;
  isChecked: boolean;
}

export function createOperator(options: OperatorOptions): Operator {
  const { db, clock, random, chaos } = options;
  const works = new Map<string, Work>(
    options.charges.map((charge) => [
      charge.uuid,
      { charge, phase: 'toDeploy', isBusy: false, notBeforeMs: charge.startsAtMs, call: undefined, isChecked: false },
    ]),
  );
  let done = 0;

  const action = (nodeUuid: string, name: 'manage' | 'provide' | 'abort'): Call => ({
    name,
    make: (handlers, requestId) => handlers.doProvisioningAction({ nodeUuid, action: name }, { requestId }),
  });
  const tearDown = (nodeUuid: string): Call => ({
    name: 'undeploy',
    make: (handlers, requestId) => handlers.doNodeTearDown({ nodeUuid }, { requestId }),
  });

  const abortPerhaps = (uuid: NodeId): Call | undefined =>
    chaos.strikes('operator who aborts', 0.0005) ? action(uuid, 'abort') : undefined;
  const power = (nodeUuid: string, target: PowerTarget): Call => ({
    name: target,
    make: (handlers, requestId) => handlers.changeNodePowerState({ nodeUuid, target, timeoutS: null }, { requestId }),
  });
  /** It waits to be switched on again. */
  async function isSwitchedOff(uuid: NodeId): Promise<boolean> {
    const waitingFor = (await db.read.runs.current(uuid))?.waitingFor;
    return waitingFor?.what === 'power' && waitingFor.from === 'an operator';
  }

  /** What to do about a node in this state; undefined: nothing now. */
  async function next(work: Work, state: ProvisionState): Promise<Call | undefined> {
    const { charge } = work;
    const { uuid } = charge;
    switch (state) {
      case 'enroll':
        await mendPassword(charge);
        return action(uuid, 'manage');
      case 'manageable':
        return action(uuid, 'provide');
      case 'clean failed':
        await trustAgain(uuid);
        return action(uuid, 'manage');
      case 'available':
        if (work.phase === 'toDeploy') return deploy(charge);
        work.phase = 'done';
        done++;
        return undefined;
      case 'deploy failed':
        return random.float() < 0.5
          ? { name: 'retry', make: (handlers, requestId) => handlers.retryRun({ nodeUuid: uuid }, { requestId }) }
          : tearDownFailed(uuid);
      case 'error':
        return tearDown(uuid);
      case 'active':
        checkActive(charge);
        work.phase = 'toUndeploy';
        return tearDown(uuid);
      case 'wait call-back':
        if (await isSwitchedOff(uuid)) return random.float() < 0.05 ? power(uuid, 'power on') : undefined;
        if (chaos.strikes('operator at the power button', 0.002))
          return power(uuid, chaos.pick(['rebooting', 'soft rebooting', 'power off', 'power on'] as const)!);
        return abortPerhaps(uuid);
      case 'clean wait':
        return abortPerhaps(uuid);
      default:
        return undefined;
    }
  }
  const tearDownFailed = (uuid: string): Call => tearDown(uuid);
  async function deploy({ uuid, image }: Charge): Promise<Call> {
    const { instanceInfo } = (await db.read.nodes.get(uuid))!;
    if (instanceInfo['image_source'] !== image.source)
      await db.write('operator', (tx) =>
        tx.nodes.update(uuid, { instanceInfo: { image_source: image.source, image_checksum: image.checksum } }),
      );
    return {
      name: 'deploy',
      make: (handlers, requestId) =>
        handlers.doNodeDeploy({ nodeUuid: uuid, rebuild: false, configDrive: null, deploySteps: null }, { requestId }),
    };
  }
  /** A node whose cleaning failed is in maintenance until somebody has looked. */
  async function trustAgain(uuid: NodeId): Promise<void> {
    const node = (await db.read.nodes.get(uuid))!;
    if (node.fault === 'clean failure')
      await db.write('operator', (tx) =>
        tx.nodes.update(uuid, { maintenance: false, maintenanceReason: null, fault: null }),
      );
  }
  async function mendPassword(charge: Charge): Promise<void> {
    const node = (await db.read.nodes.get(charge.uuid))!;
    if (!charge.hasWrongPassword || node.lastError === null) return;
    if (!/user name or password/.test(node.lastError)) return;
    charge.hasWrongPassword = false;
    await db.write('operator', (tx) =>
      tx.nodes.update(charge.uuid, { driverInfo: { ...node.driverInfo, ipmi_password: charge.password } }),
    );
  }
  function checkActive({ machine, image }: Charge): void {
    const difference = differenceOf(machine.medium(machine.rootSerial), image);
    if (difference !== undefined)
      options.violate(`node ${machine.name} is active and its disk is not as the image: ${difference}`);
    if (!chaos.isOver) return;
    if (machine.doing !== 'system')
      options.violate(`node ${machine.name} is active and its machine is at ${machine.doing}`);
  }

  async function ask(work: Work, state: ProvisionState, call: Call): Promise<void> {
    const { uuid, machine } = work.charge;
    const key = `${call.name} ${state}`;
    if (work.call?.key !== key) work.call = { key, requestId: random.uuid() };
    const node = (await db.read.nodes.get(uuid))!;
    const host = conductorFor(node, await db.read.conductors.list());
    const peer = host === undefined ? undefined : options.conductorAt(host);
    if (!peer || peer.party.state === 'dead') return again(work, 'nobody');
    const { requestId } = work.call;
    const answer = await new Promise<string>((resolve) => {
      const timer = clock.setTimer(CALL_PATIENCE_MS, () => resolve('no answer'));
      const answered = (text: string): void => {
        timer.cancel();
        resolve(text);
      };
      peer.party.enter(() => {
        call.make(peer.conductor.handlers, requestId).then(
          () => answered('accepted'),
          (error: unknown) => answered(isServiceError(error) ? error.code : `threw ${String(error)}`),
        );
      });
    });
    options.trace(`operator ${machine.name} ${call.name}: ${answer}`);
    if (answer === 'no answer' || answer.startsWith('threw')) return again(work, answer);
    // Asked again later it is another request.
    work.call = undefined;
    again(work, answer);
  }
  function again(work: Work, answer: string): void {
    work.notBeforeMs = clock.monotonicMs() + (answer === 'accepted' ? 1_500 : chaos.between(1_500, 4_000));
  }

  async function look(): Promise<void> {
    const rows = await db.read.nodes.listRows(COLUMNS, {}, { limit: 100_000 });
    for (const row of rows) {
      const work = works.get(String(row['uuid']));
      if (!work || work.isBusy || work.phase === 'done' || clock.monotonicMs() < work.notBeforeMs) continue;
      const state = row['provision_state'] as ProvisionState;
      work.isBusy = true;
      void next(work, state)
        .then((call) => call && ask(work, state, call))
        .finally(() => {
          work.isBusy = false;
        });
    }
  }
  return {
    start() {
      const again = (): void => {
        clock.setTimer(LOOK_EVERY_MS, () => {
          void look();
          if (done < works.size) again();
        });
      };
      again();
    },
    get done() {
      return done;
    },
  };
}
