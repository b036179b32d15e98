/**
 * The messages between the ramdisk's agent and the service: JSON texts on one WebSocket that the agent opens.
 *
 * Acknowledged and not: `event` of kind started, done and failed, and `segmentDone`, are *kept*: they carry `seq` 1, 2, 3...
 * without gaps for the life of a boot, the agent holds them until an `ack` covers them and sends them again, in order, after
 * each `welcome`. Events of kind progress and log carry `seq` 0: they are never acknowledged and may be lost.
 *
 * Orders (`segment`, `hold`, `continue`, `retry`, `cancel`, `power`) name run and fence. The agent refuses a fence lower than
 * the highest it has seen, and adopts a higher one. It answers `segment` and `query` with `state`, or with `refuse`.
 */
import type { JsonObject } from './check.ts';
import type { Inventory } from './inventory.ts';
import type { DiskIdentity } from './steps.ts';

/** Versions of this protocol that this code speaks. */
export const PROTOCOL_VERSIONS = { min: 1, max: 1 } as const;

export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/** What may happen to a step whose outcome is unknown: repeat it, ask the operator, or never repeat it. */
export type OnRepeat = 'safe' | 'ask' | 'never';

export type SegmentState = 'idle' | 'running' | 'held' | 'failed' | 'done' | 'cancelled';
export type StepState = 'pending' | 'running' | 'done' | 'failed';

/** One attempt of a step as the agent remembers it. */
export interface StepRecord {
  readonly step: string;
  readonly attempt: string;
  readonly state: StepState;
  /** The `done` event's data. */
  readonly result?: JsonObject;
  /** The `failed` event's data. */
  readonly error?: StepError;
}

export interface StepError {
  /** A stable code of `STEP_ERROR_CODES`, for programs. */
  readonly code: string;
  /** One sentence that says what was wrong, where, and what to do. */
  readonly message: string;
  /** The disk that the run had chosen by then: a later boot of the run takes that one or none. */
  readonly disk?: DiskIdentity;
}

/** What the agent remembers of its work: the truth about the segment it holds. Lost only with the agent's process. */
export interface AgentJournal {
  readonly state: SegmentState;
  readonly run?: string;
  readonly fence?: number;
  readonly segment?: string;
  /** The highest `seq` given out; 0 when none. */
  readonly lastSeq: number;
  /** The highest `seq` that was acknowledged. */
  readonly ackedSeq: number;
  /** Steps of the segment in order, each with its last attempt. */
  readonly steps: readonly StepRecord[];
}

// ---- agent -> service

export interface HelloMessage {
  readonly type: 'hello';
  readonly protocol: VersionRange;
  /**
   * The token of this boot, from the kernel command line. Sent again, with the same bootId, when the `welcome` with the key was lost:
   * the service accepts a token again from the bootId that used it first, until that key was used.
   */
  readonly token?: string;
  /** The session key of an earlier `welcome`. Exactly one of token and key is there. */
  readonly key?: string;
  /** Linux's boot id: the same for all connections of one boot. */
  readonly bootId: string;
  readonly agentVersion: string;
  readonly inventory: Inventory;
  readonly journal: AgentJournal;
  /** Names of the steps this agent can do. */
  readonly steps: readonly string[];
}

export interface Progress {
  /** What is being done within the step, such as `checking`, `zeroing`, `writing`, `flushing`. */
  readonly phase: string;
  readonly bytes: number;
  readonly totalBytes: number;
  /** Bytes per second over the last interval. */
  readonly ratePerSecond: number;
  /** Resident memory of the agent's process. */
  readonly rssBytes?: number;
}

export interface LogLine {
  /** Milliseconds since the epoch by the machine's clock, which may be wrong. */
  readonly atMs: number;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
}

interface StepEvent {
  readonly type: 'event';
  readonly seq: number;
  readonly run: string;
  readonly segment: string;
  readonly step: string;
  readonly attempt: string;
}
export interface StartedData {
  /** The name of the step. */
  readonly name?: string;
  /**
   * Said a second time, when the step has chosen the disk of the run and before it writes to it: a later boot takes that one or
   * none, also when this one ends without another word.
   */
  readonly disk?: DiskIdentity;
}
export interface StartedEvent extends StepEvent {
  readonly kind: 'started';
  readonly data: StartedData;
}
export interface ProgressEvent extends StepEvent {
  readonly kind: 'progress';
  readonly data: Progress;
}
export interface LogEvent extends StepEvent {
  readonly kind: 'log';
  /** `dropped` lines were lost before these because the ring was full. */
  readonly data: { readonly lines: readonly LogLine[]; readonly dropped: number };
}
export interface DoneEvent extends StepEvent {
  readonly kind: 'done';
  /** The step's result, see steps.ts. */
  readonly data: JsonObject;
}
export interface FailedEvent extends StepEvent {
  readonly kind: 'failed';
  readonly data: StepError;
}
export type EventMessage = StartedEvent | ProgressEvent | LogEvent | DoneEvent | FailedEvent;

