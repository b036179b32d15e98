import { describe, expect, test } from 'vitest';
import {
  createAgentSession,
  encodeMessage,
  HELLO_DEADLINE_MS,
  parseServiceMessage,
  PING_INTERVAL_MS,
  SILENCE_LIMIT_MS,
  type AgentMessage,
  type AgentSession,
  type HelloMessage,
  type SessionEffect,
} from './index.ts';

const hello = (changes: Partial<HelloMessage> = {}): HelloMessage => ({
  type: 'hello',
  protocol: { min: 1, max: 1 },
  token: 'token-of-16-chars-or-more',
  bootId: 'boot-1',
  agentVersion: '0.1.0',
  inventory: {
    interfaces: [],
    disks: [],
    cpu: { model_name: '', count: 1, architecture: 'x86_64' },
    memory: { total: 1, physical_mb: 1 },
    system_vendor: { manufacturer: '', product_name: '', serial_number: '', uuid: '' },
    boot: { current_boot_mode: 'uefi', pxe_interface: null },
    bmc_address: null,
  },
  journal: { state: 'idle', lastSeq: 0, ackedSeq: 0, steps: [] },
  steps: [],
  ...changes,
});
const done = (seq: number): AgentMessage => ({
  type: 'segmentDone',
  seq,
  run: 'r',
  segment: `s${seq}`,
  outcome: 'done',
});

const give = (session: AgentSession, message: AgentMessage, nowMs = 0): SessionEffect[] =>
  session.step({ kind: 'text', text: encodeMessage(message) }, nowMs);

/** Effects with what is sent read back. */
const shown = (effects: SessionEffect[]): unknown[] =>
  effects.map((effect) => {
    if (effect.kind !== 'send') return effect.kind === 'keep' ? `keep ${effect.message.seq}` : effect.kind;
    const parsed = parseServiceMessage(effect.text);
    if (!parsed.ok) throw new Error(parsed.error);
    return parsed.value;
  });

function opened(lastSeq = 0, ackedSeq = 0): AgentSession {
  const session = createAgentSession({ nowMs: 0 });
  give(session, hello({ journal: { state: 'idle', lastSeq: ackedSeq, ackedSeq, steps: [] } }));
  session.step({ kind: 'accept', key: 'key-of-16-characters', node: { uuid: 'n1' }, lastSeq }, 0);
  return session;
}

describe('opening', () => {
  test('hello, credential, welcome', () => {
    const session = createAgentSession({ nowMs: 0 });
    expect(give(session, hello())).toEqual([{ kind: 'authenticate', hello: hello(), protocol: 1 }]);
    const accept = { kind: 'accept', key: 'key-of-16-characters', node: { uuid: 'n1' }, lastSeq: 7 } as const;
    expect(shown(session.step(accept, 0))).toEqual([
      { type: 'welcome', protocol: 1, key: accept.key, node: accept.node, lastSeq: 7 },
      'opened',
    ]);
    expect(session.state).toBe('open');
  });
  test('a refused credential closes', () => {
    const session = createAgentSession({ nowMs: 0 });
    give(session, hello());
    expect(shown(session.step({ kind: 'refuse', reason: 'no such token', retry: false }, 0))).toEqual([
      { type: 'refused', reason: 'no such token', retry: false },
      'close',
    ]);
    expect(session.step({ kind: 'accept', key: 'k'.repeat(16), node: { uuid: 'n' }, lastSeq: 0 }, 0)).toEqual([]);
  });
  test.each<[string, AgentMessage[]]>([
    ['no hello first', [done(1)]],
    ['a version that is not spoken', [hello({ protocol: { min: 9, max: 9 } })]],
    ['a message before the welcome', [hello(), done(1)]],
  ])('%s closes', (_case, messages) => {
    const session = createAgentSession({ nowMs: 0 });
    const effects = messages.flatMap((message) => give(session, message));
    expect(effects.at(-1)?.kind).toBe('close');
    expect(session.state).toBe('closed');
    expect(session.step({ kind: 'tick' }, 1e9)).toEqual([]);
  });
  test('no hello in time, a second hello, nonsense', () => {
    const late = createAgentSession({ nowMs: 0 });
    expect(late.step({ kind: 'tick' }, HELLO_DEADLINE_MS - 1)).toEqual([]);
    expect(shown(late.step({ kind: 'tick' }, HELLO_DEADLINE_MS))).toEqual(['close']);
    expect(shown(give(opened(), hello()))).toEqual(['close']);
    expect(shown(opened().step({ kind: 'text', text: '{' }, 0))).toEqual(['close']);
  });
});

