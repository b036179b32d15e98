/**
 * The database as a project sees it: what the project neither owns nor leases is not there, in every read and in every
 * transaction. So no handler can forget to look, and a repository that is new does not compile until it is said how it is seen.
 */
import { hasRole, ServiceError } from '@bessemer/core';
import type { JsonObject, Node, NodeId, Role, Run, StoredEvent, VolumeTarget } from '@bessemer/core';
import type {
  Db,
  EventRepository,
  NodeRepository,
  NodeRow,
  NodeValues,
  Page,
  Repositories,
  ResourceRepository,
  RunRepository,
  TokenRepository,
} from './repositories.ts';
import { unknownMarker } from './statements/paging.ts';

/** What Ironic shows in place of fields of a node that its lessee may not see. */
const REDACTED = {
  last_error: '** Value Redacted - Requires baremetal:node:get:last_error permission. **',
  reservation: '** Redacted - requires baremetal:node:get:reservation permission. **',
  driver_info: { content: '** Redacted - requires baremetal:node:get:driver_info permission. **' },
  driver_internal_info: { content: '** Redacted - Requires baremetal:node:get:driver_internal_info permission. **' },
} as const;

const REDACTED_PROPERTIES = {
  redacted_contents:
    '** Value redacted: Requires permission baremetal:volume:view_target_properties access. Permission denied. **',
};

/** The node as `project` sees it; undefined when it does not. */
function seen(node: Node | undefined, project: string): Node | undefined {
  if (!node || node.owner === project) return node;
  if (node.lessee !== project) return undefined;
  return {
    ...node,
    lastError: node.lastError === null ? null : REDACTED.last_error,
    driverInfo: REDACTED.driver_info,
    // The way in is the lessee's own: it leads to the system that it deployed.
    driverInternalInfo: {
      ...REDACTED.driver_internal_info,
      ...Object.fromEntries(
        Object.entries(node.driverInternalInfo).filter(([name]) => name === 'way_in' || name === 'agent_ssh_host_key'),
      ),
    },
    reservation: node.reservation && { ...node.reservation, conductor: REDACTED.reservation },
  };
}

function seenRow(row: NodeRow, project: string): NodeRow {
  if (row['owner'] === project) return row;
  const shown: Record<string, string | number | null> = { ...row };
  for (const [name, value] of Object.entries(REDACTED))
    if (typeof row[name] === 'string') shown[name] = typeof value === 'string' ? value : JSON.stringify(value);
  return shown;
}

/** As `seenRow`, for values in the order of `columns`; what was asked for on top is cut off again. */
function seenValues(values: NodeValues, columns: readonly string[], wanted: number, project: string): NodeValues {
  if (values[columns.indexOf('owner')] === project) return values.slice(0, wanted);
  return values.slice(0, wanted).map((value, i) => {
    const name = columns[i]!;
    if (typeof value !== 'string' || !Object.hasOwn(REDACTED, name)) return value;
    const shown = REDACTED[name as keyof typeof REDACTED];
    return typeof shown === 'string' ? shown : JSON.stringify(shown);
  });
}

const nodeNotFound = (uuid: string) => new ServiceError('NODE_NOT_FOUND', `Node ${uuid} could not be found.`);

/** A marker of what is not seen is as unknown as one that was made up: its place in the order tells nothing. */
async function checkMarker(page: Page, noun: string, find: (ident: string) => Promise<unknown>): Promise<void> {
  if (page.marker !== undefined && !(await find(page.marker))) throw unknownMarker(noun, page.marker);
}

const withOwner = (columns: readonly string[]) => (columns.includes('owner') ? columns : [...columns, 'owner']);

