/** Events: the append-only record that node history, the event stream and timelines read. Only transitions, steps and facts. */
import type { NodeId, RunId } from './ids.ts';
import type { JsonObject } from './json.ts';

/** Every type of event, with what its data holds. */
export const EVENT_TYPES = {
  'node.created': 'a node was registered {driver}',
  'node.deleted': 'a node was removed {name}',
  'node.provision_state': 'the provision state changed {from, to, event, target, error?}',
  'node.power_state': 'the power state changed, or an order to change it failed {from, to, cause, error}',
  'node.maintenance': 'maintenance was set or cleared {maintenance, reason}',
  'run.started': 'work on a node began {verb}',
  'run.queued': 'the run waits for its turn {queue, position}',
  'run.waiting': 'the run began to wait {what, from, until}',
  'run.taken_over': 'another conductor goes on with the run {from, to, fence}',
  'run.finished': 'work on a node ended {verb, outcome, error?}',
  'step.started': 'a step was dispatched {interface, step, attempt}',
  'step.done': 'a step is done {interface, step, attempt, result?}',
  'step.failed': 'a step failed {interface, step, attempt, error, code?}',
  'power.ordered': 'the BMC took a power order {action, cause?}',
  'boot.ordered': 'a boot was ordered {device, persistent}',
  'boot.dhcp': 'the machine got an address, or where to boot from {message, mac, address?, arch?, stage?}',
  'boot.tftp': 'the firmware read a network boot program {file, bytes, seconds, outcome}',
  'boot.script': 'the machine fetched its boot script {mac, arch, platform, answer, error?}',
  'boot.kernel': 'the machine fetched the kernel {file, bytes, seconds, outcome}',
  'boot.initrd': 'the machine fetched the ramdisk {file, bytes, seconds, outcome}',
  'boot.local':
    'the machine asked the network and was sent to its disk, since no boot from the network was ordered {mac, reason}',
  'boot.never_seen': 'a boot was ordered and never happened {since, device, hint, action}',
  'agent.hello': 'the agent said hello {bootId, version, address, returned}',
  'agent.lost': 'the connection to the agent ended {reason}',
  'agent.refused': 'an agent was refused {reason, address}',
  'image.ready': 'the image is in the depot {imageId, sizeBytes, usedBytes}',
  'image.written': 'the image is on the disk {bytes, seconds, device}',
  'inspection.note': 'an inspection rule has something to say {text}',
  'ssh.answered': 'the deployed system answered on SSH {address, port}',
  'configure.task': 'a task of the play ended {task, name, outcome}',
  'configure.done': 'the play ended {ok, changed, failed, seconds}',
  'machine.unknown': 'a machine nobody registered asked to boot {mac, uuid, serial}',
  'webhook.changed': 'a webhook was made, changed, removed or told to deliver again {webhook, change}',
  'webhook.disabled': 'a webhook is switched off, because nobody takes what it sends {webhook, reason}',
  'image.served': 'the depot closed an image exit {bytes, usedBytes}',
  'access.changed':
    'somebody changed something through the API {user, role, project, operation, target, change, request_id, address}',
  'access.refused': 'a log-in failed {user, address, reason}',
} as const satisfies Record<string, string>;

export type EventType = keyof typeof EVENT_TYPES;

export interface NewEvent {
  readonly type: EventType;
  readonly nodeUuid: NodeId | null;
  readonly runId: RunId | null;
  readonly severity?: 'info' | 'warning' | 'error';
  readonly data: JsonObject;
}

export interface StoredEvent extends NewEvent {
  /** Opaque and ordered: the id of the server-sent event. */
  readonly cursor: string;
  readonly severity: 'info' | 'warning' | 'error';
  /** ms since the epoch. */
  readonly at: number;
}
