/** Images on order: the depot works in parallel with the boot of the ramdisk, and the run meets the result when it needs it. */
import type { Json, JsonObject, Node, Progress, Run } from '@bessemer/core';
import type { Clock } from '@bessemer/ports';
import type { Jobs } from './jobs.ts';
import type { ImageDepot, ReadyImage } from './ports.ts';
import { imageRequestOf } from './steps/image-request.ts';
import type { TaskWriter } from './task-writer.ts';

export interface ImageOrders {
  /**
   * Sees to the image of a run whose notes say `imageWanted`: orders it once per process, and when it is ready puts it into the
   * notes as `image`. `changed`: the run's row is not the one that was given any more.
   */
  tend(run: Run, node: Node): Promise<{ kind: 'fine' | 'changed' } | { kind: 'failed'; error: string }>;
}

const JOB = 'image';
/** Progress is written at most once a second. */
const PROGRESS_INTERVAL_MS = 1_000;

/** The depot's code in front, by which the documentation lists what to do. */
export const withCode = (error: Error): string =>
  'code' in error && typeof error.code === 'string' ? `${error.code}: ${error.message}` : error.message;

/** The image that a run's notes hold; undefined until it is ready. */
export const readyImageOf = (notes: JsonObject): ReadyImage | undefined =>
  notes['image'] as unknown as ReadyImage | undefined;

export function createImageOrders(
  jobs: Jobs,
  options: { readonly depot: ImageDepot; readonly writer: TaskWriter; readonly clock: Clock },
): ImageOrders {
  const { depot, writer, clock } = options;
  return {
    async tend(run, node) {
      if (run.notes['imageWanted'] !== true || readyImageOf(run.notes)) return { kind: 'fine' };
      const request = imageRequestOf(node);
      let toldAtMs = Number.NEGATIVE_INFINITY;
      const state = jobs.ensure(run.id, JOB, async (signal) => {
        const onProgress = (progress: Progress): void => {
          if (clock.monotonicMs() - toldAtMs < PROGRESS_INTERVAL_MS) return;
          toldAtMs = clock.monotonicMs();
          // A run that went on meanwhile has progress of its own to show.
          writer.record(run, { progress }).catch(() => undefined);
        };
        const image = await depot.ensure(request, { signal, onProgress });
        return image as unknown as Json;
      });
      if (state.kind === 'running') return { kind: 'fine' };
      jobs.forget(run.id, JOB);
      if (state.kind === 'failed')
        return { kind: 'failed', error: `The image ${request.source} is not usable: ${withCode(state.error)}` };
      const image = state.value as unknown as ReadyImage;
      const { imageId, sizeBytes, usedBytes } = image;
      await writer.record(run, {
        notes: { image: state.value },
        // What the depot last told is over.
        progress: null,
        events: [{ type: 'image.ready', data: { imageId, sizeBytes, usedBytes } }],
      });
      return { kind: 'changed' };
    },
  };
}