function scopeNodes(nodes: NodeRepository, project: string): NodeRepository {
  const see = async (node: Promise<Node | undefined>) => seen(await node, project);
  const must = async (uuid: NodeId): Promise<Node> => {
    const node = await see(nodes.get(uuid));
    if (!node) throw nodeNotFound(uuid);
    return node;
  };
  const find = (ident: string) => see(nodes.find(ident));
  const mustOwn = async (uuid: NodeId): Promise<void> => {
    if ((await must(uuid)).owner !== project)
      throw new ServiceError('FORBIDDEN', `Only the owner of node ${uuid} may change this.`);
  };
  return {
    find,
    get: (uuid) => see(nodes.get(uuid)),
    async create(node) {
      if (node.owner !== undefined && node.owner !== null && node.owner !== project)
        throw new ServiceError(
          'FORBIDDEN',
          `Cannot create a node with owner ${node.owner}: what is created in project ${project} is owned by it.`,
        );
      return nodes.create({ ...node, owner: project });
    },
    async list(filter, page) {
      await checkMarker(page, 'node', find);
      return (await nodes.list({ ...filter, visibleTo: project }, page)).map((node) => seen(node, project)!);
    },
    async listRows(columns, filter, page) {
      await checkMarker(page, 'node', find);
      return (await nodes.listRows(withOwner(columns), { ...filter, visibleTo: project }, page)).map((row) =>
        seenRow(row, project),
      );
    },
    async listValues(columns, filter, page) {
      await checkMarker(page, 'node', find);
      const wanted = withOwner(columns);
      const found = await nodes.listValues(wanted, { ...filter, visibleTo: project }, page);
      return found.map((values) => seenValues(values, wanted, columns.length, project));
    },
    async findValues(columns, ident, filter) {
      const wanted = withOwner(columns);
      const found = await nodes.findValues(wanted, ident, { ...filter, visibleTo: project });
      return found && seenValues(found, wanted, columns.length, project);
    },
    // The shards are the system's: a project is shown none.
    countByShard: async () => [],
    count: (filter) => nodes.count({ ...filter, visibleTo: project }),
    async update(uuid, patch, fence) {
      // What a lessee reads of these is redacted: written back, it would be lost.
      if (patch.driverInfo !== undefined || patch.driverInternalInfo !== undefined) await mustOwn(uuid);
      else await must(uuid);
      const node = seen(await nodes.update(uuid, patch, fence), project);
      if (!node) throw nodeNotFound(uuid);
      return node;
    },
    async remove(uuid) {
      await must(uuid);
      await nodes.remove(uuid);
    },
    async setConfigDrive(uuid, value) {
      await must(uuid);
      await nodes.setConfigDrive(uuid, value);
    },
    async getConfigDrive(uuid) {
      await must(uuid);
      return nodes.getConfigDrive(uuid);
    },
    async setInventory(uuid, value) {
      await must(uuid);
      await nodes.setInventory(uuid, value);
    },
    async getInventory(uuid) {
      await must(uuid);
      return nodes.getInventory(uuid);
    },
    async setDocument(uuid, kind, value) {
      await must(uuid);
      await nodes.setDocument(uuid, kind, value);
    },
    async getDocument(uuid, kind) {
      await must(uuid);
      return nodes.getDocument(uuid, kind);
    },
    async reserve(uuid, session, conductor, purpose) {
      await must(uuid);
      return nodes.reserve(uuid, session, conductor, purpose);
    },
    release: (uuid, fence) => nodes.release(uuid, fence),
    async processEvent(uuid, event, options) {
      await must(uuid);
      return nodes.processEvent(uuid, event, options);
    },
    // Conductors ask for it, and they are the system.
    listOrphaned: async () => [],
  };
}

/** What belongs to a node is seen with the node. */
function scopeOfNode<T extends { readonly uuid: string; readonly nodeUuid: NodeId }, F extends object>(
  items: ResourceRepository<T, F>,
  nodes: NodeRepository,
  project: string,
  noun: string,
): ResourceRepository<T, F> {
  const mustSee = async (uuid: NodeId): Promise<void> => {
    if (!(await nodes.get(uuid))) throw nodeNotFound(uuid);
  };
  const find = async (ident: string): Promise<T | undefined> => {
    const item = await items.find(ident);
    return item && (await nodes.get(item.nodeUuid)) ? item : undefined;
  };
  const must = async (uuid: string): Promise<void> => {
    if (!(await find(uuid))) throw new ServiceError('NOT_FOUND', `${noun} ${uuid} could not be found.`);
  };
  return {
    find,
    async create(item) {
      if (item.nodeUuid) await mustSee(item.nodeUuid);
      return items.create(item);
    },
    async list(filter, page) {
      await checkMarker(page, noun.toLowerCase(), find);
      return items.list({ ...filter, visibleTo: project }, page);
    },
    async update(uuid, patch) {
      await must(uuid);
      if (patch.nodeUuid) await mustSee(patch.nodeUuid);
      return items.update(uuid, patch);
    },
    async remove(uuid) {
      await must(uuid);
      await items.remove(uuid);
    },
  };
}

