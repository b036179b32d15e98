/** The depot as a conductor sees it: an exit belongs to one deployment and is named by the conductor. */
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
  const exitsOf = (exitId: string) =>
    store.exits
      .all()
      .filter((row) => row.deploymentId === exitId)
      .map((row) => row.id);

  return {
    ensure: (request, onProgress) =>
      depot.ensure({
        source: {
          href: request.source,
          ...(request.checksum
            ? { checksum: request.checksum.hex, checksumAlgorithm: request.checksum.algorithm }
            : {}),
          ...(request.diskFormat ? { diskFormat: request.diskFormat } : {}),
        },
        ...(onProgress ? { onProgress: (p: ImageProgress) => onProgress(progressOf(p, clock)) } : {}),
      }),
    async openExit({ exitId, imageId }) {
      const opened = depot.openExit({ imageId, deploymentId: exitId });
      const image = store.images.get(imageId);
      if (!image) throw new ImageError('NOT_FOUND', `image ${imageId} left the store while its exit was opened`);
      return {
        baseUrl: opened.baseUrl,
        exitId: opened.exitId,
        token: opened.token,
        sizeBytes: image.sizeBytes,
        mapSha256: image.mapSha256,
      };
    },
    async closeExit(exitId) {
      for (const open of exitsOf(exitId)) depot.closeExit(open);
    },
    async exitStats(exitId) {
      const stats = exitsOf(exitId).map((open) => depot.exitStats(open)?.bytesServed ?? 0);
      return stats.length === 0 ? undefined : { servedBytes: stats.reduce((sum, bytes) => sum + bytes, 0) };
    },
  };
}
