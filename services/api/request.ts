/** What a handler gets and gives, and what all handlers share. */
import type { OperationSpec } from '@bessemer/api-spec';
import type { Config, Identity, Json, JsonObject } from '@bessemer/core';
import type { Db, Repositories } from '@bessemer/db';
import type { Clock, Log, Random } from '@bessemer/ports';
import type { RpcClient } from '@bessemer/rpc';
import type { Asked } from './access/gate.ts';
import type { KeptNodes } from './views/kept-nodes.ts';

export interface ApiServices {
  readonly db: Db;
  readonly rpc: RpcClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly config: Config['api'];
  /** Only for whom `db.read.nodes` is its source. */
  readonly keptNodes?: KeptNodes;
}

export interface ApiRequest {
  readonly operation: OperationSpec;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Json | undefined;
  /** N of microversion 1.N. */
  readonly minor: number;
  readonly requestId: string;
  /** Scheme and host for links, no trailing slash. */
  readonly base: string;
  readonly header: (name: string) => string | undefined;
  /** Who asks. `services.db` shows only what they may see. */
  readonly identity: Identity;
  /** For a handler that does other operations on somebody's behalf: may they? @throws ServiceError FORBIDDEN, NOT_FOUND. */
  readonly authorize: (asked: Asked) => Promise<void>;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** If-Match. The services that come with the request check it by themselves in the first write or call. */
  readonly precondition?: Precondition;
}

export interface Precondition {
  /** In the transaction that is to change the object. @throws ServiceError PRECONDITION_FAILED. */
  check(repositories: Repositories): Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly body?: JsonObject | string;
  /** `digestOf` a body of text, where it is known. */
  readonly digest?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON as UTF-8, instead of a body: for long lists, whose text would have to be encoded once more. */
  readonly bytes?: Uint8Array;
  /** Chunks of a stream, instead of a body. */
  readonly stream?: AsyncIterable<string>;
}

export type Handler = (request: ApiRequest, services: ApiServices) => Promise<Reply>;

export const ok = (body: JsonObject): Reply => ({ status: 200, body });
/** A body that is JSON text already. */
export const okText = (body: string): Reply => ({ status: 200, body, headers: { 'Content-Type': 'application/json' } });
export const okBytes = (bytes: Uint8Array): Reply => ({ status: 200, bytes });
export const created = (body: JsonObject, location: string): Reply => ({
  status: 201,
  body,
  headers: { Location: location },
});
export const noContent: Reply = { status: 204 };
export const accepted = (location?: string): Reply => ({
  status: 202,
  ...(location ? { headers: { Location: location } } : {}),
});
