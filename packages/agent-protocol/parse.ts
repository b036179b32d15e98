/** Text to message and back. */
import {
  checked,
  identifier,
  integer,
  jsonObject,
  list,
  number,
  object,
  oneOf,
  optional,
  boolean,
  parseJson,
  text,
  CheckError,
  type Check,
  type Result,
} from './check.ts';
import { checkInventory } from './inventory.ts';
import { checkDiskIdentity } from './steps.ts';
import type {
  AgentJournal,
  AgentMessage,
  EventMessage,
  HelloMessage,
  LogEvent,
  LogLine,
  OrderTarget,
  Progress,
  SegmentStep,
  ServiceMessage,
  StartedData,
  StepError,
  StepRecord,
  VersionRange,
  WelcomeMessage,
} from './messages.ts';

const MAX_SEGMENT_STEPS = 256;
const MAX_LOG_LINES = 1000;
const MAX_LOG_LINE_LENGTH = 4096;

const sequence = integer(0);
const fence = integer(0);
const secret = text(1024, 16);
const sentence = text(8192);

const versions: Check<VersionRange> = (value, path) => {
  const range = object<VersionRange>({ min: integer(1, 1000), max: integer(1, 1000) })(value, path);
  if (range.min > range.max) throw new CheckError(`${path}: min is above max`);
  return range;
};

const stepError: Check<StepError> = object<StepError>({
  code: identifier,
  message: sentence,
  disk: optional(checkDiskIdentity),
});

const journal: Check<AgentJournal> = object<AgentJournal>({
  state: oneOf('idle', 'running', 'held', 'failed', 'done', 'cancelled'),
  run: optional(identifier),
  fence: optional(fence),
  segment: optional(identifier),
  lastSeq: sequence,
  ackedSeq: sequence,
  steps: list(
    object<StepRecord>({
      step: identifier,
      attempt: identifier,
      state: oneOf('pending', 'running', 'done', 'failed'),
      result: optional(jsonObject),
      error: optional(stepError),
    }),
    MAX_SEGMENT_STEPS,
  ),
});

const hello: Check<HelloMessage> = (value, path) => {
  const message = object<HelloMessage>({
    type: oneOf('hello'),
    protocol: versions,
    token: optional(secret),
    key: optional(secret),
    bootId: identifier,
    agentVersion: text(64, 1),
    inventory: checkInventory,
    journal,
    steps: list(identifier, MAX_SEGMENT_STEPS),
  })(value, path);
  if ((message.token === undefined) === (message.key === undefined))
    throw new CheckError(`${path}: exactly one of token and key must be there`);
  return message;
};

const progress: Check<Progress> = object<Progress>({
  phase: text(64, 1),
  bytes: integer(0),
  totalBytes: integer(0),
  ratePerSecond: number,
  rssBytes: optional(integer(0)),
});

const logData: Check<LogEvent['data']> = object<LogEvent['data']>({
  lines: list(
    object<LogLine>({
      atMs: number,
      level: oneOf('debug', 'info', 'warn', 'error'),
      message: text(MAX_LOG_LINE_LENGTH),
    }),
    MAX_LOG_LINES,
  ),
  dropped: integer(0),
});

const EVENT_DATA: Record<EventMessage['kind'], Check<EventMessage['data']>> = {
  started: object<StartedData>({ name: optional(text(256)), disk: optional(checkDiskIdentity) }),
  progress,
  log: logData,
  done: jsonObject,
  failed: stepError,
};

const event: Check<EventMessage> = (value, path) => {
  const head = object<Omit<EventMessage, 'data'>>({
    type: oneOf('event'),
    seq: sequence,
    run: identifier,
    segment: identifier,
    step: identifier,
    attempt: identifier,
    kind: oneOf('started', 'progress', 'log', 'done', 'failed'),
  })(value, path);
  const kept = head.kind !== 'progress' && head.kind !== 'log';
  if (kept !== head.seq > 0) throw new CheckError(`${path}.seq: must be ${kept ? 'above 0' : '0'} for ${head.kind}`);
  const data = EVENT_DATA[head.kind](jsonObject(value, path)['data'], `${path}.data`);
  return { ...head, data } as EventMessage;
};

