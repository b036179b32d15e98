/** The depot as a conductor sees it: an exit belongs to one run. */
import type { Progress } from '@bessemer/core';
import type { ImageDepot } from '@bessemer/conductor';
import { type Depot, ImageError, type ImageProgress, type ImageStore } from '@bessemer/depot';
import type { Clock } from '@bessemer/ports';

function progressOf(progress: ImageProgress, clock: Clock): Progress {
  const { phase, bytes, totalBytes, rate, position } = progress;
  return {
    phase: position === undefined ? `image: ${phase}` : `image: waits for its turn, position ${position}`,
    bytes,
    totalBytes,
    bytesPerSecond: rate,
    at: clock.nowMs(),
  };
}

/** `store` is the depot's own. */
export function imageDepotOf(depot: Depot, store: ImageStore, clock: Clock): ImageDepot {
  return {
    ensure: ({ source, checksum, diskFormat }, { signal, onProgress }) =>
      depot.ensure({
        source: {
          href: source,
          checksum: checksum.hex,
          checksumAlgorithm: checksum.algorithm,
          ...(diskFormat ? { diskFormat } : {}),
        },
        signal,
        onProgress: (progress) => onProgress(progressOf(progress, clock)),
      }),
    read: depot.read,
    async openExit({ imageId, runId }) {
      const opened = depot.openExit({ imageId, deploymentId: runId });
      const image = store.images.get(imageId);
      if (!image) throw new ImageError('NOT_FOUND', `image ${imageId} left the store while its exit was opened`);
      return { ...opened, sizeBytes: image.sizeBytes, mapSha256: image.mapSha256 };
    },
    async closeExit(exitId) {
      const stats = depot.closeExit(exitId);
      return stats && { servedBytes: stats.bytesServed };
    },
  };
}
