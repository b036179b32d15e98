/** The timeline of a deployment, computed from stored events: what happened when, and how long each phase took. */
import type { EventType, StoredEvent } from './events.ts';

export interface TimelinePhase {
  readonly phase: string;
  /** ms since the epoch. */
  readonly startedAt: number;
  /** Seconds until the next phase that was reached, or until the end of the run; null while it lasts. */
  readonly seconds: number | null;
  readonly detail: string;
}

interface Mark {
  readonly phase: string;
  readonly matches: (event: StoredEvent) => boolean;
  readonly detail: (event: StoredEvent) => string;
  /** The last event that fits counts, not the first: a run that was retried ends twice. */
  readonly isLast?: true;
}

const text = (event: StoredEvent, ...keys: string[]): string =>
  keys
    .map((k) => event.data[k])
    .filter((v) => v !== undefined && v !== null)
    .join(' ');
const on = (type: EventType, more?: (event: StoredEvent) => boolean) => (event: StoredEvent) =>
  event.type === type && (more?.(event) ?? true);

/** The marks of a deployment; the first event that fits is taken for each. */
const MARKS: readonly Mark[] = [
  { phase: 'accepted', matches: on('run.started'), detail: (e) => text(e, 'verb') },
  { phase: 'image ready', matches: on('image.ready'), detail: (e) => `${text(e, 'usedBytes')} bytes in use` },
  { phase: 'power on', matches: on('power.ordered'), detail: (e) => text(e, 'action') },
  { phase: 'dhcp', matches: on('boot.dhcp'), detail: (e) => text(e, 'mac', 'address') },
  { phase: 'network boot program', matches: on('boot.tftp'), detail: (e) => text(e, 'file') },
  {
    phase: 'boot script',
    matches: on('boot.script', (e) => e.data['answer'] === 'ramdisk'),
    detail: (e) => text(e, 'mac'),
  },
  { phase: 'kernel', matches: on('boot.kernel'), detail: (e) => `${text(e, 'bytes')} bytes` },
  { phase: 'ramdisk', matches: on('boot.initrd'), detail: (e) => `${text(e, 'bytes')} bytes` },
  { phase: 'agent', matches: on('agent.hello'), detail: (e) => text(e, 'address') },
  {
    phase: 'image',
    matches: on('step.started', (e) => e.data['step'] === 'write_image'),
    detail: () => '',
  },
  {
    phase: 'image written',
    matches: on('image.written'),
    detail: (e) => `${text(e, 'bytes')} bytes to ${text(e, 'device')}`,
  },
  { phase: 'reboot', matches: on('boot.ordered', (e) => e.data['device'] === 'disk'), detail: () => 'from disk' },
  { phase: 'first ssh', matches: on('ssh.answered'), detail: (e) => text(e, 'address', 'port') },
  { phase: 'configure', matches: on('step.started', (e) => e.data['step'] === 'configure'), detail: () => 'playbook' },
  { phase: 'configured', matches: on('configure.done'), detail: (e) => `${text(e, 'ok')} tasks` },
  { phase: 'finished', matches: on('run.finished'), detail: (e) => text(e, 'outcome', 'error'), isLast: true },
];

/**
 * The phases of one run from its events in order. A phase that was not seen is left out: a BIOS machine whose ROM is an
 * iPXE reads no network boot program.
 */
export function timeline(events: readonly StoredEvent[]): TimelinePhase[] {
  const found: Array<{ mark: Mark; event: StoredEvent }> = [];
  for (const mark of MARKS) {
    const event = mark.isLast ? events.findLast(mark.matches) : events.find(mark.matches);
    if (event) found.push({ mark, event });
  }
  found.sort((a, b) => a.event.at - b.event.at);
  return found.map(({ mark, event }, i) => {
    const next = found[i + 1];
    return {
      phase: mark.phase,
      startedAt: event.at,
      seconds: next ? (next.event.at - event.at) / 1000 : mark.phase === 'finished' ? 0 : null,
      detail: mark.detail(event),
    };
  });
}
