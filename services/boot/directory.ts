/** How boot reaches the database: types only. The composition root gives an implementation; `testing.ts` has one in memory. */
import type { JsonObject } from '@bessemer/core';

/** What a machine says of itself when it fetches its script. `mac` is lower case with colons; the rest only if it said so. */
export interface MachineIdentity {
  readonly mac: string;
  readonly uuid?: string;
  readonly serial?: string;
}

/** What a machine that asks for its script is to do. */
export type BootAnswer =
  /** No port has this MAC (nor a node this UUID or serial, if the implementation looks at them). */
  | { readonly kind: 'unknown' }
  /** No run of the node waits for a boot: it goes to its disk. `reason` is for people. */
  | { readonly kind: 'local'; readonly nodeUuid: string; readonly reason: string }
  /** A run of the node waits for this boot. `kernel` and `initrd` are paths below the artefact folder. */
  | {
      readonly kind: 'ramdisk';
      readonly nodeUuid: string;
      readonly runId: string;
      readonly kernel: string;
      readonly initrd: string;
    };

export interface UnknownSighting {
  readonly mac: string;
  readonly uuid: string | null;
  readonly serial: string | null;
  readonly arch: string | null;
  readonly platform: string | null;
  readonly address: string | null;
}

/**
 * One request seen. `data` by type:
 * - `boot.dhcp` {message: discover|offer|request|ack|nak|decline|release|proxy, mac, address?, arch?, stage?: firmware|ipxe}
 * - `boot.tftp` {file, bytes, seconds, outcome, detail?, blockSizeBytes, windowBlocks}
 * - `boot.script` {mac, answer: ramdisk|local|unknown|refused, arch?, platform?, boot?, error?}
 * - `boot.kernel`, `boot.initrd` {file, bytes, seconds, outcome: complete|cut}
 * - `boot.local` {mac, reason}
 */
export interface BootEvent {
  readonly type: 'boot.dhcp' | 'boot.tftp' | 'boot.script' | 'boot.kernel' | 'boot.initrd' | 'boot.local';
  /** Known when the script was, or when the fetch carried the boot's id. */
  readonly nodeUuid?: string;
  readonly runId?: string;
  readonly mac?: string;
  readonly address?: string;
  readonly data: JsonObject;
}

/** Every method may be called at any rate a network can produce: implementations bound what they store. */
export interface BootDirectory {
  /** `ramdisk` only while a run of the node waits for a boot. */
  lookup(machine: MachineIdentity): Promise<BootAnswer>;
  /** A new token of one boot; only its hash is stored. Letters, digits, `-` and `_`. */
  mintToken(boot: { readonly nodeUuid: string; readonly runId: string; readonly mac: string }): Promise<string>;
  recordUnknown(sighting: UnknownSighting): Promise<void>;
  recordBoot(event: BootEvent): Promise<void>;
}
