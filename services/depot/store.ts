import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SectorSizeBytes } from '@bessemer/image-format';
import type { Log } from '@bessemer/ports';

/** An image in the store. */
export interface ImageRow {
  readonly id: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly mapSha256: string;
  readonly sectorSizeBytes: SectorSizeBytes;
  /** Bytes on the store's disk. */
  readonly storedBytes: number;
  readonly createdMs: number;
  readonly lastUsedMs: number;
}

/** What a source, named by its digest, became. `id` is `{algorithm}-{hex}`. */
export interface SourceRow {
  readonly id: string;
  readonly imageId: string;
  readonly diskFormat: string;
}

/** An offer of an image to one deployment. Its token is derived and stands nowhere. */
export interface ExitRow {
  readonly id: string;
  readonly imageId: string;
  readonly deploymentId: string;
  readonly allowAddress: string | null;
  readonly closed: boolean;
  readonly bytesServed: number;
  readonly requests: number;
  readonly openedMs: number;
}

/** Rows of one kind. Reads come from memory; a write is on its way to the disk when the call returns and survives `kill -9`. */
export interface Rows<Row extends { readonly id: string }> {
  get(id: string): Row | undefined;
  all(): readonly Row[];
  put(row: Row): void;
  remove(id: string): void;
}

export interface ImageStore {
  readonly images: Rows<ImageRow>;
  readonly sources: Rows<SourceRow>;
  readonly exits: Rows<ExitRow>;
}

const ROW_ID = /^[a-z0-9-]{1,160}$/;

/**
 * Rows as small JSON files below `dir`, each replaced as a whole by a rename. A file that cannot be read is named in the log and
 * left out: whatever it spoke of is made again.
 */
export function createFileStore(dir: string, log: Log): ImageStore {
  return {
    images: fileRows<ImageRow>(join(dir, 'images'), log),
    sources: fileRows<SourceRow>(join(dir, 'sources'), log),
    exits: fileRows<ExitRow>(join(dir, 'exits'), log),
  };
}

function fileRows<Row extends { readonly id: string }>(dir: string, log: Log): Rows<Row> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const rows = new Map<string, Row>();
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (!name.endsWith('.json')) {
      rmSync(path, { force: true });
      continue;
    }
    try {
      const row = JSON.parse(readFileSync(path, 'utf8')) as Row;
      if (typeof row !== 'object' || row === null || `${row.id}.json` !== name)
        throw new Error('its id is not its name');
      rows.set(row.id, row);
    } catch (error) {
      log.warn('a row of the image store cannot be read and is left out', { path, error: String(error) });
    }
  }
  return {
    get: (id) => rows.get(id),
    all: () => [...rows.values()],
    put(row) {
      if (!ROW_ID.test(row.id)) throw new Error(`${JSON.stringify(row.id)} cannot be the id of a row`);
      const path = join(dir, `${row.id}.json`);
      // No fsync: a rename outlives the process, and after a power cut of this machine a lost row costs a conversion only.
      writeFileSync(`${path}.tmp`, JSON.stringify(row), { mode: 0o600 });
      renameSync(`${path}.tmp`, path);
      rows.set(row.id, row);
    },
    remove(id) {
      if (!rows.delete(id)) return;
      rmSync(join(dir, `${id}.json`), { force: true });
    },
  };
}
