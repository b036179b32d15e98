/** What the depot and its callers say to each other. */
import type { SectorSizeBytes } from '@bessemer/image-format';

export interface ImageSource {
  /** `http:`, `https:` or `file:` address. */
  readonly href: string;
  /** Ironic's `image_os_hash_value` or `image_checksum`, in hexadecimal. */
  readonly checksum?: string;
  /** Ironic's `image_os_hash_algo`; without it the length of the checksum tells. */
  readonly checksumAlgorithm?: string;
  /** Ironic's `image_disk_format`. The format is detected; one that differs from this is refused. */
  readonly diskFormat?: string;
}

/** `queue` has a `position`, 1 is next. `fetch` and `verify` count bytes of the source, `convert` and `map` bytes of what is read. */
export interface ImageProgress {
  readonly phase: 'queue' | 'fetch' | 'verify' | 'convert' | 'map';
  readonly bytes: number;
  /** Null as long as nobody knows. */
  readonly totalBytes: number | null;
  /** Bytes per second over the phase. */
  readonly rate: number;
  readonly position?: number;
}

export interface ReadyImage {
  readonly imageId: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly mapSha256: string;
  readonly sectorSizeBytes: SectorSizeBytes;
}

export interface EnsureOptions {
  readonly source: ImageSource;
  /** Ends this caller's wait; the work ends when no caller is left. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ImageProgress) => void;
}

export interface ExitRequest {
  readonly imageId: string;
  readonly deploymentId: string;
  /** Requests from any other address are answered as if there were no such exit. */
  readonly allowAddress?: string;
}

export interface OpenedExit {
  readonly exitId: string;
  /** For `Authorization: Bearer`. Never log it. */
  readonly token: string;
  /** `{baseUrl}/exits/{exitId}/map` and `{baseUrl}/exits/{exitId}/extents?from=&count=`. */
  readonly baseUrl: string;
}

export interface ExitStats {
  /** Bytes of extents handed to the network, uncompressed, repeats included. */
  readonly bytesServed: number;
  readonly requests: number;
}

/** A way for an image to leave the depot. */
export interface ImageExit {
  readonly protocol: 'http';
  /** Offers an image to one deployment. The same request gives the same answer, also after a restart. Throws NOT_FOUND. */
  open(request: ExitRequest): OpenedExit;
  /** The bytes of one extent, as its digest in the block map promises. */
  readExtent(exitId: string, index: number): Promise<Uint8Array>;
  /** Ends the offer and gives its figures. An unknown exit is no error. */
  close(exitId: string): ExitStats | undefined;
}

export interface DepotConfig {
  /** Where images, partial downloads and rows live. */
  readonly dataDir: string;
  /** `file:` sources are read below these folders only, after symbolic links are resolved. */
  readonly allowedRoots: readonly string[];
  /** The store's size: unused images go first, the longest unused before others. */
  readonly maxStoreBytes: number;
  /** Largest source, as downloaded. */
  readonly maxSourceBytes: number;
  /** Largest disk image. */
  readonly maxImageBytes: number;
  /** Verifications and conversions at the same time. */
  readonly maxConversions: number;
  readonly maxFetches: number;
  /** An image is not evicted within this time after its last use. */
  readonly keepUnusedMs: number;
  /** A download without a byte for so long is taken up again. */
  readonly fetchIdleMs: number;
  readonly fetchRetries: number;
  readonly http: {
    readonly address: string;
    /** 0 picks a free one. */
    readonly port: number;
    /** What agents are told; empty: the listening address. */
    readonly baseUrl: string;
    readonly maxRequests: number;
    /** zstd for clients that accept it: pays where the wire is slower than about 150 MB/s. */
    readonly compress: boolean;
  };
}

export const GIB = 1024 ** 3;

/** Defaults for all but the places. */
export const DEPOT_DEFAULTS = {
  maxStoreBytes: 50 * GIB,
  maxSourceBytes: 256 * GIB,
  maxImageBytes: 1024 * GIB,
  maxConversions: 2,
  maxFetches: 4,
  keepUnusedMs: 10 * 60_000,
  fetchIdleMs: 30_000,
  fetchRetries: 5,
} as const satisfies Partial<DepotConfig>;
