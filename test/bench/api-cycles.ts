/** Takes nodes of fake hardware through enroll, manageable, available, active and back to available, all at once. */
import { sleep } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';
import { openConnection } from './api-connection.ts';

export interface CycleOrder {
  readonly kind: 'cycles';
  readonly port: number;
  readonly minor: number;
  readonly connections: number;
  /** Nodes in state enroll; all and only they have the resource class. */
  readonly uuids: readonly string[];
  readonly resourceClass: string;
  readonly patienceMs: number;
}

export interface CycleResult {
  readonly elapsedMs: number;
  /** Requests that were answered 409 or 503 and sent again. */
  readonly refused: number;
  readonly polls: number;
}

const VERBS = [
  { from: 'enroll', target: 'manage' },
  { from: 'manageable', target: 'provide' },
  { from: 'available', target: 'active' },
  { from: 'active', target: 'deleted' },
  { from: 'available', target: undefined },
] as const;
/** The poller must not be the load: it takes at most this share of the time. */
const POLLING_SHARE = 1 / 3;

/** Sends the next verb to each node that rests in the state before it. @throws Error for a node that fails, or that takes too long. */
export async function driveCycles(order: CycleOrder): Promise<CycleResult> {
  const stage = new Map(order.uuids.map((uuid) => [uuid, 0]));
  const ready: string[] = [];
  const underWay = new Set<string>();
  let refused = 0;
  let polls = 0;
  let isOver = false;
  const wake: Array<() => void> = [];
  const startedMs = systemClock.monotonicMs();

  const sender = async () => {
    const connection = openConnection(order.port, order.minor);
    while (!isOver) {
      const uuid = ready.shift();
      if (uuid === undefined) {
        await new Promise<void>((resolve) => wake.push(resolve));
        continue;
      }
      const at = stage.get(uuid)!;
      const body = JSON.stringify({ target: VERBS[at]!.target });
      const { status, body: text } = await connection.ask('PUT', `/v1/nodes/${uuid}/states/provision`, body);
      if (status === 202) stage.set(uuid, at + 1);
      else if (status === 409 || status === 503) refused++;
      else throw new Error(`${body} of a node was answered ${status}: ${text()}`);
      underWay.delete(uuid);
    }
    connection.close();
  };
  const poller = async () => {
    const connection = openConnection(order.port, order.minor);
    const path = `/v1/nodes?resource_class=${order.resourceClass}&fields=uuid,provision_state,target_provision_state,reservation&limit=1000`;
    for (;;) {
      const askedMs = systemClock.monotonicMs();
      if (askedMs - startedMs > order.patienceMs) throw new Error('the cycles take too long');
      const answer = await connection.ask('GET', path);
      polls++;
      let done = 0;
      for (const node of JSON.parse(answer.body()).nodes) {
        const at = stage.get(node.uuid)!;
        if (/fail|error/.test(node.provision_state)) throw new Error(`a node is in state ${node.provision_state}`);
        if (node.provision_state !== VERBS[at]!.from || node.target_provision_state || node.reservation) continue;
        if (VERBS[at]!.target === undefined) done++;
        else if (!underWay.has(node.uuid)) {
          underWay.add(node.uuid);
          ready.push(node.uuid);
        }
      }
      if (done === order.uuids.length) break;
      for (const resume of wake.splice(0)) resume();
      await sleep(systemClock, (systemClock.monotonicMs() - askedMs) * (1 / POLLING_SHARE - 1));
    }
    isOver = true;
    for (const resume of wake.splice(0)) resume();
    connection.close();
  };
  await Promise.all([poller(), ...Array.from({ length: order.connections }, sender)]);
  return { elapsedMs: systemClock.monotonicMs() - startedMs, refused, polls };
}
