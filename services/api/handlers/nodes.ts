/** Nodes as they are changed: create, patch, delete. */
import {
  asNodeId,
  DELETE_ALLOWED_STATES,
  INTERFACE_KINDS,
  type InterfaceKind,
  isJsonObject,
  isUuid,
  type Json,
  type JsonObject,
  type Node,
  nodeLocked,
  nodeProtected,
  ServiceError,
  UPDATE_ALLOWED_STATES,
} from '@bessemer/core';
import { MASK, type NodePatch } from '@bessemer/db';
import { conductorFor } from '@bessemer/rpc';
import { type Conductors, driverOf, noValidHost, readConductors } from '../conductors.ts';
import { checkDocument } from '../http/operations.ts';
import { applyPatch, type PatchOperation } from '../http/patch.ts';
import { booleanParameter } from '../http/query.ts';
import { needsVersion } from '../http/versions.ts';
import { type ApiRequest, type ApiServices, created, type Handler, noContent, ok } from '../request.ts';
import { maskInstanceInfo, maskSecrets, nodeView, type NodeViewContext } from '../views/node.ts';
import { fullFields, NODE_FIELD, NODE_FIELDS } from '../views/node-fields.ts';
import { findNode, nodeNotFound } from './find-node.ts';
import { checkInterfaces, checkNetworkData, checkNodeName, checkProperties, nodePatchFrom } from './node-input.ts';
import { checkPatchValues, patchConsequences } from './node-patch-rules.ts';

function viewContext(request: ApiRequest, conductors: Conductors): NodeViewContext {
  return {
    base: request.base,
    minor: request.minor,
    conductorOf: (node) => conductorFor(node, conductors) ?? null,
    defaultInterface: (node, kind) => driverOf(conductors, node.driver)?.defaults[kind as 'power'] ?? null,
  };
}

async function showFull(request: ApiRequest, services: ApiServices, node: Node): Promise<JsonObject> {
  return nodeView(node, fullFields(request.minor), true, viewContext(request, await readConductors(services)));
}

export const createNode: Handler = async (request, services) => {
  const body = request.body as JsonObject;
  const uuid = body['uuid'] ?? services.random.uuid();
  if (typeof uuid !== 'string' || !isUuid(uuid))
    throw new ServiceError('INVALID_PARAMETER', `Expected UUID for uuid: ${String(uuid)}`);
  checkNetworkData(body['network_data'], 'node');
  for (const [name, value] of Object.entries(body)) {
    // What says nothing is taken at every version.
    const isEmpty = value === (name === 'conductor_group' ? '' : null);
    if (!isEmpty) needsVersion(`The field ${name}`, NODE_FIELD.get(name)?.since ?? 1, request.minor);
  }
  if (typeof body['name'] === 'string')
    checkNodeName(body['name'], 'Cannot create node with invalid name', request.minor);
  const patch = await nodePatchFrom(body, services.db.read, (body['owner'] ?? null) as string | null);
  // No class is no class, whichever way it is said.
  if (patch.resourceClass === '') patch.resourceClass = null;
  const conductors = await readConductors(services);
  const driver = String(body['driver']);
  const description = driverOf(conductors, driver);
  if (!description || !conductorFor({ uuid, driver, conductorGroup: patch.conductorGroup ?? '' }, conductors))
    throw noValidHost(driver, String(body['conductor_group'] ?? ''));
  checkInterfaces(patch.interfaces ?? {}, description);
  checkProperties(patch.properties ?? {}, uuid);
  const node = await services.db.write('create node', async (tx) => {
    const made = await tx.nodes.create({
      ...patch,
      uuid: asNodeId(uuid),
      driver,
      // Clients below 1.11 know no enroll.
      provisionState: request.minor >= 11 ? 'enroll' : 'available',
    });
    await tx.events.append({ type: 'node.created', nodeUuid: made.uuid, runId: null, data: { driver } });
    return made;
  });
  return created(await showFull(request, services, node), `${request.base}/v1/nodes/${node.uuid}`);
};

/** Fields as they stand, to apply a patch to: unlike a view it holds the secrets and only what may be changed. */
function patchable(node: Node): JsonObject {
  const document: JsonObject = {};
  for (const field of NODE_FIELDS) {
    if (!field.writable) continue;
    document[field.wire] = field.interfaceKind
      ? (node.interfaces[field.interfaceKind] ?? null)
      : (node[field.key!] as never);
  }
  return document;
}

