/** Small things that every repository test needs. */
import { asChassisId, asNodeId, asPortId, asRunId, asSessionId } from '@bessemer/core';
import type { ErrorCode, NodeId, SessionId } from '@bessemer/core';
import { isServiceError } from '@bessemer/core';
import { seededRandom } from '@bessemer/ports/testing';
import type { Db, NodePatch, Repositories } from '../repositories.ts';

export interface DbUnderTest {
  readonly db: Db;
  /** Makes `ms` of database time go by. */
  passTime(ms: number): Promise<void>;
}
export type MakeDb = () => Promise<DbUnderTest>;

const random = seededRandom(20260101);
export const newUuid = (): string => random.uuid();
export const newNodeId = () => asNodeId(newUuid());
export const newSession = () => asSessionId(newUuid());
export const newRunId = () => asRunId(newUuid());
export const newPortId = () => asPortId(newUuid());
export const newChassisId = () => asChassisId(newUuid());

export async function addNode(db: Db, patch: NodePatch = {}): Promise<NodeId> {
  const uuid = newNodeId();
  await db.write('test', (tx) => tx.nodes.create({ uuid, driver: 'fake-hardware', ...patch }));
  return uuid;
}

export async function heartbeat(db: Db, session: SessionId, ttlMs = 60_000, hostname = 'host'): Promise<boolean> {
  return db.write('test', (tx) =>
    tx.conductors.heartbeat({ session, hostname, conductorGroup: '', drivers: [] }, ttlMs),
  );
}

export function newRun(nodeUuid: NodeId, fence: number): Parameters<Repositories['runs']['create']>[0] {
  return {
    id: newRunId(),
    nodeUuid,
    verb: 'deploy',
    state: 'running',
    input: {},
    segments: [],
    deadline: 10_000_000_000_000,
    owner: null,
    fence,
    requestId: newUuid(),
  };
}

/** The code of the ServiceError that `work` rejects with, or what it did instead. */
export async function codeOf(work: Promise<unknown>): Promise<ErrorCode | string> {
  try {
    await work;
    return 'no error';
  } catch (error) {
    return isServiceError(error) ? error.code : `another error: ${String(error)}`;
  }
}
