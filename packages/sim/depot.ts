/** The image store of the simulation, with both of its faces: the conductors' and the agents'. */
import type { ImageReference } from '@bessemer/agent-protocol';
import type { ImageDepot } from '@bessemer/conductor';
import { usedBytes } from '@bessemer/image-format';
import { sleep, type Clock } from '@bessemer/ports';
import { ImageSourceError, type ImageSource } from '@bessemer/ramdisk-agent';
import type { Chaos } from './chaos.ts';
import type { SimImage } from './image.ts';

const BYTES_PER_SECOND = 256 * 1024;

export interface SimDepot {
  readonly forConductor: ImageDepot;
  /** The depot as a machine sees it, on the machine's clock. */
  forAgent(clock: Clock): ImageSource;
  /** Nobody reaches it for so long. */
  goDark(ms: number): void;
}

export function createDepot(images: readonly SimImage[], clock: Clock, chaos: Chaos): SimDepot {
  const bySource = new Map(images.map((image) => [image.source, image]));
  const exits = new Map<string, { image: SimImage; servedBytes: number }>();
  let darkUntilMs = 0;
  const isDark = (): boolean => clock.monotonicMs() < darkUntilMs;

  function exitOf(reference: ImageReference): { image: SimImage; servedBytes: number } {
    if (isDark()) throw new ImageSourceError('the depot cannot be reached', false);
    const exit = exits.get(reference.exitId);
    if (!exit || reference.token !== `token-of-${reference.exitId}`)
      throw new ImageSourceError('the depot knows no such exit', true);
    return exit;
  }
  return {
    goDark(ms) {
      darkUntilMs = Math.max(darkUntilMs, clock.monotonicMs() + ms);
    },
    forConductor: {
      async ensure(request, { signal }) {
        await sleep(clock, chaos.between(500, 8_000), signal);
        const image = bySource.get(request.source);
        if (!image) throw new Error('there is no such image');
        if (isDark()) throw new Error('its source cannot be reached');
        return {
          imageId: image.map.sha256,
          sizeBytes: image.map.sizeBytes,
          usedBytes: usedBytes(image.map),
          mapSha256: image.map.sha256,
        };
      },
      async read() {
        throw new Error('there is no such file');
      },
      async openExit({ imageId, runId }) {
        const image = images.find((candidate) => candidate.map.sha256 === imageId);
        if (!image) throw new Error(`there is no image ${imageId}`);
        const exitId = `exit-${runId}`;
        if (!exits.has(exitId)) exits.set(exitId, { image, servedBytes: 0 });
        return {
          baseUrl: 'http://192.0.2.1:6387',
          exitId,
          token: `token-of-${exitId}`,
          sizeBytes: image.map.sizeBytes,
          mapSha256: image.map.sha256,
        };
      },
      async closeExit(exitId) {
        const exit = exits.get(exitId);
        exits.delete(exitId);
        return exit && { servedBytes: exit.servedBytes };
      },
    },
    forAgent: (machineClock) => ({
      async map(reference, signal) {
        await sleep(machineClock, 5, signal);
        return Buffer.from(JSON.stringify(exitOf(reference).image.map));
      },
      async extents(reference, from, count, target, signal) {
        await sleep(machineClock, (target.length * 1000) / BYTES_PER_SECOND, signal);
        const exit = exitOf(reference);
        let at = 0;
        for (const extent of exit.image.map.extents.slice(from, from + count)) {
          target.set(exit.image.bytes.subarray(extent.offset, extent.offset + extent.length), at);
          at += extent.length;
        }
        exit.servedBytes += at;
        if (chaos.strikes('image data damaged on the wire', 0.02)) target[0] = target[0]! ^ 0xff;
      },
    }),
  };
}
