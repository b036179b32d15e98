import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeMessage,
  MAX_DEPTH,
  MAX_MESSAGE_BYTES,
  negotiateProtocol,
  parseAgentMessage,
  parseServiceMessage,
  parseStepArgs,
  type AgentMessage,
  type HelloMessage,
  type ServiceMessage,
} from './index.ts';

const hello: HelloMessage = {
  type: 'hello',
  protocol: { min: 1, max: 1 },
  token: 'token-of-16-chars-or-more',
  bootId: '4c5e1a2b-0000-4000-8000-000000000001',
  agentVersion: '0.1.0',
  inventory: {
    interfaces: [{ name: 'eth0', mac_address: '52:54:00:00:00:01', has_carrier: true }],
    disks: [],
    cpu: { model_name: 'x', count: 1, architecture: 'x86_64' },
    memory: { total: 1, physical_mb: 1 },
    system_vendor: { manufacturer: '', product_name: '', serial_number: '', uuid: '' },
    boot: { current_boot_mode: 'bios', pxe_interface: null },
    bmc_address: null,
  },
  journal: { state: 'idle', lastSeq: 0, ackedSeq: 0, steps: [] },
  steps: ['inspect'],
};
const at = { run: 'r1', segment: 's1', step: 'a', attempt: 'a-1' };

const agentMessages: AgentMessage[] = [
  hello,
  { type: 'event', seq: 1, ...at, kind: 'started', data: {} },
  {
    type: 'event',
    seq: 2,
    ...at,
    kind: 'started',
    data: { disk: { name: '/dev/vda', serial: 's', wwn: null, byPath: null, sizeBytes: 1 } },
  },
  {
    type: 'event',
    seq: 0,
    ...at,
    kind: 'progress',
    data: { phase: 'writing', bytes: 1, totalBytes: 2, ratePerSecond: 0.5, rssBytes: 9 },
  },
  {
    type: 'event',
    seq: 0,
    ...at,
    kind: 'log',
    data: { lines: [{ atMs: 1, level: 'info', message: 'm' }], dropped: 0 },
  },
  { type: 'event', seq: 2, ...at, kind: 'done', data: { deep: [{ er: null }] } },
  { type: 'event', seq: 3, ...at, kind: 'failed', data: { code: 'WRITE_FAILED', message: 'sentence' } },
  { type: 'segmentDone', seq: 4, run: 'r1', segment: 's1', outcome: 'done' },
  {
    type: 'state',
    journal: {
      state: 'failed',
      run: 'r1',
      fence: 3,
      segment: 's1',
      lastSeq: 4,
      ackedSeq: 2,
      steps: [{ step: 'a', attempt: 'a-1', state: 'failed', error: { code: 'X', message: 'y' } }],
    },
  },
  { type: 'refuse', of: 'segment', run: 'r1', fence: 1, code: 'OLD_FENCE', message: 'm' },
  { type: 'ping' },
  { type: 'pong' },
];

const step = { id: 'a', name: 'inspect', interface: 'inspect', args: {}, attempt: 'a-1', onRepeat: 'safe' as const };
const order = { run: 'r1', fence: 1 };
const serviceMessages: ServiceMessage[] = [
  { type: 'welcome', protocol: 1, key: 'key-of-16-characters', node: { uuid: 'u', name: 'n' }, lastSeq: 0 },
  { type: 'refused', reason: 'no', retry: false },
  { type: 'segment', ...order, segment: 's1', steps: [step] },
  { type: 'ack', seq: 3 },
  { type: 'hold', ...order },
  { type: 'continue', ...order },
  { type: 'retry', ...order, step: 'a', attempt: 'a-2' },
  { type: 'cancel', ...order },
  { type: 'power', ...order, action: 'reboot' },
  { type: 'query' },
  { type: 'shell' },
  { type: 'ping' },
  { type: 'pong' },
];