/** What has an owner of its own. `isSeen` says what else than its own a project sees; it changes only its own. */
function scopeOwned<T extends { readonly uuid: string; readonly owner: string | null }, F extends object>(
  items: ResourceRepository<T, F>,
  project: string,
  noun: string,
  isSeen: (item: T) => boolean = () => false,
): ResourceRepository<T, F> {
  const find = async (ident: string): Promise<T | undefined> => {
    const item = await items.find(ident);
    return item && (item.owner === project || isSeen(item)) ? item : undefined;
  };
  const mustOwn = async (uuid: string): Promise<void> => {
    if ((await find(uuid))?.owner !== project)
      throw new ServiceError('NOT_FOUND', `${noun} ${uuid} could not be found.`);
  };
  const refuseOwner = (owner: unknown) => {
    if (owner !== undefined && owner !== null && owner !== project)
      throw new ServiceError(
        'FORBIDDEN',
        `What is made in project ${project} is owned by it, not by ${String(owner)}.`,
      );
  };
  return {
    find,
    async create(item) {
      refuseOwner(item.owner);
      return items.create({ ...item, owner: project });
    },
    async list(filter, page) {
      await checkMarker(page, noun.toLowerCase(), find);
      return items.list({ ...filter, visibleTo: project }, page);
    },
    async update(uuid, patch) {
      await mustOwn(uuid);
      refuseOwner(patch.owner);
      return items.update(uuid, patch);
    },
    async remove(uuid) {
      await mustOwn(uuid);
      await items.remove(uuid);
    },
  };
}

/** Where a volume lies and how to log in to it is shown to administrators only. */
function hideVolumes(targets: Repositories['volumeTargets']): Repositories['volumeTargets'] {
  const hide = (target: VolumeTarget): VolumeTarget => ({ ...target, properties: REDACTED_PROPERTIES });
  return {
    ...targets,
    async find(ident) {
      const target = await targets.find(ident);
      return target && hide(target);
    },
    list: async (filter, page) => (await targets.list(filter, page)).map(hide),
    create: async (target) => hide(await targets.create(target)),
    async update(uuid, patch) {
      // What was read is redacted: a patch of a part would lose the rest.
      if (patch.properties !== undefined)
        throw new ServiceError('FORBIDDEN', 'The properties of a volume target are changed by an administrator only.');
      return hide(await targets.update(uuid, patch));
    },
  };
}

function scopeTokens(tokens: TokenRepository, project: string): TokenRepository {
  const find = async (ident: string) => {
    const token = await tokens.find(ident);
    return token?.project === project ? token : undefined;
  };
  return {
    find,
    create: (token) => tokens.create({ ...token, project }),
    findOpen: (sha256) => tokens.findOpen(sha256),
    async list(_filter, page) {
      await checkMarker(page, 'token', find);
      return tokens.list({ visibleTo: project }, page);
    },
    used: (uuid) => tokens.used(uuid),
    async remove(uuid) {
      if (!(await find(uuid))) throw new ServiceError('NOT_FOUND', `Token ${uuid} could not be found.`);
      await tokens.remove(uuid);
    },
    purge: (olderThan) => tokens.purge(olderThan),
  };
}

/** Of what is waited for, what a lessee is told instead: who is to change the power has the address of the BMC in its name. */
const placeless = ({ what }: { readonly what?: unknown }): { readonly from?: string } =>
  what === 'power' ? { from: 'the BMC' } : {};

