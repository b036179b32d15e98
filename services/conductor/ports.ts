/** The outside parties of a conductor, as it sees them. The composition root adapts depot, executor and network to these. */
import type { JsonObject, Progress } from '@bessemer/core';
import type { ImageReference } from '@bessemer/agent-protocol';
import type { ExpectedDigest } from '@bessemer/image-format';

/** What an operator asked to be written. */
export interface ImageRequest {
  /** http(s) or file URL. */
  readonly source: string;
  /** `image_disk_format`: raw, qcow2 ...; null lets the depot look. */
  readonly diskFormat: string | null;
  /** The digest of the source, as the operator told it. */
  readonly checksum: ExpectedDigest;
}

/** An image in the depot, checked and converted. */
export interface ReadyImage {
  readonly imageId: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly mapSha256: string;
}

/** A way for one run to read one image. */
export interface ExitRequest {
  readonly imageId: string;
  readonly runId: string;
}

/** The figures of an exit that was closed. */
export interface ExitStats {
  /** Bytes of image data that left through the exit, repeats included. */
  readonly servedBytes: number;
}

/** The image store. */
export interface ImageDepot {
  /**
   * Fetches, checks and converts the image, or finds it. A repeat joins the work under way. `onProgress` may be called often;
   * the signal ends this caller's wait.
   * @throws Error whose message says what is wrong with the image (digest, format, not reachable).
   */
  ensure(
    request: ImageRequest,
    options: { readonly signal: AbortSignal; readonly onProgress: (progress: Progress) => void },
  ): Promise<ReadyImage>;
  /**
   * A small file from an http(s) URL, under the rules for the sources of images. The signal ends it.
   * @throws Error whose message says what is wrong with the file (larger than `maxBytes`, not there, not reachable) and where; of
   * the URL it holds neither credentials nor query.
   */
  read(href: URL, options: { readonly maxBytes: number; readonly signal: AbortSignal }): Promise<Uint8Array>;
  /** Opens the exit, or finds it open. The same request gives the same reference, after a restart too. */
  openExit(exit: ExitRequest): Promise<ImageReference>;
  /** Closes an exit and gives its figures; undefined for one that is not known. */
  closeExit(exitId: string): Promise<ExitStats | undefined>;
}

/** A play on one deployed node. */
export interface ConfigurePlay {
  /** A repeat with the same id joins the play that runs, or gets its result. */
  readonly requestId: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** `ssh-ed25519 AAAA...`: the only host key that is accepted. */
  readonly hostKey: string;
  /** The playbook's text. */
  readonly playbook: string;
  readonly variables: JsonObject;
  /** `ConfigureResult.resume` of an earlier run of this play: goes on at the task that failed. */
  readonly resume: JsonObject | null;
}

export interface ConfigureTaskEvent {
  /** Index of the task in the play. */
  readonly task: number;
  readonly name: string;
  readonly outcome: 'ok' | 'changed' | 'skipped' | 'failed';
}

export interface ConfigureResult {
  readonly ok: number;
  readonly changed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Null when the play ended well; else one sentence that names the task and what it said. */
  readonly error: string | null;
  readonly resume: JsonObject | null;
}

/** Runs plays: the executor. */
export interface Configurer {
  /** One line of authorized_keys form: what a deployed node must accept. */
  servicePublicKey(): Promise<string>;
  /** Compiles a playbook without a target. @throws Error whose message says what is wrong and where. */
  check(playbook: string): Promise<{ readonly tasks: number }>;
  /** Runs the play to its end, telling each task as it ends. Never throws for what happens on the way: that is `error`. */
  run(play: ConfigurePlay, onTask: (event: ConfigureTaskEvent) => void, signal: AbortSignal): Promise<ConfigureResult>;
}

/** Looks whether something answers as an SSH server does. */
export interface SshProbe {
  /** True when `address:port` sends an SSH banner within a bounded time of a few seconds. Never throws. */
  answers(address: string, port: number): Promise<boolean>;
}
