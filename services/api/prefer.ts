/** `Prefer: wait=N` (RFC 7240 section 4.3): an order is answered when what it began has ended, or after N seconds. */
import { coerceError, type Node, STATES } from '@bessemer/core';
import type { OperationId } from './handlers/index.ts';
import { findNode } from './handlers/find-node.ts';
import type { NodeWatch } from './node-watch.ts';
import type { Handlers } from './preconditions.ts';
import type { ApiRequest, ApiServices, Reply } from './request.ts';

const MAX_WAIT_S = 600;
const ORDERS: ReadonlySet<string> = new Set<OperationId>(['setProvisionState', 'setPowerState']);

/** Seconds of `wait` in a Prefer header, capped; undefined when it has none that can be read: preferences are no errors. */
export function waitPreference(header: string | undefined): number | undefined {
  for (const preference of header?.split(',') ?? []) {
    const match = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?$/i.exec(preference);
    if (match) return Math.min(MAX_WAIT_S, Number(match[1]));
  }
  return undefined;
}

/** The seconds that this request is to wait for what it begins; undefined: it is answered at once. */
export function waitOf(request: ApiRequest): number | undefined {
  if (!ORDERS.has(request.operation.operationId)) return undefined;
  return waitPreference(request.header('prefer'));
}

type State = { readonly stable: boolean; readonly resting?: boolean };

/** Whether nothing is under way on the node any more: it rests in a state that only an order leaves. */
async function hasEnded(node: Node, { operation }: ApiRequest, services: ApiServices): Promise<boolean> {
  const { stable, resting = false }: State = STATES[node.provisionState];
  const isPower = operation.operationId === 'setPowerState';
  // In the midst of other work an order to the power ends before that does.
  if (isPower && (resting || !stable)) return node.targetPowerState === null;
  if (resting) return true;
  if (!stable || node.targetPowerState !== null) return false;
  return (await services.db.read.runs.current(node.uuid)) === undefined;
}

interface Deps {
  readonly services: ApiServices;
  readonly watch: NodeWatch;
  readonly handlers: Handlers;
}

/**
 * `accepted`, or 200 with the node's states when its transition ends within `waitS`. Sleeps between the node's events; a client
 * that leaves ends the wait.
 */
export async function waited(request: ApiRequest, accepted: Reply, waitS: number, deps: Deps): Promise<Reply> {
  const { services } = deps;
  const headers = { ...accepted.headers, 'Preference-Applied': `wait=${waitS}` };
  const later: Reply = { ...accepted, headers };
  if (accepted.status !== 202) return accepted;
  if (waitS === 0) return later;
  try {
    const shown = await statesAtEnd(request, waitS, deps);
    return shown ? { ...shown, headers: { ...shown.headers, ...headers } } : later;
  } catch (error) {
    // The order is taken, whatever goes wrong while it is waited for: an error would have it given again.
    services.log.warn('an order was not waited for', { error: coerceError(error).message });
    return later;
  }
}

/** The node's states when nothing is under way on it any more; undefined when that takes too long, or nobody waits any more. */
async function statesAtEnd(
  request: ApiRequest,
  waitS: number,
  { services, watch, handlers }: Deps,
): Promise<Reply | undefined> {
  const { uuid } = await findNode(request, request.params['node']!, services);

  const { signal } = request;
  let isOver = signal.aborted;
  let mustLook = true;
  let wake: () => void = () => {};
  const ring = () => {
    mustLook = true;
    wake();
  };
  const end = () => {
    isOver = true;
    wake();
  };
  const timer = services.clock.setTimer(waitS * 1000, end, { background: true });
  signal.addEventListener('abort', end);
  let unwatch = () => {};
  try {
    unwatch = await watch.watch(uuid, ring);
    for (;;) {
      // The last look comes after the end: what ended at the same moment has ended.
      const isLast = isOver;
      if (mustLook || isLast) {
        mustLook = false;
        const node = await services.db.read.nodes.get(uuid);
        if (!node) return undefined;
        if (await hasEnded(node, request, services)) return await handlers.getNodeStates(request, services);
      }
      if (isLast) return undefined;
      if (mustLook || isOver) continue;
      await new Promise<void>((resolve) => (wake = resolve));
      wake = () => {};
    }
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', end);
    unwatch();
  }
}
