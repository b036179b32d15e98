/** Which boot a fetch of kernel or ramdisk belongs to: an opaque id put into the URLs of its script. */
import type { Random } from '@bessemer/ports';

export interface Boot {
  readonly nodeUuid: string;
  readonly runId: string;
  readonly mac: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** Boots remembered: a script fetch each. Of older ones the address tells the machine. */
const MAX_BOOTS = 10_000;

/** The id says which boot it is and grants nothing. */
export function createBootIds(random: Random): { add(boot: Boot): string; get(id: string): Boot | undefined } {
  const boots = new Map<string, Boot>();
  return {
    add(boot) {
      const id = Buffer.from(random.bytes(8)).toString('hex');
      boots.set(id, boot);
      if (boots.size > MAX_BOOTS) boots.delete(boots.keys().next().value!);
      return id;
    },
    get: (id) => boots.get(id),
  };
}