describe('kept messages', () => {
  test('come out once and in order, and are acknowledged when stored', () => {
    const session = opened();
    expect(shown([...give(session, done(1)), ...give(session, done(2)), ...give(session, done(1))])).toEqual([
      'keep 1',
      'keep 2',
    ]);
    expect(shown(session.step({ kind: 'stored', seq: 2 }, 0))).toEqual([{ type: 'ack', seq: 2 }]);
    expect(shown(give(session, done(1)))).toEqual([{ type: 'ack', seq: 2 }]);
    expect(session.step({ kind: 'stored', seq: 1 }, 0)).toEqual([]);
    expect(session.step({ kind: 'stored', seq: 99 }, 0)).toEqual([]);
  });
  test('what is stored already is acknowledged again and not kept again', () => {
    const session = opened(2);
    expect(shown(give(session, done(2)))).toEqual([{ type: 'ack', seq: 2 }]);
    expect(shown(give(session, done(3)))).toEqual(['keep 3']);
  });
  test('a gap closes, for something would be lost', () => {
    expect(shown(give(opened(2), done(4)))).toEqual(['close']);
  });
  test('a service that lost rows goes on where the agent is', () => {
    expect(shown(give(opened(2, 5), done(6)))).toEqual(['keep 6']);
  });
});

describe('the rest', () => {
  test('progress is shown, states and refusals are told, pings answered', () => {
    const session = opened();
    const at = { run: 'r', segment: 's', step: 'a', attempt: 'a1' };
    const data = { phase: 'p', bytes: 0, totalBytes: 0, ratePerSecond: 0 };
    expect(shown(give(session, { type: 'event', seq: 0, ...at, kind: 'progress', data }))).toEqual(['show']);
    expect(shown(give(session, { type: 'state', journal: hello().journal }))).toEqual(['state']);
    expect(shown(give(session, { type: 'refuse', of: 'hold', code: 'X', message: 'm' }))).toEqual(['orderRefused']);
    expect(shown(give(session, { type: 'ping' }))).toEqual([{ type: 'pong' }]);
  });
  test('orders go out; one that is too large comes back', () => {
    const session = opened();
    const hold = { type: 'hold', run: 'r', fence: 1 } as const;
    expect(shown(session.step({ kind: 'order', message: hold }, 0))).toEqual([hold]);
    const step = { id: 'a', name: 'configdrive', interface: 'deploy', attempt: 'a1', onRepeat: 'safe' } as const;
    const steps = [{ ...step, args: { text: 'x'.repeat(2 ** 20) } }];
    const large = { type: 'segment', run: 'r', fence: 1, segment: 's', steps } as const;
    expect(session.step({ kind: 'order', message: large }, 0)).toMatchObject([
      { kind: 'orderRefused', message: { code: 'BAD_ORDER' } },
    ]);
  });
  test('silence is asked about, then ends it', () => {
    const session = opened();
    expect(session.step({ kind: 'tick' }, PING_INTERVAL_MS - 1)).toEqual([]);
    expect(shown(session.step({ kind: 'tick' }, PING_INTERVAL_MS))).toEqual([{ type: 'ping' }]);
    expect(session.step({ kind: 'tick' }, PING_INTERVAL_MS + 1)).toEqual([]);
    give(session, { type: 'pong' }, PING_INTERVAL_MS + 2);
    expect(session.step({ kind: 'tick' }, SILENCE_LIMIT_MS)).toMatchObject([{ kind: 'send' }]);
    expect(shown(session.step({ kind: 'tick' }, PING_INTERVAL_MS + 2 + SILENCE_LIMIT_MS))).toEqual(['close']);
  });
});
