/**
 * What a witness at the database and at every BMC sees: which process is behind a session, who was the last to take a node, and
 * under which fence each write came. It believes nobody: its numbers are its own.
 */

export interface Write {
  readonly kind: 'session' | 'reserve' | 'take' | 'write';
  readonly id: string;
  readonly fence: number;
  readonly session?: string;
}

export interface Ledger {
  /** A transaction of a process was committed; the order is that of the commits. */
  committed(process: string, name: string, writes: readonly Write[]): void;
  /** A BMC was ordered something by a process. */
  ordered(process: string, nodeUuid: string, order: string): void;
}

export function createLedger(violate: (text: string) => void): Ledger {
  const processOf = new Map<string, string>();
  const leases = new Map<string, { readonly process: string; readonly fence: number }>();
  const runFences = new Map<string, number>();

  return {
    committed(process, name, writes) {
      for (const write of writes)
        switch (write.kind) {
          case 'session':
            processOf.set(write.id, process);
            break;
          case 'reserve': {
            const before = leases.get(write.id);
            if (before && write.fence <= before.fence)
              violate(
                `node ${write.id}: the fence went from ${before.fence} to ${write.fence} (${name} by ${process})`,
              );
            leases.set(write.id, { process: processOf.get(write.session!) ?? process, fence: write.fence });
            break;
          }
          case 'take':
            runFences.set(write.id, Math.max(write.fence, runFences.get(write.id) ?? 0));
            break;
          case 'write': {
            const current = runFences.get(write.id) ?? 0;
            if (write.fence < current)
              violate(
                `run ${write.id}: ${process} wrote (${name}) under the old fence ${write.fence}, the run is under ${current}`,
              );
          }
        }
    },
    ordered(process, nodeUuid, order) {
      const lease = leases.get(nodeUuid);
      if (lease?.process === process) return;
      violate(
        `node ${nodeUuid}: ${process} ordered "${order}", but ${lease ? `${lease.process} holds the lease (fence ${lease.fence})` : 'it never had a lease'}`,
      );
    },
  };
}