/** All steps are done, or the segment was cancelled. A failed step sends none: the segment waits for retry or cancel. */
export interface SegmentDoneMessage {
  readonly type: 'segmentDone';
  readonly seq: number;
  readonly run: string;
  readonly segment: string;
  readonly outcome: 'done' | 'cancelled';
}

/** The answer to `segment` and `query`. */
export interface StateMessage {
  readonly type: 'state';
  readonly journal: AgentJournal;
}

/** An order that was not followed. Codes: OLD_FENCE, OTHER_RUN, BUSY, NO_SUCH_SEGMENT, NO_SUCH_STEP, BAD_ORDER, SHELL_DISABLED, BAD_MESSAGE. */
export interface RefuseMessage {
  readonly type: 'refuse';
  readonly of: string;
  readonly run?: string;
  readonly fence?: number;
  readonly code: string;
  readonly message: string;
}

/** Either side asks, the other answers with `pong` at once. */
export interface PingMessage {
  readonly type: 'ping';
}
export interface PongMessage {
  readonly type: 'pong';
}

export type AgentMessage =
  | HelloMessage
  | EventMessage
  | SegmentDoneMessage
  | StateMessage
  | RefuseMessage
  | PingMessage
  | PongMessage;

/** Agent messages that are held until acknowledged. */
export type KeptMessage = StartedEvent | DoneEvent | FailedEvent | SegmentDoneMessage;

// ---- service -> agent

export interface WelcomeMessage {
  readonly type: 'welcome';
  /** The version both speak from here on. */
  readonly protocol: number;
  /** The session key: what the agent proves itself with from now on. */
  readonly key: string;
  readonly node: { readonly uuid: string; readonly name?: string };
  /** The highest `seq` of this bootId that is stored: counts as an `ack`; an agent that knows less goes on counting after it. */
  readonly lastSeq: number;
}

/** The hello was not accepted and the connection ends. With `retry` the agent may come again after its back-off. */
export interface RefusedMessage {
  readonly type: 'refused';
  readonly reason: string;
  readonly retry: boolean;
}

export interface SegmentStep {
  /** Unique in the segment. */
  readonly id: string;
  /** A name of `AGENT_STEPS`. */
  readonly name: string;
  readonly interface: string;
  readonly args: JsonObject;
  /** Stored before it is sent; an attempt that the agent knows is answered with its state and not repeated. */
  readonly attempt: string;
  readonly onRepeat: OnRepeat;
}

/** What an order is about. */
export interface OrderTarget {
  readonly run: string;
  readonly fence: number;
}

/** Work. Sent again for a segment that the agent has, it adopts the fence and gets `state`; attempts that are new are begun. */
export interface SegmentMessage extends OrderTarget {
  readonly type: 'segment';
  readonly segment: string;
  readonly steps: readonly SegmentStep[];
}

/** Everything up to and including `seq` is stored. */
export interface AckMessage {
  readonly type: 'ack';
  readonly seq: number;
}
/** Begin no further step (the running one goes on). */
export interface HoldMessage extends OrderTarget {
  readonly type: 'hold';
}
export interface ContinueMessage extends OrderTarget {
  readonly type: 'continue';
}
/** Do the failed step again under a new attempt id, then go on. */
export interface RetryMessage extends OrderTarget {
  readonly type: 'retry';
  readonly step: string;
  readonly attempt: string;
}
/** Stop the running step as soon as it can; its event is `failed` with code CANCELLED, then `segmentDone` with outcome cancelled. */
export interface CancelMessage extends OrderTarget {
  readonly type: 'cancel';
}
/** The last order of a boot. Refused while a step runs. */
export interface PowerMessage extends OrderTarget {
  readonly type: 'power';
  readonly action: 'reboot' | 'poweroff';
}
/** Asks for `state`. */
export interface QueryMessage {
  readonly type: 'query';
}
/** A shell for an operator: refused unless the kernel command line enables it. */
export interface ShellMessage {
  readonly type: 'shell';
}

export type ServiceMessage =
  | WelcomeMessage
  | RefusedMessage
  | SegmentMessage
  | AckMessage
  | HoldMessage
  | ContinueMessage
  | RetryMessage
  | CancelMessage
  | PowerMessage
  | QueryMessage
  | ShellMessage
  | PingMessage
  | PongMessage;

/** True for messages that carry a `seq` above 0 and are held until acknowledged. */
export function isKept(message: AgentMessage): message is KeptMessage {
  return (
    message.type === 'segmentDone' ||
    (message.type === 'event' && message.kind !== 'progress' && message.kind !== 'log')
  );
}