describe('messages', () => {
  test.each(agentMessages.map((m) => [m.type, m] as const))('agent: %s is read as it was written', (_type, message) => {
    expect(parseAgentMessage(encodeMessage(message))).toEqual({ ok: true, value: message });
  });
  test.each(serviceMessages.map((m) => [m.type, m] as const))(
    'service: %s is read as it was written',
    (_type, message) => {
      expect(parseServiceMessage(encodeMessage(message))).toEqual({ ok: true, value: message });
    },
  );
  test('unknown fields are dropped, known ones may not be inherited', () => {
    expect(parseServiceMessage('{"type":"ack","seq":3,"more":1}')).toEqual({
      ok: true,
      value: { type: 'ack', seq: 3 },
    });
    expect(parseServiceMessage('{"type":"toString"}')).toMatchObject({ ok: false });
  });
});

const without = (message: object, field: string): object =>
  Object.fromEntries(Object.entries(message).filter(([name]) => name !== field));

describe('bad messages are refused and the reason names the field', () => {
  const rows: Array<[string, unknown, string]> = [
    ['not JSON', '{', 'not JSON'],
    ['no object', [], 'expected an object'],
    ['no type', {}, 'type'],
    ['unknown type', { type: 'nonsense' }, 'is not one of hello'],
    ['both credentials', { ...hello, key: 'key-of-16-characters' }, 'exactly one of token and key'],
    ['no credential', without(hello, 'token'), 'exactly one of token and key'],
    ['short token', { ...hello, token: 'short' }, 'hello.token'],
    ['empty range', { ...hello, protocol: { min: 2, max: 1 } }, 'min is above max'],
    ['no inventory', without(hello, 'inventory'), 'hello.inventory: expected an object, it is missing'],
    ['bad id', { ...hello, bootId: 'a b' }, 'hello.bootId: only letters'],
    ['kept event without number', { type: 'event', seq: 0, ...at, kind: 'done', data: {} }, 'must be above 0'],
    ['progress with number', { type: 'event', seq: 5, ...at, kind: 'progress', data: {} }, 'must be 0'],
    [
      'negative bytes',
      {
        type: 'event',
        seq: 0,
        ...at,
        kind: 'progress',
        data: { phase: 'x', bytes: -1, totalBytes: 0, ratePerSecond: 0 },
      },
      'event.data.bytes',
    ],
    [
      'fractional number',
      { type: 'segmentDone', seq: 1.5, run: 'r', segment: 's', outcome: 'done' },
      'expected an integer',
    ],
    [
      'unsafe number',
      { type: 'segmentDone', seq: 2 ** 60, run: 'r', segment: 's', outcome: 'done' },
      'expected an integer',
    ],
    ['hostile key', '{"type":"event","data":{"__proto__":{"a":1}}}', '__proto__'],
    ['too deep', `{"type":"event","data":${'['.repeat(MAX_DEPTH)}${']'.repeat(MAX_DEPTH)}}`, 'nested deeper'],
    ['too long', JSON.stringify({ type: 'ping', filler: 'x'.repeat(MAX_MESSAGE_BYTES) }), 'larger than'],
    ['too long in bytes', JSON.stringify({ type: 'ping', filler: '€'.repeat(MAX_MESSAGE_BYTES / 2) }), 'larger than'],
    ['a million brackets', '['.repeat(1_000_000), 'nested deeper'],
  ];
  test.each(rows)('%s', (_case, message, reason) => {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    expect(parseAgentMessage(text)).toEqual({ ok: false, error: expect.stringContaining(reason) });
  });
  test.each([
    [{ type: 'segment', ...order, segment: 's', steps: [step, { ...step, attempt: 'b' }] }, 'same id'],
    [{ type: 'segment', ...order, segment: 's', steps: [step, { ...step, id: 'b' }] }, 'same attempt'],
    [{ type: 'segment', ...order, segment: 's', steps: Array(300).fill(step) }, 'at most 256'],
    [{ type: 'hold', run: 'r1' }, 'hold.fence: expected an integer, it is missing'],
    [{ type: 'power', ...order, action: 'explode' }, 'one of reboot, poweroff'],
  ])('service: %#', (message, reason) => {
    expect(parseServiceMessage(JSON.stringify(message))).toEqual({ ok: false, error: expect.stringContaining(reason) });
  });
});

