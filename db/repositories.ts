/**
 * What the database can do, independent of the engine. `db.read` answers at once from committed state; `db.write` runs one
 * transaction through the single writer queue and resolves when it is durable. Inside `write` await nothing but `tx`.
 */
import type {
  ConductorSession,
  JsonObject,
  Network,
  NetworkId,
  NewEvent,
  Node,
  NodeId,
  ProvisionEvent,
  ProvisionState,
  Reservation,
  Run,
  RunId,
  SessionId,
  StableState,
  StoredEvent,
  UnknownMachine,
} from '@bessemer/core';
import type { IdempotencyRepository } from './contracts/idempotency.ts';
import type { PlainResources } from './contracts/resource.ts';
import type { TokenRepository } from './contracts/token.ts';
import type { WebhookRepository } from './contracts/webhooks.ts';

export * from './contracts/resource.ts';
export * from './contracts/token.ts';

export interface Db {
  readonly engine: 'sqlite' | 'postgresql';
  readonly read: Repositories;
  /**
   * One transaction, durable when resolved. `name` is for metrics and logs. May run `fn` again on a serialization failure
   * (PostgreSQL): no side effects outside `tx`. A throw rolls back.
   */
  write<T>(name: string, fn: (tx: Repositories) => Promise<T>, options?: WriteOptions): Promise<T>;
  /** Database time, ms since the epoch: PostgreSQL's now(), the injected clock on SQLite. For lease expiry. */
  now(): Promise<number>;
  /** Called after each commit that appended events, in this process; a bell, not a promise (scaled: also by the bus). */
  onEvents(listener: () => void): () => void;
  close(): Promise<void>;
}

export interface WriteOptions {
  /**
   * What was read stays true until the commit as far as it is written: a row that somebody else has changed meanwhile is not
   * overwritten, `fn` runs again. SQLite's single writer is always so; PostgreSQL takes REPEATABLE READ for it.
   */
  readonly snapshot?: boolean;
}

export interface Repositories extends PlainResources {
  readonly nodes: NodeRepository;
  readonly networks: NetworkRepository;
  readonly runs: RunRepository;
  readonly events: EventRepository;
  readonly conductors: ConductorRepository;
  readonly boots: BootRepository;
  readonly requests: RequestRepository;
  readonly idempotency: IdempotencyRepository;
  readonly webhooks: WebhookRepository;
  readonly settings: SettingRepository;
  readonly tokens: TokenRepository;
}

export interface Page {
  readonly limit: number;
  /** uuid of the last item of the page before; an unknown one is INVALID_PARAMETER. */
  readonly marker?: string;
  readonly sortKey?: string;
  readonly sortDir?: 'asc' | 'desc';
}

/** Only these may be changed by `update`; states, leases and power have functions of their own. */
export type NodePatch = Partial<
  Omit<
    Node,
    | 'uuid'
    | 'createdAt'
    | 'updatedAt'
    | 'reservation'
    | 'provisionState'
    | 'targetProvisionState'
    | 'provisionUpdatedAt'
  >
>;

export interface NodeFilter {
  readonly chassisUuid?: string;
  readonly instanceUuid?: string;
  readonly associated?: boolean;
  readonly maintenance?: boolean;
  readonly provisionState?: ProvisionState;
  readonly driver?: string;
  readonly resourceClass?: string;
  readonly fault?: string;
  readonly conductorGroup?: string;
  readonly owner?: string;
  readonly lessee?: string;
  /** Owner or lessee. */
  readonly project?: string;
  /** As `project`, for who asks: what others own is as if it were not there. */
  readonly visibleTo?: string;
  readonly descriptionContains?: string;
  readonly retired?: boolean;
  readonly shards?: readonly string[];
  readonly sharded?: boolean;
  readonly parentNode?: string;
  /** Children are hidden unless asked for. */
  readonly includeChildren?: boolean;
  readonly instanceName?: string;
  readonly reserved?: boolean;
  readonly uuids?: readonly string[];
}

/** A node row as it lies in the database: wire names, JSON columns still text, so that a list only forwards them. */
export type NodeRow = Readonly<Record<string, string | number | null>>;

/** The values of such a row in the order in which they were asked for. */
export type NodeValues = ReadonlyArray<string | number | null>;

export type NodeDocumentKind = 'bios' | 'firmware';