type Checks<M extends { type: string }> = { readonly [T in M['type']]: Check<Extract<M, { type: T }>> };

const AGENT_CHECKS: Checks<AgentMessage> = {
  hello,
  event,
  segmentDone: object({
    type: oneOf('segmentDone'),
    seq: integer(1),
    run: identifier,
    segment: identifier,
    outcome: oneOf('done', 'cancelled'),
  }),
  state: object({ type: oneOf('state'), journal }),
  refuse: object({
    type: oneOf('refuse'),
    of: text(64),
    run: optional(identifier),
    fence: optional(fence),
    code: identifier,
    message: sentence,
  }),
  ping: object({ type: oneOf('ping') }),
  pong: object({ type: oneOf('pong') }),
};

const steps = list(
  object<SegmentStep>({
    id: identifier,
    name: identifier,
    interface: identifier,
    args: jsonObject,
    attempt: identifier,
    onRepeat: oneOf('safe', 'ask', 'never'),
  }),
  MAX_SEGMENT_STEPS,
);

const order = { run: identifier, fence } satisfies Record<keyof OrderTarget, unknown>;

const SERVICE_CHECKS: Checks<ServiceMessage> = {
  welcome: object<WelcomeMessage>({
    type: oneOf('welcome'),
    protocol: integer(1, 1000),
    key: secret,
    node: object<WelcomeMessage['node']>({ uuid: identifier, name: optional(text(255)) }),
    lastSeq: sequence,
  }),
  refused: object({ type: oneOf('refused'), reason: sentence, retry: boolean }),
  segment: (value, path) => {
    const message = object<Extract<ServiceMessage, { type: 'segment' }>>({
      type: oneOf('segment'),
      ...order,
      segment: identifier,
      steps,
    })(value, path);
    for (const key of ['id', 'attempt'] as const)
      if (new Set(message.steps.map((s) => s[key])).size !== message.steps.length)
        throw new CheckError(`${path}.steps: two steps have the same ${key}`);
    return message;
  },
  ack: object({ type: oneOf('ack'), seq: sequence }),
  hold: object({ type: oneOf('hold'), ...order }),
  continue: object({ type: oneOf('continue'), ...order }),
  retry: object({ type: oneOf('retry'), ...order, step: identifier, attempt: identifier }),
  cancel: object({ type: oneOf('cancel'), ...order }),
  power: object({ type: oneOf('power'), ...order, action: oneOf('reboot', 'poweroff') }),
  query: object({ type: oneOf('query') }),
  shell: object({ type: oneOf('shell') }),
  ping: object({ type: oneOf('ping') }),
  pong: object({ type: oneOf('pong') }),
};

function parse<M>(checks: Record<string, Check<unknown>>, source: string): Result<M> {
  const json = parseJson(source);
  if (!json.ok) return json;
  const head = checked(object<{ type: string }>({ type: text(64) }), json.value, 'message');
  if (!head.ok) return head;
  const { type } = head.value;
  if (!Object.hasOwn(checks, type))
    return {
      ok: false,
      error: `message.type: ${JSON.stringify(type)} is not one of ${Object.keys(checks).join(', ')}`,
    };
  return checked(checks[type] as Check<M>, json.value, type);
}

/** Parses a text from an agent. Unknown fields are dropped; the error says which field was wrong. */
export function parseAgentMessage(source: string): Result<AgentMessage> {
  return parse(AGENT_CHECKS, source);
}

/** Parses a text from the service. */
export function parseServiceMessage(source: string): Result<ServiceMessage> {
  return parse(SERVICE_CHECKS, source);
}

/** The text of a message. */
export function encodeMessage(message: AgentMessage | ServiceMessage): string {
  return JSON.stringify(message);
}

/** The highest version that both speak. The error says what to replace. */
export function negotiateProtocol(agent: VersionRange, service: VersionRange): Result<number> {
  const version = Math.min(agent.max, service.max);
  if (version >= agent.min && version >= service.min) return { ok: true, value: version };
  const older =
    agent.max < service.min
      ? 'the ramdisk is too old for this service: rebuild it'
      : 'the service is too old for this ramdisk';
  return {
    ok: false,
    error: `no common protocol version: agent ${agent.min}-${agent.max}, service ${service.min}-${service.max}; ${older}`,
  };
}
