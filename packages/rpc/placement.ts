/** Which conductor works on a node: rendezvous hashing, a pure function with golden cases, so that every process answers alike. */
import { createHash } from 'node:crypto';

export interface PlacedConductor {
  readonly hostname: string;
  readonly conductorGroup: string;
  readonly drivers: readonly { readonly name: string }[];
  readonly alive: boolean;
}

/**
 * The live conductor of the node's group (case-insensitive) that runs its driver and whose hash with the node is the highest;
 * undefined when there is none. A conductor that comes or goes moves only its own share of nodes.
 */
export function conductorFor(
  node: { readonly uuid: string; readonly driver: string; readonly conductorGroup: string },
  conductors: readonly PlacedConductor[],
): string | undefined {
  const group = node.conductorGroup.toLowerCase();
  const candidates = conductors.filter(
    (c) => c.alive && c.conductorGroup.toLowerCase() === group && c.drivers.some((d) => d.name === node.driver),
  );
  if (candidates.length <= 1) return candidates[0]?.hostname;
  let best: { hostname: string; score: string } | undefined;
  for (const { hostname } of candidates) {
    const score = createHash('sha256').update(`${hostname}|${node.uuid}`).digest('hex');
    if (!best || score > best.score) best = { hostname, score };
  }
  return best?.hostname;
}
