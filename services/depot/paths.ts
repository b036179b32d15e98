import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** Every place below the data directory. */
export function depotPaths(dataDir: string) {
  const images = join(dataDir, 'images');
  const temporary = join(dataDir, 'tmp');
  return {
    images,
    temporary,
    rows: join(dataDir, 'rows'),
    exitKey: join(dataDir, 'exit-key'),
    image: (imageId: string) => imageFiles(join(images, imageId)),
    /** A download under way, and the same when it is whole. Both outlive a restart. */
    fetching: (key: string) => join(temporary, `fetching-${shortName(key)}`),
    fetched: (key: string) => join(temporary, `fetched-${shortName(key)}`),
    /** A conversion's folder. It does not outlive a restart. */
    job: (id: string) => join(temporary, `job-${id}`),
  };
}
export type DepotPaths = ReturnType<typeof depotPaths>;

export function imageFiles(dir: string) {
  return { dir, disk: join(dir, 'disk.raw'), map: join(dir, 'map.json'), index: join(dir, 'extents.bin') };
}

function shortName(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}

/** Makes renames within a directory outlive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