export interface NodeRepository {
  /** Provision state `enroll` unless told (`available` for clients below 1.11). @throws NODE_ALREADY_EXISTS for a taken uuid, name or instance uuid. */
  create(
    node: {
      readonly uuid: NodeId;
      readonly driver: string;
      readonly provisionState?: 'enroll' | 'available';
    } & NodePatch,
  ): Promise<Node>;
  get(uuid: NodeId): Promise<Node | undefined>;
  /** By uuid or by name. */
  find(ident: string): Promise<Node | undefined>;
  list(filter: NodeFilter, page: Page): Promise<Node[]>;
  /** Only `columns` (wire names, `chassis_uuid` and `reservation` among them), JSON columns as text. */
  listRows(columns: readonly string[], filter: NodeFilter, page: Page): Promise<NodeRow[]>;
  /** As `listRows`, but each node as a list of values in the order of `columns`: for what is only forwarded. */
  listValues(columns: readonly string[], filter: NodeFilter, page: Page): Promise<NodeValues[]>;
  /** One node by uuid or by name, as `listValues` gives it; undefined when there is none or the filter leaves it out. */
  findValues(columns: readonly string[], ident: string, filter?: NodeFilter): Promise<NodeValues | undefined>;
  count(filter: NodeFilter): Promise<number>;
  /** How many nodes each shard has, the greatest first; null stands for no shard. */
  countByShard(): Promise<Array<{ name: string | null; count: number }>>;
  /** Writes the patch; `updatedAt` grows. With `fence`: only if the node's lease has it. @throws STALE_FENCE, NODE_NOT_FOUND, NODE_ALREADY_EXISTS. */
  update(uuid: NodeId, patch: NodePatch, fence?: number): Promise<Node>;
  /** Removes the node with its ports, runs and events stay. @throws NODE_NOT_FOUND. */
  remove(uuid: NodeId): Promise<void>;
  /** Takes the lease: a conditional update. Undefined when somebody else's live session holds it. The same session gets a new fence. */
  reserve(uuid: NodeId, session: SessionId, conductor: string, purpose: string): Promise<Reservation | undefined>;
  /** Gives the lease back; an old fence does nothing and says false. */
  release(uuid: NodeId, fence: number): Promise<boolean>;
  /**
   * The only writer of provision_state: checks the row of the table, writes state, target, last_error, provision_updated_at and
   * the event `node.provision_state` in this transaction. @throws INVALID_STATE when the table has no such row, STALE_FENCE.
   */
  processEvent(
    uuid: NodeId,
    event: ProvisionEvent,
    options: {
      readonly fence?: number;
      readonly runId?: RunId | null;
      /** Null clears last_error, undefined keeps it. */
      readonly error?: string | null;
    },
  ): Promise<{ from: ProvisionState; to: ProvisionState; target: StableState | null; node: Node }>;
  /** Nodes whose lease belongs to a session that has expired or is gone and under which no run goes on, oldest first. */
  listOrphaned(limit: number): Promise<Array<{ uuid: NodeId; reservation: Reservation }>>;
  /** The config drive lies in a table of its own (encrypted at rest). */
  setConfigDrive(uuid: NodeId, value: JsonObject | string | null): Promise<void>;
  getConfigDrive(uuid: NodeId): Promise<JsonObject | string | null>;
  /** Inventory and plugin data of the last inspection. */
  setInventory(uuid: NodeId, value: { inventory: JsonObject; pluginData: JsonObject } | null): Promise<void>;
  getInventory(uuid: NodeId): Promise<{ inventory: JsonObject; pluginData: JsonObject } | null>;
  /** What the BIOS or the firmware said of itself, by setting or component. */
  setDocument(uuid: NodeId, kind: NodeDocumentKind, value: JsonObject | null): Promise<void>;
  getDocument(uuid: NodeId, kind: NodeDocumentKind): Promise<JsonObject | null>;
}

export interface NetworkRepository {
  put(network: Omit<Network, 'createdAt'>): Promise<Network>;
  list(): Promise<Network[]>;
  findByName(name: string): Promise<Network | undefined>;
  remove(uuid: NetworkId): Promise<void>;
}

export type RunPatch = Partial<
  Pick<
    Run,
    | 'state'
    | 'segments'
    | 'cursor'
    | 'notes'
    | 'owner'
    | 'deadline'
    | 'waitingFor'
    | 'progress'
    | 'error'
    | 'finishedAt'
    | 'input'
  >
>;
export interface RunRepository {
  /** A second unfinished run of one node is INVALID_STATE. `fence` is the node's lease. The node's oldest finished runs go. */
  create(
    run: Pick<
      Run,
      'id' | 'nodeUuid' | 'verb' | 'state' | 'input' | 'segments' | 'deadline' | 'owner' | 'fence' | 'requestId'
    >,
  ): Promise<Run>;
  get(id: RunId): Promise<Run | undefined>;
  /** The unfinished run of a node, if there is one. */
  current(nodeUuid: NodeId): Promise<Run | undefined>;
  /** The newest run of a node, finished or not; with `verbs`, of these. */
  latest(nodeUuid: NodeId, verbs?: readonly Run['verb'][]): Promise<Run | undefined>;
  listUnfinished(owner?: SessionId): Promise<Run[]>;
  /** Ids of the runs in state `running` of an owner: for who only wants to know which there are. */
  listRunningIds(owner: SessionId): Promise<RunId[]>;
  /** How many runs there are in this state; with `verbs`, of these. Reads no row: nothing is decrypted. */
  countUnfinished(state: 'queued' | 'running', verbs?: readonly Run['verb'][]): Promise<number>;
  /** Runs in state `queued`, oldest first. */
  listQueued(): Promise<Run[]>;
  /** Unfinished runs whose own deadline or whose waitingFor.until is over at `now`. */
  listOverdue(now: number, limit: number): Promise<Run[]>;
  /** Writes only if the run's fence is `fence`. @throws STALE_FENCE, RUN_NOT_FOUND. */
  update(id: RunId, fence: number, patch: RunPatch): Promise<Run>;
  /** Hands the run to another session together with the node's new fence. */
  takeOver(id: RunId, session: SessionId, fence: number): Promise<Run>;
  /** Forgets runs that ended before `olderThan` (ms since the epoch) and whose node is gone. Gives how many. */
  purge(olderThan: number): Promise<number>;
}

