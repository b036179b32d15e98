/** An agent that does what a test tells it, with an outbox as the real one has: kept messages are sent again until acknowledged. */
import { createHash } from 'node:crypto';
import {
  encodeMessage,
  type AgentJournal,
  type AgentMessage,
  type DiskIdentity,
  type HelloMessage,
  type Inventory,
  type KeptMessage,
  parseServiceMessage,
  type SegmentMessage,
  type ServiceMessage,
  type StepRecord,
} from '@bessemer/agent-protocol';
import { asRunId, type Node } from '@bessemer/core';
import type { MessageChannel } from '@bessemer/ports';
import type { AgentGateway } from './agent-gateway.ts';
import type { World } from './testing.ts';

/** Two ends of a channel that carries messages at once. */
function channelPair(): { service: MessageChannel; agent: MessageChannel } {
  const listeners = { service: [] as Array<(m: string) => void>, agent: [] as Array<(m: string) => void> };
  const closers: Array<(reason: string) => void> = [];
  let isClosed = false;
  const end = (own: 'service' | 'agent', other: 'service' | 'agent'): MessageChannel => ({
    bufferedBytes: 0,
    send: (message) => {
      if (!isClosed) queueMicrotask(() => listeners[other].forEach((listener) => listener(message)));
    },
    onMessage: (listener) => void listeners[own].push(listener),
    onClose: (listener) => void closers.push(listener),
    close(reason = 'closed') {
      if (isClosed) return;
      isClosed = true;
      for (const closer of closers) closer(reason);
    },
  });
  return { service: end('service', 'agent'), agent: end('agent', 'service') };
}

const disk = { name: '/dev/vda', serial: 's1', wwn: null, byPath: null, sizeBytes: 8 * 1024 ** 3 };

export const inventoryOf = (mac: string, more: Partial<Inventory['system_vendor']> = {}): Inventory => ({
  interfaces: [{ name: 'eth0', mac_address: mac }],
  disks: [],
  cpu: { model_name: 'cpu', count: 2, architecture: 'x86_64' },
  memory: { total: 1 << 30, physical_mb: 1024 },
  system_vendor: { manufacturer: 'QEMU', product_name: 'pc', serial_number: 'serial-1', uuid: '', ...more },
  boot: { current_boot_mode: 'uefi', pxe_interface: mac },
  bmc_address: null,
});

/** What a step gives: a result, a failure, or nothing yet. */
export type Scripted = { readonly result: Record<string, unknown> } | { readonly error: string } | 'hang';

export const RESULTS: Readonly<Record<string, Record<string, unknown>>> = {
  write_image: {
    disk,
    imageSizeBytes: 4096,
    writtenBytes: 1024,
    fetchedBytes: 1024,
    zeroedBy: 'write-zeroes',
    peakRssBytes: 1,
    durationMs: 1500,
  },
  configdrive: {
    sshHostKey: 'ssh-ed25519 AAAAhost',
    partition: { number: 3, startBytes: 0, sizeBytes: 1, created: true },
  },
  prepare_boot: { bootMode: 'uefi', bootEntry: '0005', removedEntries: [] },
  erase_devices_metadata: { disks: [] },
};

export interface ScriptedAgent {
  readonly bootId: string;
  readonly orders: ServiceMessage[];
  /** How often each attempt was carried out. */
  readonly done: Map<string, number>;
  script: (step: string) => Scripted;
  /** Opens a connection to a gateway, with the token at first and the key afterwards. */
  connect(gateway: AgentGateway, credential?: { token?: string; key?: string }): void;
  /** The network goes away; the agent goes on. */
  cut(): void;
  /** Says which disk a step that hangs has chosen. */
  choose(step: string, disk: DiskIdentity): void;
  /** Goes on with a step that hangs. */
  finish(step: string, scripted?: Scripted): void;
  readonly key: string | undefined;
  readonly refused: string[];
  readonly isConnected: boolean;
}

export interface ScriptedAgentOptions {
  readonly token: string;
  readonly mac: string;
  readonly bootId?: string;
  readonly inventory?: Inventory;
}