function scopeRuns(
  runs: RunRepository,
  nodes: NodeRepository,
  events: EventRepository,
  project: string,
): RunRepository {
  const see = async (run: Run | undefined): Promise<Run | undefined> => {
    const node = run && (await nodes.get(run.nodeUuid));
    if (!run || !node) return undefined;
    if (node.owner === project) return run;
    // That a run ended is an event: a lessee that sees none of a run's was not there yet.
    if (run.finishedAt !== null && (await events.listLast({ runId: run.id, visibleTo: project }, 1)).length === 0)
      return undefined;
    return {
      ...run,
      error: run.error === null ? null : REDACTED.last_error,
      waitingFor: run.waitingFor && { ...run.waitingFor, ...placeless(run.waitingFor) },
    };
  };
  return {
    ...runs,
    get: async (id) => see(await runs.get(id)),
    current: async (nodeUuid) => see(await runs.current(nodeUuid)),
    latest: async (nodeUuid, verbs) => see(await runs.latest(nodeUuid, verbs)),
  };
}

function scopeEvents(events: EventRepository, nodes: NodeRepository, project: string): EventRepository {
  /** A lessee sees that something failed, not how: the words of drivers tell of the BMC. */
  const redacted = ({ type, data }: StoredEvent): JsonObject => ({
    ...(Object.hasOwn(data, 'error') ? { error: REDACTED.last_error } : {}),
    ...(type === 'run.waiting' ? placeless(data) : {}),
  });
  const see = async (found: readonly StoredEvent[]): Promise<StoredEvent[]> => {
    const relations = new Map<string, boolean>();
    const isLent = async (uuid: NodeId): Promise<boolean> => {
      const known = relations.get(uuid) ?? (await nodes.get(uuid))?.owner !== project;
      relations.set(uuid, known);
      return known;
    };
    const seenEvents: StoredEvent[] = [];
    for (const event of found) {
      const more = redacted(event);
      const isHidden = Object.keys(more).length > 0 && event.nodeUuid !== null && (await isLent(event.nodeUuid));
      seenEvents.push(isHidden ? { ...event, data: { ...event.data, ...more } } : event);
    }
    return seenEvents;
  };
  return {
    ...events,
    listAfter: async (after, filter, limit) =>
      see(await events.listAfter(after, { ...filter, visibleTo: project }, limit)),
    listLast: async (filter, limit) => see(await events.listLast({ ...filter, visibleTo: project }, limit)),
  };
}

function scopeRepositories(all: Repositories, { project, role }: Scope): Repositories {
  const nodes = scopeNodes(all.nodes, project);
  const targets = scopeOfNode(all.volumeTargets, nodes, project, 'Volume target');
  return {
    nodes,
    ports: scopeOfNode(all.ports, nodes, project, 'Port'),
    portgroups: scopeOfNode(all.portgroups, nodes, project, 'Portgroup'),
    volumeConnectors: scopeOfNode(all.volumeConnectors, nodes, project, 'Volume connector'),
    volumeTargets: hasRole(role, 'admin') ? targets : hideVolumes(targets),
    allocations: scopeOwned(all.allocations, project, 'Allocation'),
    runbooks: scopeOwned(all.runbooks, project, 'Runbook', (runbook) => runbook.public),
    tokens: scopeTokens(all.tokens, project),
    runs: scopeRuns(all.runs, nodes, all.events, project),
    events: scopeEvents(all.events, nodes, project),
    // The system's own: what a project may do with them is said by the policy alone.
    chassis: all.chassis,
    deployTemplates: all.deployTemplates,
    inspectionRules: all.inspectionRules,
    networks: all.networks,
    conductors: all.conductors,
    boots: all.boots,
    requests: all.requests,
    settings: all.settings,
    idempotency: all.idempotency,
    webhooks: all.webhooks,
  };
}

/** Who looks: a project, and the role in it. */
export interface Scope {
  readonly project: string;
  readonly role: Role;
}

/** `db` as a project sees it, for reading and in transactions. Times, the bell and closing are the database's own. */
export function scopedDb(db: Db, scope: Scope): Db {
  return {
    ...db,
    read: scopeRepositories(db.read, scope),
    write: (name, fn, ...rest) => db.write(name, (tx) => fn(scopeRepositories(tx, scope)), ...rest),
  };
}
