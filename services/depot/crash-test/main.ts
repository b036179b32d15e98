/**
 * A depot in a process of its own, for tests that kill it. Arguments: one JSON text. Each line of output is one JSON value.
 * `killAt` names a phase, or `image-row` and `source-row` for the writes that end an import: it dies there by SIGKILL.
 */
import { silentLog } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import { join } from 'node:path';
import {
  createDepot,
  createFileStore,
  createProcesses,
  type DepotConfig,
  ImageError,
  type ImageSource,
} from '../index.ts';

export interface Orders {
  readonly config: DepotConfig;
  readonly sources: readonly ImageSource[];
  readonly killAt?: string;
  /** Opens an exit for the first image and stays. */
  readonly serve?: string;
}

const orders = JSON.parse(process.argv[2] ?? '{}') as Orders;
const say = (value: unknown): void => console.log(JSON.stringify(value));
const die = (): void => void process.kill(process.pid, 'SIGKILL');

const store = createFileStore(join(orders.config.dataDir, 'rows'), silentLog);
const deadly = {
  ...store,
  images: {
    ...store.images,
    put: (row: Parameters<typeof store.images.put>[0]) =>
      orders.killAt === 'image-row' ? die() : store.images.put(row),
  },
  sources: {
    ...store.sources,
    put: (row: Parameters<typeof store.sources.put>[0]) =>
      orders.killAt === 'source-row' ? die() : store.sources.put(row),
  },
};
const depot = createDepot({
  store: deadly,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  config: orders.config,
  processes: createProcesses(),
});
await depot.start();
for (const source of orders.sources) {
  try {
    const image = await depot.ensure({
      source,
      onProgress: (progress) => {
        if (orders.killAt === progress.phase) die();
      },
    });
    say({ image });
    if (orders.serve) {
      const exit = depot.openExit({ imageId: image.imageId, deploymentId: orders.serve });
      say({ exit, stats: depot.exitStats(exit.exitId) });
    }
  } catch (error) {
    say({ error: error instanceof ImageError ? error.code : 'OTHER', message: String(error) });
  }
}
if (!orders.serve) await depot.stop();
