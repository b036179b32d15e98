/** Why work on a node is refused, in the words that Ironic's clients know: the API asks first, and the conductor once more. */
import { ServiceError } from './errors.ts';
import type { Node } from './resources.ts';

type Named = Pick<Node, 'uuid'>;

/** Somebody works on the node at this moment. `isFinal`: that work moves the node on, so that waiting for its end is of no use. */
export const nodeLocked = (
  { uuid, reservation }: Pick<Node, 'uuid' | 'reservation'>,
  { isFinal = false } = {},
): ServiceError =>
  new ServiceError(
    'NODE_LOCKED',
    `Node ${uuid} is locked by host ${reservation?.conductor ?? 'unknown'}, please retry after the current operation is completed.`,
    { context: { purpose: reservation?.purpose, isFinal } },
  );

/** @param state as the client knows it: a provision state, or a power state. */
export const actionImpossible = (action: string, { uuid }: Named, state: string | null): ServiceError =>
  new ServiceError(
    'INVALID_STATE_REQUESTED',
    `The requested action "${action}" can not be performed on node "${uuid}" while it is in state "${state ?? 'None'}".`,
  );

/** @param operation as in "the provisioning operation". */
export const nodeInMaintenance = (operation: string, { uuid }: Named): ServiceError =>
  new ServiceError(
    'NODE_IN_MAINTENANCE',
    `The ${operation} operation can't be performed on node ${uuid} because it's in maintenance mode.`,
  );

/** A protected node keeps what is deployed on it. */
export const nodeProtected = ({ uuid }: Named): ServiceError =>
  new ServiceError('NODE_PROTECTED', `Node ${uuid} is protected and cannot be undeployed, rebuilt or deleted`);
