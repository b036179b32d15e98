/** Work on a node is a run: rows that say what is to be done, how far it is, and what it waits for. */
import type { InterfaceKind } from './resources.ts';
import type { NodeId, RunId, SessionId } from './ids.ts';
import type { Json, JsonObject } from './json.ts';
import type { ProvisionEvent } from './provision-states.ts';

/** What may be done when a step is met again and nobody knows whether it was finished. */
export type OnRepeat = 'safe' | 'ask' | 'never';

/** One step, as data. */
export interface Step {
  readonly interface: InterfaceKind;
  readonly step: string;
  readonly priority: number;
  readonly args: JsonObject;
  readonly inBand: boolean;
  readonly onRepeat: OnRepeat;
  readonly abortable: boolean;
  /** Version of the step's arguments, so that a later release goes on with the runs of this one. */
  readonly v: number;
  /**
   * `driver`: the node's implementation of `interface` does it; `children`: it is done on the child nodes. Absent: a step of the
   * conductor's, or the agent's, own.
   */
  readonly source?: 'driver' | 'children';
}

/** Steps done by one party, in order. An agent's segment is fixed after `hello`. */
export interface Segment {
  readonly party: 'conductor' | 'agent';
  readonly steps: readonly Step[];
}

/** Where a run is: the step that is next or under way, and the attempt stored before it was dispatched. */
export interface Cursor {
  readonly segment: number;
  readonly step: number;
  readonly attempt: AttemptRecord | null;
}

export interface AttemptRecord {
  readonly id: string;
  readonly startedAt: number;
  /** How often this step has been tried, this time included. */
  readonly number: number;
}

/** What a run waits for. Shown by `node why`. Times are ms since the epoch. */
export interface WaitingFor {
  /** A fixed name such as `boot`, `agent`, `power`, `image`, `queue`, `ssh`, `configure`, `lease`. */
  readonly what: string;
  /** From whom: a BMC's address, the agent, the depot, another node's run ... */
  readonly from: string;
  readonly since: number;
  /** When it counts as failed, and what then happens is `onDeadline`. */
  readonly until: number;
  /** What an operator can do or look at. */
  readonly hint: string;
  /** Position in a queue, 1 is next; null when it is no queue. */
  readonly position: number | null;
}

/** Coalesced progress of the current step; the last value is kept on the run, none of them is an event. */
export interface Progress {
  readonly phase: string;
  readonly bytes: number | null;
  readonly totalBytes: number | null;
  readonly bytesPerSecond: number | null;
  readonly at: number;
}

export type RunState = 'queued' | 'running' | 'done' | 'failed' | 'aborted';

export interface Run {
  readonly id: RunId;
  readonly nodeUuid: NodeId;
  /** The event of the state machine that started it (`deploy`, `delete`, `provide`, ...), or `power` / `configure`. */
  readonly verb: ProvisionEvent | 'power' | 'configure';
  readonly state: RunState;
  /** What the request brought along: config drive reference, steps, image, playbook. Secrets are ciphertext at rest. */
  readonly input: JsonObject;
  readonly segments: readonly Segment[];
  readonly cursor: Cursor;
  /** What steps left for later ones: addresses, host keys, image ids. */
  readonly notes: JsonObject;
  readonly owner: SessionId | null;
  readonly fence: number;
  /** The whole run's deadline, ms since the epoch. */
  readonly deadline: number;
  readonly waitingFor: WaitingFor | null;
  readonly progress: Progress | null;
  readonly error: string | null;
  readonly requestId: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly finishedAt: number | null;
}

/** What every handler and every step answers. None awaits longer than one bounded call. */
export type Outcome =
  | { readonly kind: 'done'; readonly result?: Json }
  | { readonly kind: 'wait'; readonly for: Omit<WaitingFor, 'since' | 'position'> & { readonly position?: number } }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'retry'; readonly afterMs: number; readonly reason: string };

/** Ranks that order steps of equal priority (Ironic's interface priorities; the higher runs first). */
export const INTERFACE_RANK: Readonly<Record<InterfaceKind, number>> = {
  vendor: 7,
  power: 6,
  management: 5,
  firmware: 4,
  deploy: 3,
  bios: 2,
  raid: 1,
  network: 0,
  boot: 0,
  console: 0,
  inspect: 0,
  rescue: 0,
  storage: 0,
};