describe('hostile input', () => {
  const never = (text: string): void => {
    for (const parse of [parseAgentMessage, parseServiceMessage]) {
      const parsed = parse(text);
      expect(parsed.ok ? typeof parsed.value.type : typeof parsed.error).toBe('string');
    }
  };
  test('any text gives a verdict', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), never), { numRuns: 300 });
  });
  test('any JSON gives a verdict', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => never(JSON.stringify(value))),
      { numRuns: 500 },
    );
  });
  test('a message with any part replaced gives a verdict, and what is accepted stays the same when read again', () => {
    const all = [...agentMessages, ...serviceMessages];
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.nat(), fc.jsonValue({ maxDepth: 3 }), (message, choice, replacement) => {
        const paths = pathsOf(message);
        const text = JSON.stringify(replaced(message, paths[choice % paths.length]!, replacement));
        never(text);
        for (const parse of [parseAgentMessage, parseServiceMessage]) {
          const first = parse(text);
          if (first.ok) expect(parse(encodeMessage(first.value))).toEqual(first);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

type Path = ReadonlyArray<string | number>;
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}
function replaced(value: unknown, path: Path, replacement: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  const copy: Record<string, unknown> = Array.isArray(value) ? ([...value] as never) : { ...(value as object) };
  copy[key] = replaced(copy[key], rest, replacement);
  return copy;
}

describe('versions', () => {
  test.each([
    [{ min: 1, max: 1 }, { min: 1, max: 1 }, 1],
    [{ min: 1, max: 4 }, { min: 2, max: 3 }, 3],
    [{ min: 3, max: 5 }, { min: 1, max: 3 }, 3],
  ])('%j and %j speak %i', (agent, service, version) => {
    expect(negotiateProtocol(agent, service)).toEqual({ ok: true, value: version });
  });
  test.each([
    [{ min: 1, max: 1 }, { min: 2, max: 3 }, 'the ramdisk is too old'],
    [{ min: 4, max: 5 }, { min: 2, max: 3 }, 'the service is too old'],
  ])('%j and %j do not meet', (agent, service, reason) => {
    expect(negotiateProtocol(agent, service)).toEqual({ ok: false, error: expect.stringContaining(reason) });
  });
});

describe('step arguments', () => {
  const image = {
    baseUrl: 'http://10.0.0.1:80/depot',
    exitId: 'x',
    token: 't',
    sizeBytes: 1,
    mapSha256: 'a'.repeat(64),
  };
  test('are taken as they are documented', () => {
    const args = { image, rootDeviceHints: { size: '>= 4', rotational: false } };
    expect(parseStepArgs('write_image', args)).toEqual({ ok: true, value: args });
    const drive = {
      configDrive: { metaData: { uuid: 'u' }, networkData: null, vendorData: 'text', userDataBase64: 'AAAA' },
    };
    expect(parseStepArgs('configdrive', drive)).toEqual({ ok: true, value: drive });
  });
  test.each([
    [{ image: { ...image, baseUrl: 'file:///etc' } }, 'image.baseUrl: expected an http:// URL'],
    [{ image: { ...image, mapSha256: 'A'.repeat(64) } }, 'image.mapSha256'],
    [{ image: { ...image, sizeBytes: 0 } }, 'image.sizeBytes'],
    [{ image, rootDeviceHints: { size: {} } }, 'rootDeviceHints.size'],
    [{}, 'write_image args.image'],
  ])('%j is refused', (args, reason) => {
    expect(parseStepArgs('write_image', args)).toEqual({ ok: false, error: expect.stringContaining(reason) });
  });
});
