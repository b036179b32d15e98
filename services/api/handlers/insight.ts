/** What a node does, waits for and has done: timeline, why, unknown machines. All from stored rows. */
import {
  asRunId,
  formatTime,
  isJsonObject,
  isTransient,
  type JsonObject,
  type Node,
  type Run,
  ServiceError,
  timeline,
} from '@bessemer/core';
import { type ApiServices, type Handler, ok } from '../request.ts';
import { findNode } from './find-node.ts';
import { stateName } from '../views/node.ts';

const EVENTS_PER_RUN = 10_000;

/** How to log in to the deployed system, and which host key it was told to show. */
function wayIn(node: Node): JsonObject | null {
  const { way_in: way, agent_ssh_host_key: hostKey } = node.driverInternalInfo;
  return isJsonObject(way) ? { ...way, host_key: typeof hostKey === 'string' ? hostKey : null } : null;
}

export const getTimeline: Handler = async (request, services) => {
  const node = await findNode(request, request.params['node']!, services);
  const { read } = services.db;
  const wanted = request.query.get('run');
  const run = wanted
    ? await read.runs.get(asRunId(wanted))
    : ((await read.runs.latest(node.uuid, ['deploy', 'rebuild'])) ?? (await read.runs.latest(node.uuid)));
  if (wanted && run?.nodeUuid !== node.uuid)
    throw new ServiceError('RUN_NOT_FOUND', `Run ${wanted} of node ${node.uuid} could not be found.`);
  const events = run ? await read.events.listAfter(undefined, { runId: run.id }, EVENTS_PER_RUN) : [];
  return ok({
    node_uuid: node.uuid,
    run: run
      ? {
          id: run.id,
          verb: run.verb,
          state: run.state,
          created_at: formatTime(run.createdAt),
          finished_at: formatTime(run.finishedAt),
          error: run.error,
        }
      : null,
    phases: timeline(events).map((p) => ({
      phase: p.phase,
      started_at: formatTime(p.startedAt),
      seconds: p.seconds,
      detail: p.detail,
    })),
    way_in: wayIn(node),
  });
};

function currentStep(run: Run): string | null {
  const step = run.segments[run.cursor.segment]?.steps[run.cursor.step];
  return step ? `${step.interface}.${step.step}` : null;
}

function etaSeconds(run: Run): number | null {
  const p = run.progress;
  if (!p || p.bytes === null || p.totalBytes === null || !p.bytesPerSecond) return null;
  return Math.max(0, Math.round((p.totalBytes - p.bytes) / p.bytesPerSecond));
}

/** An order that came after a failure has taken its words from the node; the event of the failure still has them. */
async function withStoredError(node: Node, services: ApiServices): Promise<Node> {
  if (!node.provisionState.endsWith('failed') && node.provisionState !== 'error') return node;
  const types = ['node.provision_state'];
  const [entered] = await services.db.read.events.listLast({ nodeUuid: node.uuid, types }, 1);
  const error = entered?.data['error'];
  return typeof error === 'string' ? { ...node, lastError: error } : node;
}

