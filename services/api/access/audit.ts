/** Keeps who changed what: an event of every change, in the same transaction as the change where there is one. */
import { type Identity, isJsonObject, isUuid, type Json, type NodeId } from '@bessemer/core';
import type { Db, Repositories } from '@bessemer/db';
import type { ApiServices, Reply } from '../request.ts';
import type { Asked } from './gate.ts';

export interface Audit {
  /** For the handler: its first write notes the change with it. */
  readonly services: ApiServices;
  /** After the handler: notes what it did by other means than a write, such as asking a conductor. */
  done(reply: Reply): Promise<void>;
}

const READS = new Set(['GET', 'HEAD', 'OPTIONS']);
const MAX_TEXT = 500;

/** What was asked for, without any value that could be a secret: the paths of a patch, the target of a state. */
function changeIn(body: Json | undefined): string | null {
  if (Array.isArray(body))
    return [...new Set(body.map((operation) => (isJsonObject(operation) ? String(operation['path']) : '')))]
      .join(' ')
      .slice(0, MAX_TEXT);
  if (!isJsonObject(body)) return null;
  const { target, action, nodes } = body;
  // An order for many nodes: which, and what.
  if (typeof action === 'string' && nodes !== undefined)
    return [action, ...(typeof target === 'string' ? [target] : []), ...[nodes].flat().map(String)]
      .join(' ')
      .slice(0, MAX_TEXT);
  return typeof target === 'string' ? target.slice(0, MAX_TEXT) : null;
}

/** What was made, as far as the transaction's result tells. */
function madeBy(result: unknown): { uuid?: unknown; nodeUuid?: unknown } {
  return typeof result === 'object' && result !== null ? result : {};
}

/** Undefined when the request changes nothing. */
export function auditOf(
  asked: Asked,
  identity: Identity,
  from: { requestId: string; address: string },
  services: ApiServices,
): Audit | undefined {
  if (READS.has(asked.operation.method)) return undefined;
  let isNoted = false;
  const { operationId } = asked.operation;
  const named =
    Object.keys(asked.params).length === 0 ? null : Object.values(asked.params).join('/').slice(0, MAX_TEXT);
  const note = (tx: Repositories, nodeUuid: NodeId | null, target: string | null): Promise<void> =>
    tx.events.append({
      type: 'access.changed',
      nodeUuid,
      runId: null,
      data: {
        user: identity.user,
        role: identity.role,
        project: identity.project,
        operation: operationId,
        target,
        change: changeIn(asked.body),
        request_id: from.requestId,
        address: from.address,
      },
    });
  const nodeOf = async (repositories: Repositories): Promise<NodeId | null> => {
    const ident = asked.params['node'];
    if (ident === undefined) return null;
    return isUuid(ident) ? (ident.toLowerCase() as NodeId) : ((await repositories.nodes.find(ident))?.uuid ?? null);
  };
  const write: Db['write'] = async (name, fn, ...rest) => {
    if (isNoted) return services.db.write(name, fn, ...rest);
    const value = await services.db.write(
      name,
      async (tx) => {
        // Before the change: afterwards the node may have another name, or none.
        const nodeUuid = await nodeOf(tx);
        const result = await fn(tx);
        // An order for many nodes makes several writes: what the first one made is not what it was about.
        const made = operationId === 'bulk' ? {} : madeBy(result);
        const uuid = operationId === 'createNode' ? made.uuid : made.nodeUuid;
        await note(
          tx,
          nodeUuid ?? (typeof uuid === 'string' ? (uuid as NodeId) : null),
          named ?? (typeof made.uuid === 'string' ? made.uuid : null),
        );
        return result;
      },
      ...rest,
    );
    isNoted = true;
    return value;
  };
  return {
    services: { ...services, db: { ...services.db, write } },
    async done({ status, headers }) {
      // A repeat that got the first answer again changed nothing.
      if (isNoted || status >= 400 || headers?.['Idempotency-Replayed']) return;
      const nodeUuid = await nodeOf(services.db.read);
      await services.db.write('audit', (tx) => note(tx, nodeUuid, named));
    },
  };
}