/** A patch sends back the mask of a secret it was shown, at any depth: that means the secret as it is. */
function keepMaskedSecrets(before: JsonObject, after: JsonObject, mask = maskSecrets): JsonObject {
  const keep = (was: Json | undefined, shown: Json | undefined, now: Json): Json => {
    if (now === MASK && shown === MASK) return was!;
    if (Array.isArray(now) && Array.isArray(was) && Array.isArray(shown))
      return now.map((item, i) => keep(was[i], shown[i], item));
    if (!isJsonObject(now) || !isJsonObject(was) || !isJsonObject(shown)) return now;
    return Object.fromEntries(
      Object.entries(now).map(([name, v]) => {
        const isOld = Object.hasOwn(was, name);
        return [name, keep(isOld ? was[name] : undefined, isOld ? shown[name] : undefined, v)];
      }),
    );
  };
  return keep(before, mask(before), after) as JsonObject;
}

/** In Ironic's order: its error names them. Which fields these are does not depend on the version. */
const PATCHABLE: readonly string[] = `automated_clean bios_interface boot_interface chassis_uuid conductor_group
  console_interface deploy_interface description disable_power_off driver driver_info extra inspect_interface instance_info
  instance_name instance_uuid lessee maintenance management_interface name network_data network_interface owner power_interface
  properties protected protected_reason raid_interface rescue_interface resource_class retired retired_reason shard
  storage_interface vendor_interface parent_node firmware_interface`.split(/\s+/);