export interface EventFilter {
  readonly nodeUuid?: string;
  readonly runId?: string;
  readonly types?: readonly string[];
  /** Names or UUIDs; a name stands for the node that has it when the event is read. */
  readonly nodes?: readonly string[];
  readonly severities?: readonly string[];
  /** A project: the events of nodes that it owns, and of those that it leases but for who did what. */
  readonly visibleTo?: string;
}
export interface EventRepository {
  append(event: NewEvent): Promise<void>;
  /**
   * Events after `after` (a cursor; undefined: from the oldest kept), oldest first. Never skips one that becomes visible later:
   * on PostgreSQL it stops below the snapshot's xmin. @throws INVALID_PARAMETER for a malformed cursor.
   */
  listAfter(after: string | undefined, filter: EventFilter, limit: number): Promise<StoredEvent[]>;
  /** The newest events, newest last. */
  listLast(filter: EventFilter, limit: number): Promise<StoredEvent[]>;
  /** The cursor of the newest event, to start a stream at the end. */
  head(): Promise<string>;
  purge(keep: number): Promise<number>;
}

export interface ConductorRepository {
  /** Registers or renews the session's life for `ttlMs` of database time. False when it has expired: the process must stop working. */
  heartbeat(session: Omit<ConductorSession, 'expiresAt' | 'startedAt'>, ttlMs: number): Promise<boolean>;
  /** Ends a session at once: its leases are free for others. */
  end(session: SessionId): Promise<void>;
  /** Ends every session of that host but the one given: for who knows that their processes are gone. */
  endOthers(hostname: string, session: SessionId): Promise<void>;
  /** All sessions, dead ones of the last day included, newest per host name. */
  list(): Promise<Array<ConductorSession & { alive: boolean }>>;
  get(session: SessionId): Promise<(ConductorSession & { alive: boolean }) | undefined>;
  /** Removes sessions that expired before `olderThan`. A process that slept so long could renew its own: keep them for weeks. */
  purge(olderThan: number): Promise<number>;
}

/** Boot tokens and what was seen on the boot network. */
export interface BootRepository {
  /** Stores the SHA-256 of a token for this boot of this run. */
  addToken(token: {
    readonly sha256: string;
    readonly nodeUuid: NodeId;
    readonly runId: RunId;
    readonly mac: string;
    readonly expiresAt: number;
  }): Promise<void>;
  /** The token's row while it is open, not closed and not expired. */
  findToken(sha256: string): Promise<{ nodeUuid: NodeId; runId: RunId; mac: string } | undefined>;
  /** Closes all boot tokens of a run: the first hello does it. */
  closeTokens(runId: RunId): Promise<void>;
  /** Removes tokens that are closed, and those that expired before `olderThan`. */
  purgeTokens(olderThan: number): Promise<number>;
  /** The agent's session key (hashed) for reconnects, one per run. */
  setAgentKey(runId: RunId, nodeUuid: NodeId, sha256: string, bootId: string): Promise<void>;
  findAgentKey(sha256: string): Promise<{ nodeUuid: NodeId; runId: RunId; bootId: string } | undefined>;
  dropAgentKeys(runId: RunId): Promise<void>;
  /** At most MAX_UNKNOWN_MACHINES are remembered: those seen last. */
  seenUnknown(machine: Omit<UnknownMachine, 'firstSeenAt' | 'lastSeenAt' | 'requests'>): Promise<{ isNew: boolean }>;
  listUnknown(limit: number): Promise<UnknownMachine[]>;
  forgetUnknown(mac: string): Promise<void>;
  /** The last DHCP address that the port with this MAC was seen with. */
  setAddress(mac: string, address: string): Promise<void>;
  getAddress(mac: string): Promise<string | undefined>;
  /** Removes the addresses of MACs that no port has any more. */
  purgeAddresses(): Promise<number>;
}

/** A repeat of a request id gets the first answer. */
export interface RequestRepository {
  get(requestId: string): Promise<JsonObject | undefined>;
  put(requestId: string, answer: JsonObject): Promise<void>;
  purge(olderThan: number): Promise<number>;
}

/** Small facts of the installation, such as the service's key pair (values marked secret are encrypted at rest). */
export interface SettingRepository {
  get(name: string): Promise<string | undefined>;
  put(name: string, value: string, options?: { secret?: boolean }): Promise<void>;
}
