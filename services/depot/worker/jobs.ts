import type { DigestAlgorithm, SectorSizeBytes } from '@bessemer/image-format';

/** The digest of everything that descriptor `fd` reads, from its start. */
export interface DigestJob {
  readonly kind: 'digest';
  readonly fd: number;
  readonly algorithm: DigestAlgorithm;
}

/** Inflates a gzip file to `target`, with holes for zeroes. Error code EFBIG above `maxBytes`. */
export interface InflateJob {
  readonly kind: 'inflate';
  readonly fd: number;
  readonly target: string;
  readonly maxBytes: number;
}

/**
 * Makes the block map of raw image `fd` and writes it as JSON to `mapPath`, and where its extents are to `indexPath`. With
 * `copyTo` the used parts are written there as well. All of it is flushed to the disk, the image's file too.
 */
export interface MapJob {
  readonly kind: 'map';
  readonly fd: number;
  readonly mapPath: string;
  readonly indexPath: string;
  readonly copyTo: string | null;
  readonly maxBytes: number;
}

export type WorkerJob = DigestJob | InflateJob | MapJob;

export interface MapSummary {
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly mapSha256: string;
  readonly sectorSizeBytes: SectorSizeBytes;
}

export interface WorkerResult {
  readonly digest: { readonly hex: string; readonly bytes: number };
  readonly inflate: { readonly bytes: number };
  readonly map: MapSummary;
}

/** `bytes` of progress are bytes read from the job's descriptor. */
export type WorkerMessage =
  | { readonly kind: 'progress'; readonly bytes: number }
  | { readonly kind: 'done'; readonly result: WorkerResult[WorkerJob['kind']] }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string };