export const patchNode: Handler = async (request, services) => {
  const found = await findNode(request, request.params['node']!, services);
  const operations = request.body as unknown as PatchOperation[];
  const rootOf = ({ path }: PatchOperation) => path.split('/')[1]!;
  const touched = new Set(operations.map(rootOf));
  const bad = operations.find((operation) => !PATCHABLE.includes(rootOf(operation)));
  if (bad)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Cannot patch ${bad.path}. Only the following can be updated: ${PATCHABLE.join(', ')}`,
    );
  // Ironic asks for the version of what is set, not of what is removed.
  for (const { op, path } of operations)
    if (op !== 'remove')
      needsVersion(`The field ${path.slice(1)}`, NODE_FIELD.get(path.slice(1))?.since ?? 1, request.minor);
  if (booleanParameter(request.query, 'reset_interfaces') && !touched.has('driver'))
    throw new ServiceError(
      'INVALID_PARAMETER',
      "The reset_interfaces parameter can only be used when changing the node's driver.",
    );
  checkPatchValues(operations, request.params['node']!, request.minor);
  const conductors = await readConductors(services);

  const node = await services.db.write('patch node', async (tx) => {
    const now = await tx.nodes.get(found.uuid);
    if (!now) throw nodeNotFound(request.params['node']!);
    if (now.reservation) throw nodeLocked(now);
    const isMaintenanceOnly = [...touched].every((name) => name.startsWith('maintenance'));
    // What is stuck is released from its instance as well.
    const isRelease = now.maintenance && operations.every((o) => o.op === 'remove' && o.path === '/instance_uuid');
    if (
      now.targetProvisionState !== null &&
      !UPDATE_ALLOWED_STATES.includes(now.provisionState) &&
      !isMaintenanceOnly &&
      !isRelease
    )
      throw new ServiceError(
        'INVALID_STATE',
        `Node ${now.uuid} can not be updated while a state transition is in progress.`,
      );
    const before = patchable(now);
    const after = applyPatch(before, operations, request.minor);
    const { maintenance_reason: _reason, protected: _protected, protected_reason: _why, ...creatable } = after;
    checkDocument(request.operation, creatable);
    if (touched.has('network_data')) checkNetworkData(after['network_data'], 'patch');
    for (const name of Object.keys(before)) if (!Object.hasOwn(after, name)) after[name] = null;
    const changed = Object.fromEntries(Object.entries(after).filter(([name]) => touched.has(name)));
    if (touched.has('driver_info'))
      changed['driver_info'] = keepMaskedSecrets(now.driverInfo, (changed['driver_info'] ?? {}) as JsonObject);
    if (isJsonObject(changed['instance_info'] ?? null))
      changed['instance_info'] = keepMaskedSecrets(
        now.instanceInfo,
        changed['instance_info'] as JsonObject,
        maskInstanceInfo,
      );
    const patch = await nodePatchFrom(changed, tx, now.owner);
    const resets = booleanParameter(request.query, 'reset_interfaces') === true;
    const interfaces = { ...(resets ? {} : now.interfaces), ...patch.interfaces };
    for (const [kind, name] of Object.entries(interfaces)) if (name === null) delete interfaces[kind as 'power'];
    const driver = patch.driver ?? now.driver;
    const conductorGroup = patch.conductorGroup ?? now.conductorGroup;
    // A change of the group or of the type is for a conductor of the new one to take.
    const isMoved = driver !== now.driver || conductorGroup !== now.conductorGroup;
    if (isMoved && !conductorFor({ uuid: now.uuid, driver, conductorGroup }, conductors))
      throw noValidHost(driver, conductorGroup);
    if (patch.chassisUuid === null && now.chassisUuid !== null)
      needsVersion('Taking a node out of its chassis', 25, request.minor);
    const defaults = driverOf(conductors, driver)?.defaults;
    const used = (of: Node['interfaces'], kind: InterfaceKind) => of[kind] ?? defaults?.[kind];
    const isKept = (kind: InterfaceKind) => used(interfaces as Node['interfaces'], kind) === used(now.interfaces, kind);
    // What is set to what it is is no change.
    const kept = new Set(INTERFACE_KINDS.filter(isKept).map((kind) => `${kind}_interface`));
    const changes = new Set([...touched].filter((name) => !kept.has(name)));
    const consequences = await patchConsequences(tx, now, patch as NodePatch, changes);
    if (touched.has('driver') || patch.interfaces) {
      const description = driverOf(conductors, driver);
      if (!description) throw noValidHost(driver, conductorGroup);
      checkInterfaces(interfaces, description);
    }
    if (patch.properties) checkProperties(patch.properties, now.uuid);
    const { interfaces: _ignored, ...rest } = patch;
    const updated = await tx.nodes.update(now.uuid, { ...rest, ...consequences, interfaces });
    if (patch.maintenance !== undefined && patch.maintenance !== now.maintenance)
      await tx.events.append({
        type: 'node.maintenance',
        nodeUuid: now.uuid,
        runId: null,
        data: { maintenance: patch.maintenance, reason: patch.maintenanceReason ?? null },
      });
    return updated;
  });
  return ok(await showFull(request, services, node));
};

export const deleteNode: Handler = async (request, services) => {
  const ident = request.params['node']!;
  const found = await findNode(request, ident, services);
  const ended = await services.db.write('delete node', async (tx) => {
    const node = await tx.nodes.get(found.uuid);
    if (!node) throw nodeNotFound(ident);
    if (node.reservation) throw nodeLocked(node);
    if (!node.maintenance && node.instanceUuid !== null)
      throw new ServiceError('NODE_ASSOCIATED', `Node ${node.uuid} is associated with instance ${node.instanceUuid}.`);
    if (node.protected) throw nodeProtected(node);
    if (!node.maintenance && !DELETE_ALLOWED_STATES.includes(node.provisionState))
      throw new ServiceError(
        'INVALID_STATE',
        `Can not delete node "${node.uuid}" while it is in provision state "${node.provisionState}". Valid provision states to perform deletion are: "('manageable', 'enroll', 'adopt failed', 'available')", or set the node into maintenance mode`,
      );
    // Runs outlive their node: one that nobody can go on with would hold its place among the simultaneous deployments for ever.
    const run = await tx.runs.current(node.uuid);
    if (run) {
      const error = 'The node was deleted.';
      const finishedAt = services.clock.nowMs();
      await tx.runs.update(run.id, run.fence, { state: 'aborted', error, waitingFor: null, finishedAt });
      await tx.events.append({
        type: 'run.finished',
        nodeUuid: node.uuid,
        runId: run.id,
        severity: 'warning',
        data: { verb: run.verb, outcome: 'aborted', error },
      });
    }
    await tx.events.append({ type: 'node.deleted', nodeUuid: node.uuid, runId: null, data: { name: node.name } });
    await tx.nodes.remove(node.uuid);
    return run;
  });
  // The one that works on the run has its image open and knows its agent.
  const owner = ended?.owner ? await services.db.read.conductors.get(ended.owner) : undefined;
  const host = ended && (owner?.alive ? owner.hostname : conductorFor(found, await readConductors(services)));
  if (ended && host) services.rpc.cast(host, 'wakeRun', { runId: ended.id });
  return noContent;
};
