/** An event as one line for people. */
import { duration, size } from '../clock.ts';
import type { StreamEvent } from './stream.ts';

type Data = Readonly<Record<string, unknown>>;
const word = (data: Data, key: string): string => {
  const value = data[key];
  return value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
};
const bytes = (data: Data, key = 'bytes'): string => {
  const value = Number(data[key]);
  return data[key] === null || !Number.isFinite(value) ? '' : size(value);
};
const after = (lead: string, text: string): string => (text === '' ? '' : `${lead}${text}`);
const step = (d: Data) => [word(d, 'interface'), word(d, 'step')].filter((p) => p !== '').join('.');
const attempt = (d: Data) => (Number(d['attempt']) > 1 ? `, attempt ${word(d, 'attempt')}` : '');

/** What a node waits for, by the name that a run gives it. */
const AWAITED: Readonly<Record<string, (from: string) => string>> = {
  agent: (from) => from,
  boot: (from) => `a boot by ${from}`,
  configure: (from) => from,
  hold: (from) => from,
  image: (from) => `the image, from ${from}`,
  power: (from) => `the power state, from ${from}`,
  queue: (from) => `its turn, behind ${from}`,
  retry: (from) => `the next try of ${from}`,
  ssh: (from) => `SSH, from ${from}`,
  wait: (from) => from,
};

/** `the power state, from the BMC at 192.0.2.1`: what is awaited, and from whom. */
export function awaitedText(what: string, from: string): string {
  if (from === '') return what;
  return AWAITED[what]?.(from) ?? `${what} from ${from}`;
}

const TEXTS: Readonly<Record<string, (data: Data) => string>> = {
  'node.created': (d) => `registered${after(' with driver ', word(d, 'driver'))}`,
  'node.deleted': () => 'removed',
  'node.provision_state': (d) => `${word(d, 'from')} -> ${word(d, 'to')}${after(': ', word(d, 'error'))}`,
  'node.power_state': (d) => `power is ${word(d, 'to').replace('power ', '') || 'unknown'}`,
  'node.maintenance': (d) =>
    d['maintenance'] === true ? `maintenance${after(': ', word(d, 'reason'))}` : 'maintenance is over',
  'run.started': (d) => `${word(d, 'verb')} began`,
  'run.queued': (d) => `waits for its turn, position ${word(d, 'position')}`,
  'run.waiting': (d) => `waits for ${awaitedText(word(d, 'what'), word(d, 'from'))}`,
  'run.taken_over': (d) => `conductor ${word(d, 'to')} goes on${after(' in place of ', word(d, 'from'))}`,
  'run.finished': (d) => `${word(d, 'verb')} ended: ${word(d, 'outcome')}${after(': ', word(d, 'error'))}`,
  'step.started': (d) => `step ${step(d)} began${attempt(d)}`,
  'step.done': (d) => `step ${step(d)} is done`,
  'step.failed': (d) => `step ${step(d)} failed${attempt(d)}${after(': ', word(d, 'error'))}`,
  'power.ordered': (d) => `the BMC took the order ${word(d, 'action')}`,
  'boot.ordered': (d) => `boot from ${word(d, 'device')} was ordered`,
  'boot.dhcp': (d) => `asked for an address${after(', got ', word(d, 'address'))}${after(' for ', word(d, 'mac'))}`,
  'boot.tftp': (d) => `read ${word(d, 'file')} by TFTP${after(', ', bytes(d))}`,
  'boot.script': (d) => `fetched its boot script${after(': ', word(d, 'answer'))}`,
  'boot.kernel': (d) => `fetched the kernel${after(', ', bytes(d))}`,
  'boot.initrd': (d) => `fetched the ramdisk${after(', ', bytes(d))}`,
  'boot.local': () => 'asked the network and was sent to its disk',
  'boot.never_seen': (d) => `a boot from ${word(d, 'device') || 'the network'} was ordered and never seen`,
  'agent.hello': (d) => `the agent said hello${after(' from ', word(d, 'address'))}`,
  'agent.lost': (d) => `the connection to the agent ended${after(': ', word(d, 'reason'))}`,
  'agent.refused': (d) => `an agent was refused${after(': ', word(d, 'reason'))}`,
  'image.ready': (d) => `the image is in the depot${after(', ', bytes(d, 'usedBytes') || bytes(d, 'sizeBytes'))}`,
  'image.written': (d) =>
    `the image is on the disk${after(', ', bytes(d))}${typeof d['seconds'] === 'number' ? ` in ${duration(d['seconds'] * 1000)}` : ''}`,
  'image.served': (d) => `the depot has served ${bytes(d)}`,
  'ssh.answered': (d) => `SSH answers at ${word(d, 'address')}${after(' port ', word(d, 'port'))}`,
  'configure.task': (d) => `task ${word(d, 'task')}: ${word(d, 'name')}: ${word(d, 'outcome')}`,
  'configure.done': (d) =>
    `the play is done: ${word(d, 'ok')} ok, ${word(d, 'changed')} changed, ${word(d, 'failed')} failed`,
  'inspection.note': (d) => word(d, 'text'),
  'access.changed': (d) => `${word(d, 'user')} asked for ${word(d, 'change') || word(d, 'operation')}`,
  'access.refused': (d) =>
    `a log-in${after(' as ', word(d, 'user'))}${after(' from ', word(d, 'address'))} was refused${after(': ', word(d, 'reason'))}`,
  'webhook.changed': (d) => `webhook ${word(d, 'webhook')}: ${word(d, 'change')}`,
  'webhook.disabled': (d) => `webhook ${word(d, 'webhook')} is switched off${after(': ', word(d, 'reason'))}`,
  'machine.unknown': (d) => `a machine nobody registered asks to boot: ${word(d, 'mac')}`,
};

/** One line; line ends inside become blanks, and nothing in it can steer a terminal. */
export function describeEvent(event: StreamEvent): string {
  const text = TEXTS[event.type]?.(event.data) ?? `${event.type} ${JSON.stringify(event.data)}`;
  return printable(text);
}

/** Text from elsewhere, safe to show: control characters become blanks. */
export const printable = (text: string): string => text.replace(/\p{Cc}+/gu, ' ').trim();
