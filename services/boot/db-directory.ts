/** The boot directory over the database: what a machine is to do is computed from rows, nothing is written per node. */
import { createHash } from 'node:crypto';
import {
  asNodeId,
  asRunId,
  createEventGate,
  type EventType,
  type JsonObject,
  type Node,
  type Run,
  type RunId,
} from '@bessemer/core';
import type { Db, Repositories } from '@bessemer/db';
import type { Clock, Random } from '@bessemer/ports';
import type { BootAnswer, BootDirectory, BootEvent, MachineIdentity } from './directory.ts';

/** A boot token lives as long as a slow machine may take from its script to the agent's hello. */
const TOKEN_LIFE_MS = 30 * 60_000;
const TOKEN_BYTES = 32;

/** What anybody on the boot network can repeat or invent is stored at most this often. */
const REPEAT_MS = 60_000;
const STRANGERS_WINDOW_MS = 600_000;
const MAX_STRANGER_EVENTS = 100;
/** So many events of each type are stored of every run before repeats count as such: a boot and its second try have fewer. */
const ALWAYS_PER_RUN = 20;
const MAX_RUNS_COUNTED = 1000;

/** A DHCP exchange has four messages; the one that settles it becomes an event. */
const REPORTED_DHCP: ReadonlySet<unknown> = new Set(['ack', 'proxy']);

export interface DbDirectoryOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  /** Paths below the artefact folder. */
  readonly kernel: string;
  readonly initrd: string;
}

/** @returns a BootDirectory whose answers change as soon as a run begins or ends to wait for a boot. */
export function createDbDirectory(options: DbDirectoryOptions): BootDirectory {
  const { db, clock, random } = options;

  const admitsStranger = createEventGate({
    perKeyMs: REPEAT_MS,
    most: MAX_STRANGER_EVENTS,
    windowMs: STRANGERS_WINDOW_MS,
  });
  const admitsRepeat = createEventGate({ perKeyMs: REPEAT_MS });
  const ofRuns = new Map<string, number>();

  /** Whether an event of a node is news. The first ones of a run are: its boot, a second one, and what leads astray. */
  function isNews(event: BootEvent, node: Node, runId: string | undefined): boolean {
    const { type, data } = event;
    if (runId !== undefined) {
      const key = `${runId} ${type}`;
      const count = (ofRuns.get(key) ?? 0) + 1;
      if (count <= ALWAYS_PER_RUN) {
        ofRuns.set(key, count);
        if (ofRuns.size > MAX_RUNS_COUNTED) ofRuns.delete(ofRuns.keys().next().value!);
        return true;
      }
    }
    const kind = ['answer', 'message', 'stage', 'outcome'].map((name) => String(data[name] ?? '')).join(' ');
    return admitsRepeat(`${node.uuid} ${runId ?? ''} ${type} ${kind}`, clock.monotonicMs());
  }

  async function nodeOf(machine: MachineIdentity): Promise<Node | undefined> {
    const port = await db.read.ports.find(machine.mac);
    return port && db.read.nodes.get(port.nodeUuid);
  }

  async function runOf(node: Node): Promise<Run | undefined> {
    return db.read.runs.current(node.uuid);
  }

  /** No boot comes of a script that cannot be made: the time of the wait is over, and its conductor finds it so within seconds. */
  async function endWait(tx: Repositories, runId: RunId, error: string): Promise<void> {
    const run = await tx.runs.get(runId);
    if (run?.waitingFor?.what !== 'boot') return;
    const hint = `Its boot script was refused: ${error}. Correct boot.kernel_args and start the service again, then retry.`;
    await tx.runs.update(runId, run.fence, { waitingFor: { ...run.waitingFor, until: clock.nowMs(), hint } });
  }

  return {
    async lookup(machine): Promise<BootAnswer> {
      const node = await nodeOf(machine);
      if (!node) return { kind: 'unknown' };
      const run = await runOf(node);
      if (run?.waitingFor?.what !== 'boot') {
        const reason = run
          ? `the run (${run.verb}) of the node waits for ${run.waitingFor?.what ?? 'nothing'}, not for a network boot`
          : `the node is ${node.provisionState} and nothing is to be done on it`;
        return { kind: 'local', nodeUuid: node.uuid, reason };
      }
      return {
        kind: 'ramdisk',
        nodeUuid: node.uuid,
        runId: run.id,
        kernel: options.kernel,
        initrd: options.initrd,
      };
    },

    async mintToken({ nodeUuid, runId, mac }) {
      const token = Buffer.from(random.bytes(TOKEN_BYTES)).toString('base64url');
      await db.write('mint boot token', (tx) =>
        tx.boots.addToken({
          sha256: createHash('sha256').update(token).digest('hex'),
          nodeUuid: asNodeId(nodeUuid),
          runId: asRunId(runId),
          mac,
          expiresAt: clock.nowMs() + TOKEN_LIFE_MS,
        }),
      );
      return token;
    },

    async recordUnknown(sighting) {
      // The transaction may run twice; the gate is asked once.
      let told: boolean | undefined;
      const isTold = () => (told ??= admitsStranger(sighting.mac, clock.monotonicMs()));
      await db.write('unknown machine', async (tx) => {
        const { isNew } = await tx.boots.seenUnknown(sighting);
        // The row is there all the same: events are for who looks on, and a flood of invented machines would push out history.
        if (!isNew || !isTold()) return;
        const data: JsonObject = { mac: sighting.mac, uuid: sighting.uuid, serial: sighting.serial };
        await tx.events.append({ type: 'machine.unknown', nodeUuid: null, runId: null, data });
      });
    },

    async recordBoot(event: BootEvent) {
      if (event.type === 'boot.dhcp' && !REPORTED_DHCP.has(event.data['message'])) return;
      const mac = event.mac ?? (typeof event.data['mac'] === 'string' ? event.data['mac'] : undefined);
      const address = typeof event.data['address'] === 'string' ? event.data['address'] : event.address;
      const node = event.nodeUuid
        ? await db.read.nodes.get(asNodeId(event.nodeUuid))
        : mac
          ? await nodeOf({ mac })
          : undefined;
      const run = event.runId ?? (node && (await runOf(node))?.id);
      // What strangers do is counted with the unknown machines, not stored one by one.
      if (!node) return;
      const leased = event.type === 'boot.dhcp' && mac && address ? { mac, address } : undefined;
      const isMoved = leased !== undefined && (await db.read.boots.getAddress(leased.mac)) !== leased.address;
      const type: EventType = event.type;
      const isStored = isNews(event, node, run);
      if (!isStored && !isMoved) return;
      await db.write('boot event', async (tx) => {
        if (leased && isMoved) await tx.boots.setAddress(leased.mac, leased.address);
        if (!isStored) return;
        if (type === 'boot.script' && event.data['answer'] === 'refused' && run)
          await endWait(tx, asRunId(run), String(event.data['error'] ?? ''));
        await tx.events.append({
          type,
          nodeUuid: node.uuid,
          runId: run ? asRunId(run) : null,
          data: { ...event.data, ...(mac ? { mac } : {}), ...(address ? { address } : {}) },
        });
      });
    },
  };
}