/** One sentence, and what an operator can do. */
export function explain(node: Node, run: Run | undefined): { summary: string; whatToDo: string } {
  const state = node.provisionState;
  if (run?.waitingFor) {
    const w = run.waitingFor;
    const place = w.position === null ? '' : ` (position ${w.position})`;
    return { summary: `${run.verb}: waits for ${w.what} from ${w.from}${place}.`, whatToDo: w.hint };
  }
  if (run)
    return {
      summary: `${run.verb}: works on ${currentStep(run) ?? 'its last step'}.`,
      whatToDo: 'Nothing: it goes on by itself.',
    };
  if (node.fault === 'power failure')
    return {
      summary: `The node has a fault: ${node.fault}.`,
      whatToDo: `It is looked at again by itself and the maintenance ends when the BMC answers; see to power, cable and credentials of the BMC.`,
    };
  if (node.fault)
    return {
      summary: `The node has a fault: ${node.fault}: ${node.lastError ?? node.maintenanceReason ?? 'no reason was stored'}`,
      whatToDo: `Look at the machine. Then: baremetal node maintenance unset ${node.name ?? node.uuid}. ${nextCommands(node)}`,
    };
  if (node.maintenance)
    return {
      summary: `The node is in maintenance: ${node.maintenanceReason ?? 'no reason was given'}.`,
      whatToDo: `baremetal node maintenance unset ${node.name ?? node.uuid}`,
    };
  if (isTransient(state))
    return {
      summary: `The node is ${state} and no run works on it.`,
      whatToDo:
        'A conductor fails it within ten minutes, so that it can be ordered again; if none is alive, start one.',
    };
  if (state.endsWith('failed') || state === 'error')
    return { summary: `${state}: ${node.lastError ?? 'no reason was stored'}`, whatToDo: nextCommands(node) };
  if (node.lastError !== null)
    return {
      summary: `The node is ${state}. Its last work failed: ${node.lastError}`,
      whatToDo: 'Mend the cause and ask again.',
    };
  return { summary: `The node is ${state} and waits for nothing.`, whatToDo: nextCommands(node) };
}

function nextCommands(node: Node): string {
  const name = node.name ?? node.uuid;
  const commands: Partial<Record<Node['provisionState'], string>> = {
    enroll: 'manage',
    manageable: 'provide',
    available: 'deploy',
    active: 'undeploy',
    error: 'undeploy',
    'clean failed': 'manage',
    'inspect failed': 'manage',
    'adopt failed': 'manage',
    rescue: 'unrescue',
    'rescue failed': 'unrescue',
    'unrescue failed': 'unrescue',
    'service failed': 'abort',
  };
  if (node.provisionState === 'deploy failed')
    return `Mend the cause, then: baremetal node retry ${name} (goes on at the step that failed), or baremetal node undeploy ${name}`;
  const command = commands[node.provisionState];
  return command ? `Next: baremetal node ${command} ${name}` : 'Nothing.';
}

export const getWhy: Handler = async (request, services) => {
  const node = await findNode(request, request.params['node']!, services);
  const run = await services.db.read.runs.current(node.uuid);
  const { summary, whatToDo } = explain(node.lastError === null ? await withStoredError(node, services) : node, run);
  const waiting = run?.waitingFor;
  const progress = run?.progress;
  const body: JsonObject = {
    node_uuid: node.uuid,
    provision_state: stateName(node.provisionState, request.minor),
    summary,
    run: run
      ? {
          id: run.id,
          verb: run.verb,
          state: run.state,
          deadline: formatTime(run.deadline),
          step: currentStep(run),
          attempt: run.cursor.attempt?.number ?? null,
        }
      : null,
    waiting_for: waiting
      ? {
          what: waiting.what,
          from: waiting.from,
          since: formatTime(waiting.since),
          until: formatTime(waiting.until),
          hint: waiting.hint,
          position: waiting.position,
        }
      : null,
    progress:
      run && progress
        ? {
            phase: progress.phase,
            bytes: progress.bytes,
            total_bytes: progress.totalBytes,
            bytes_per_second: progress.bytesPerSecond,
            eta_seconds: etaSeconds(run),
            at: formatTime(progress.at),
          }
        : null,
    last_error: node.lastError,
    what_to_do: whatToDo,
  };
  return ok(body);
};

export const listUnknownMachines: Handler = async (_request, services) => {
  const machines = await services.db.read.boots.listUnknown(1000);
  return ok({
    machines: machines.map((m) => ({
      mac: m.mac,
      uuid: m.uuid,
      serial: m.serial,
      arch: m.arch,
      platform: m.platform,
      address: m.address,
      first_seen_at: formatTime(m.firstSeenAt),
      last_seen_at: formatTime(m.lastSeenAt),
      requests: m.requests,
    })),
  });
};
