/**
 * Who may speak for a run. A boot token opens the door once; the first hello closes all tokens of the run and gets a session key,
 * with which the same boot comes back. A token is accepted again only from the boot that used it first and only until its key was
 * used: the `welcome` with the key may have been lost.
 */
import { createHash } from 'node:crypto';
import type { HelloMessage } from '@bessemer/agent-protocol';
import type { JsonObject, NodeId, Run, RunId } from '@bessemer/core';
import { createEventGate, isJsonObject } from '@bessemer/core';
import type { Db, Repositories } from '@bessemer/db';
import type { Clock, Random } from '@bessemer/ports';
import { agentNoteOf, type AgentNote } from './agent-phase.ts';
import type { Session } from './session.ts';

export type AgentVerdictOnHello =
  | {
      readonly ok: true;
      readonly runId: RunId;
      readonly key: string;
      readonly node: { readonly uuid: string; readonly name?: string };
      readonly lastSeq: number;
    }
  | { readonly ok: false; readonly reason: string; readonly retry: boolean };

export interface AgentAuthenticatorOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly session: () => Session;
}

/** Anybody who reaches the agents' port can be refused, as often as it likes: of each kind and address one a minute is stored. */
const REFUSALS = { perKeyMs: 60_000, most: 100, windowMs: 600_000 } as const;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const refusal = (reason: string, retry = false): { ok: false; reason: string; retry: boolean } => ({
  ok: false,
  reason,
  retry,
});

const macsOf = (hello: HelloMessage): string[] => hello.inventory.interfaces.map((i) => i.mac_address.toLowerCase());

/** What contradicts the machine that we know, or null. Empty serials and UUIDs are no knowledge. */
function contradiction(hello: HelloMessage, mac: string | null, known: JsonObject | undefined): string | null {
  if (mac !== null && !macsOf(hello).includes(mac))
    return `its network cards (${macsOf(hello).join(', ')}) do not have the MAC address ${mac} that fetched the boot script`;
  const vendor = known && isJsonObject(known['system_vendor']) ? known['system_vendor'] : {};
  const told = hello.inventory.system_vendor;
  for (const [name, word] of [
    ['uuid', 'system UUID'],
    ['serial_number', 'serial number'],
  ] as const) {
    const before = vendor[name];
    if (typeof before !== 'string' || before === '' || told[name] === '') continue;
    if (before.toLowerCase() !== told[name].toLowerCase())
      return `its ${word} is ${told[name]}, the node's inventory says ${before}; inspect the node again if its board was replaced`;
  }
  return null;
}

export function createAgentAuthenticator(options: AgentAuthenticatorOptions) {
  const { db, clock, random } = options;
  const admitsRefusal = createEventGate(REFUSALS);

  /** The run that a credential is for. */
  async function runOf(
    tx: Repositories,
    hello: HelloMessage,
  ): Promise<{ run: Run; mac: string | null; isKey: boolean } | { reason: string }> {
    if (hello.key !== undefined) {
      const key = await tx.boots.findAgentKey(sha256(hello.key));
      if (!key) return { reason: 'the session key is not known: the work that it was for has ended' };
      if (key.bootId !== hello.bootId) return { reason: 'the session key belongs to another boot of this node' };
      const run = await tx.runs.get(key.runId);
      return run ? { run, mac: null, isKey: true } : { reason: 'the work that the session key was for is gone' };
    }
    const tokenSha256 = sha256(hello.token!);
    const token = await tx.boots.findToken(tokenSha256);
    if (token) {
      const run = await tx.runs.get(token.runId);
      return run ? { run, mac: token.mac, isKey: false } : { reason: 'the work that the boot token was for is gone' };
    }
    for (const run of await tx.runs.listUnfinished(options.session().id)) {
      const agent = agentNoteOf(run.notes);
      if (agent?.tokenSha256 === tokenSha256 && agent.bootId === hello.bootId) return { run, mac: null, isKey: false };
    }
    return { reason: 'the boot token is not known, is too old, or was used by another boot' };
  }

  async function refuse(
    tx: Repositories,
    hello: HelloMessage,
    address: string,
    reason: string,
    run?: Run,
  ): Promise<void> {
    let nodeUuid: NodeId | null = run?.nodeUuid ?? null;
    for (const mac of nodeUuid ? [] : macsOf(hello)) nodeUuid ??= (await tx.ports.find(mac))?.nodeUuid ?? null;
    await tx.events.append({
      type: 'agent.refused',
      nodeUuid,
      runId: run?.id ?? null,
      severity: 'warning',
      data: { reason, address },
    });
  }

  async function admit(
    tx: Repositories,
    hello: HelloMessage,
    address: string,
    run: Run,
    isKey: boolean,
  ): Promise<AgentVerdictOnHello> {
    const node = (await tx.nodes.get(run.nodeUuid))!;
    const known = agentNoteOf(run.notes);
    const isReturn = known?.bootId === hello.bootId;
    let key = hello.key;
    if (key === undefined) {
      key = Buffer.from(random.bytes(32)).toString('base64url');
      await tx.boots.closeTokens(run.id);
      await tx.boots.setAgentKey(run.id, node.uuid, sha256(key), hello.bootId);
    }
    const bootMode = hello.inventory.boot.current_boot_mode;
    const note: AgentNote = {
      bootId: hello.bootId,
      address,
      lastSeq: isReturn ? known.lastSeq : 0,
      tokenSha256: isKey ? null : sha256(hello.token!),
      bootMode,
    };
    await tx.runs.update(run.id, run.fence, { notes: { ...run.notes, agent: { ...note } } });
    if (node.bootMode !== bootMode) await tx.nodes.update(node.uuid, { bootMode });
    await tx.events.append({
      type: 'agent.hello',
      nodeUuid: node.uuid,
      runId: run.id,
      data: { bootId: hello.bootId, version: hello.agentVersion, address, returned: isReturn },
    });
    return {
      ok: true,
      runId: run.id,
      key,
      node: { uuid: node.uuid, ...(node.name ? { name: node.name } : {}) },
      lastSeq: note.lastSeq,
    };
  }

  return (hello: HelloMessage, address: string): Promise<AgentVerdictOnHello> => {
    // The transaction may run twice; the gate is asked once.
    let told: boolean | undefined;
    const isTold = (kind: 'credential' | 'boot' | 'machine'): boolean =>
      (told ??= admitsRefusal(`${address} ${kind}`, clock.monotonicMs()));
    return db.write('agent.hello', async (tx): Promise<AgentVerdictOnHello> => {
      const found = await runOf(tx, hello);
      if ('reason' in found) {
        if (isTold('credential')) await refuse(tx, hello, address, found.reason);
        return refusal(found.reason);
      }
      const { run, mac, isKey } = found;
      if (run.finishedAt !== null) return refusal(`the run (${run.verb}) has ended`, run.state === 'failed');
      if (run.owner !== options.session().id) return refusal('another conductor goes on with this run', true);
      const known = agentNoteOf(run.notes);
      if (known && known.bootId !== hello.bootId) {
        const reason = 'another boot of this node has said hello already';
        if (isTold('boot')) await refuse(tx, hello, address, reason, run);
        return refusal(reason);
      }
      const inventory =
        run.verb === 'inspect' ? undefined : ((await tx.nodes.getInventory(run.nodeUuid))?.inventory ?? undefined);
      const reason = contradiction(hello, mac, inventory);
      if (reason !== null) {
        if (isTold('machine')) await refuse(tx, hello, address, reason, run);
        return refusal(reason);
      }
      return admit(tx, hello, address, run, isKey);
    });
  };
}
