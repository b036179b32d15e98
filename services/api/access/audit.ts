/** Keeps who changed what: an event of every change, in the same transaction as the change where there is one. */
import { type Identity, isUuid, type NewEvent, type NodeId } from '@bessemer/core';
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
  const target = Object.keys(asked.params).length === 0 ? null : Object.values(asked.params).join('/').slice(0, 500);
  const note = async (tx: Repositories, nodeUuid: NodeId | null, status: number | null): Promise<void> => {
    const event: NewEvent = {
      type: 'access.changed',
      nodeUuid,
      runId: null,
      data: {
        user: identity.user,
        role: identity.role,
        project: identity.project,
        operation: operationId,
        target,
        status,
        request_id: from.requestId,
        address: from.address,
      },
    };
    await tx.events.append(event);
  };
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
        await note(tx, nodeUuid, null);
        return result;
      },
      ...rest,
    );
    isNoted = true;
    return value;
  };
  return {
    services: { ...services, db: { ...services.db, write } },
    async done(reply) {
      if (isNoted) return;
      const nodeUuid = await nodeOf(services.db.read);
      await services.db.write('audit', (tx) => note(tx, nodeUuid, reply.status));
    },
  };
}
