/** What callers ask of the executor and what they get: shared by the in-process executor, the manager and its clients. */
import type { ExecutorErrorBody } from './errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** How to become another account on the target. `user` is the account when a play says `become: true` and names none. */
export interface Become {
  readonly method: 'sudo';
  readonly user?: string;
  /** For sudo's prompt; without it sudo runs with `-n`. */
  readonly password?: string;
  /** Become `user` in every play that does not say otherwise. */
  readonly always?: boolean;
}

export interface SshTarget {
  readonly transport: 'ssh';
  readonly address: string;
  /** Default 22. */
  readonly port?: number;
  readonly user: string;
  /** A private key without passphrase: a file of the controller, or the key's own text. */
  readonly privateKey: { readonly path: string } | { readonly pem: string };
  /** The one host key that is accepted: `ssh-ed25519 AAAA...`, as in known_hosts. */
  readonly knownHostKey: string;
  readonly become?: Become;
  /** Python on the target. Default /usr/bin/python3, else the python3 of the login's PATH. */
  readonly python?: string;
}

/** The controller's own machine, under the executor's own account. */
export interface LocalTarget {
  readonly transport: 'local';
  readonly become?: Become;
  readonly python?: string;
}

export type Target = SshTarget | LocalTarget;

export interface Play {
  /** YAML: a playbook (a list of plays) or a plain list of tasks. */
  readonly text: string;
  /** Named in messages. Default `playbook.yml`. */
  readonly file?: string;
  /** Files for `copy: src=`, by the path the playbook uses; base64. */
  readonly files?: { readonly [path: string]: string };
  /** A folder of the controller below which `copy: src=` may read. Nothing outside it is read. */
  readonly filesRoot?: string;
}

export interface PlayRequest {
  /** A repeat of a request with the same id gets the first one's events and result, also while it runs. */
  readonly requestId: string;
  readonly target: Target;
  readonly play: Play;
  /** The strongest variables; taken literally, never as templates. */
  readonly vars?: JsonObject;
  /** Report what would change and change nothing (Ansible's check mode). */
  readonly check?: boolean;
  /** Goes on where an earlier run of the same play failed: `PlayResult.resume`. */
  readonly resume?: Resume;
  readonly connectTimeoutMs?: number;
  readonly taskTimeoutMs?: number;
  readonly playTimeoutMs?: number;
}

export interface Resume {
  /** Index of the first task to run. Fact gathering before it is run again. */
  readonly startAt: number;
  /** Registered results and set facts of the tasks before it. */
  readonly registered?: JsonObject;
}

export type TaskStatus = 'ok' | 'changed' | 'failed' | 'skipped';

export interface TaskSummary {
  readonly index: number;
  readonly name: string;
  readonly module: string;
  readonly line: number;
}

export type PlayEvent =
  /** The play waits: for another user of the connection, or for a free place. */
  | { readonly type: 'waiting'; readonly for: 'connection'; readonly position: number }
  | {
      readonly type: 'connected';
      readonly reused: boolean;
      /** SHA256:... of the host key, as ssh prints it; absent for `local`. */
      readonly hostKeyFingerprint?: string;
      readonly python: string;
      readonly elapsedMs: number;
    }
  | { readonly type: 'task-started'; readonly task: TaskSummary; readonly total: number }
  | {
      readonly type: 'item';
      readonly task: TaskSummary;
      readonly item: Json;
      readonly position: number;
      readonly status: TaskStatus;
      readonly result: JsonObject;
      readonly elapsedMs: number;
    }
  | {
      readonly type: 'task';
      readonly task: TaskSummary;
      readonly status: TaskStatus | 'unreachable';
      /** Failed, and `ignore_errors` let the play go on. */
      readonly ignored: boolean;
      readonly result: JsonObject;
      readonly elapsedMs: number;
    }
  | { readonly type: 'recap'; readonly recap: Recap };

export interface Recap {
  readonly ok: number;
  readonly changed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly ignored: number;
  readonly unreachable: number;
  readonly durationMs: number;
  /** On the channel to the target: code, play and files up, results down (before ssh's own framing). */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

export interface PlayResult {
  readonly status: 'ok' | 'failed';
  readonly recap: Recap;
  readonly error?: ExecutorErrorBody;
  readonly failedTask?: TaskSummary;
  /** Give it back as `PlayRequest.resume` to go on at the failed task. */
  readonly resume?: Resume;
}

/** A running play: its events in order, from the first one for every reader, and its result. */
export interface PlayRun extends AsyncIterable<PlayEvent> {
  /** Never rejects for what happened to the play: failures are in `error`. Rejects when the request itself got no run. */
  readonly result: Promise<PlayResult>;
  /** Ends the running task and the play. */
  cancel(): void;
}

export interface ConnectionInfo {
  readonly id: string;
  readonly transport: Target['transport'];
  /** `user@address:port`, or `local`. */
  readonly target: string;
  readonly state: 'opening' | 'idle' | 'busy';
  readonly waiting: number;
  readonly plays: number;
  readonly openedAtMs: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

export interface ConnectionStacks {
  readonly id: string;
  readonly target: string;
  /** Python stacks: of the runtime, its running task and the runtimes of other accounts; or why there is none. */
  readonly stacks: JsonObject;
}

/** A playbook that compiles. */
export interface CheckedPlay {
  readonly tasks: readonly TaskSummary[];
}

export interface ManagerInfo {
  readonly pid: number;
  readonly protocol: number;
  readonly ansibleVersion: string;
  readonly connections: number;
}

/** The executor as its callers see it, whether it is in this process or behind a socket. */
export interface Executor {
  runPlay(request: PlayRequest, options?: { readonly signal?: AbortSignal }): PlayRun;
  /** Compiles without connecting. Rejects with PLAY_INVALID or MODULE_NOT_FOUND, naming file and line. */
  checkPlay(play: Play): Promise<CheckedPlay>;
  ping(): Promise<ManagerInfo>;
  list(): Promise<readonly ConnectionInfo[]>;
  /** What every connection's interpreters are doing this moment. */
  stacks(): Promise<readonly ConnectionStacks[]>;
  /** Closes one idle connection, or all of them. Gives how many were closed. */
  closeConnections(id?: string): Promise<number>;
  /** Ends the client, or the in-process executor with its connections. */
  close(): Promise<void>;
}