export function createScriptedAgent(options: ScriptedAgentOptions): ScriptedAgent {
  const outbox: KeptMessage[] = [];
  const records = new Map<string, StepRecord>();
  let channel: MessageChannel | undefined;
  let key: string | undefined;
  let lastSeq = 0;
  let ackedSeq = 0;
  let segment: SegmentMessage | undefined;
  let isOver = false;

  const send = (message: AgentMessage): void => channel?.send(encodeMessage(message));
  type Unnumbered<M> = M extends KeptMessage ? Omit<M, 'seq'> : never;
  function keep(message: Unnumbered<KeptMessage>): void {
    const kept = { ...message, seq: ++lastSeq } as KeptMessage;
    outbox.push(kept);
    if (agent.isConnected) send(kept);
  }
  const journal = (): AgentJournal => ({
    state: segment ? (isOver ? 'done' : 'running') : 'idle',
    ...(segment ? { run: segment.run, fence: segment.fence, segment: segment.segment } : {}),
    lastSeq,
    ackedSeq,
    steps: [...records.values()],
  });
  function work(): void {
    if (!segment || isOver) return;
    const { run, segment: id } = segment;
    for (const step of segment.steps) {
      const known = records.get(step.id);
      if (known?.attempt === step.attempt && known.state === 'done') continue;
      if (known?.attempt === step.attempt) return;
      const head = { type: 'event', run, segment: id, step: step.id, attempt: step.attempt } as const;
      keep({ ...head, kind: 'started', data: {} });
      records.set(step.id, { step: step.id, attempt: step.attempt, state: 'running' });
      agent.done.set(step.attempt, (agent.done.get(step.attempt) ?? 0) + 1);
      const scripted = agent.script(step.id);
      if (scripted === 'hang') return;
      if (!end(step.id, scripted)) return;
    }
    isOver = true;
    keep({ type: 'segmentDone', run, segment: id, outcome: 'done' });
  }
  function end(stepId: string, scripted: Exclude<Scripted, 'hang'>): boolean {
    const step = segment!.steps.find((s) => s.id === stepId)!;
    const head = {
      type: 'event',
      run: segment!.run,
      segment: segment!.segment,
      step: stepId,
      attempt: step.attempt,
    } as const;
    const isFine = 'result' in scripted;
    records.set(stepId, { step: stepId, attempt: step.attempt, state: isFine ? 'done' : 'failed' });
    if (isFine) keep({ ...head, kind: 'done', data: scripted.result as never });
    else keep({ ...head, kind: 'failed', data: { code: 'WRITE_FAILED', message: scripted.error } });
    return isFine;
  }
  function onMessage(source: string): void {
    const parsed = parseServiceMessage(source);
    if (!parsed.ok) throw new Error(parsed.error);
    const message = parsed.value;
    if (message.type === 'ping') return send({ type: 'pong' });
    agent.orders.push(message);
    switch (message.type) {
      case 'welcome':
        key = message.key;
        ackedSeq = Math.max(ackedSeq, message.lastSeq);
        for (const kept of outbox.filter((k) => k.seq > message.lastSeq)) send(kept);
        return;
      case 'refused':
        agent.refused.push(message.reason);
        return;
      case 'ack':
        ackedSeq = Math.max(ackedSeq, message.seq);
        return;
      case 'segment':
        if (segment && message.fence < segment.fence)
          return send({ type: 'refuse', of: 'segment', code: 'OLD_FENCE', message: 'an old fence' });
        if (segment?.segment !== message.segment) {
          records.clear();
          isOver = false;
        }
        segment = message;
        work();
        return send({ type: 'state', journal: journal() });
    }
  }

  const agent: ScriptedAgent = {
    bootId: options.bootId ?? 'boot-1',
    orders: [],
    done: new Map(),
    refused: [],
    script: (step) => ({ result: RESULTS[step] ?? {} }),
    connect(gateway, credential = key === undefined ? { token: options.token } : { key }) {
      const pair = channelPair();
      channel = pair.agent;
      channel.onMessage(onMessage);
      channel.onClose(() => {
        if (channel === pair.agent) channel = undefined;
      });
      gateway.accept(pair.service, { address: '192.0.2.50' });
      const hello: HelloMessage = {
        type: 'hello',
        protocol: { min: 1, max: 1 },
        ...credential,
        bootId: agent.bootId,
        agentVersion: '1.0',
        inventory: options.inventory ?? inventoryOf(options.mac),
        journal: journal(),
        steps: ['inspect', 'erase_devices_metadata', 'write_image', 'configdrive', 'prepare_boot'],
      };
      send(hello);
    },
    cut() {
      const gone = channel;
      channel = undefined;
      gone?.close('cut');
    },
    choose(stepId, disk) {
      const { run, segment: id, steps } = segment!;
      const { attempt } = steps.find((step) => step.id === stepId)!;
      keep({ type: 'event', run, segment: id, step: stepId, attempt, kind: 'started', data: { disk } });
    },
    finish(step, scripted = { result: RESULTS[step] ?? {} }) {
      if (scripted !== 'hang' && end(step, scripted)) work();
    },
    get key() {
      return key;
    },
    get isConnected() {
      return channel !== undefined;
    },
  };
  return agent;
}

let tokens = 0;

/** What the boot service does when a node that waits for a boot fetches its script. */
export async function mintToken(world: World, node: Node, mac: string): Promise<string> {
  const run = (await world.db.read.runs.current(node.uuid))!;
  const token = `token-of-a-boot-${tokens++}`;
  await world.db.write('test', (tx) =>
    tx.boots.addToken({
      sha256: createHash('sha256').update(token).digest('hex'),
      nodeUuid: node.uuid,
      runId: asRunId(run.id),
      mac,
      expiresAt: world.clock.nowMs() + 3_600_000,
    }),
  );
  return token;
}
