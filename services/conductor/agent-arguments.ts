/** The arguments of an agent's steps, made from node, request and what earlier steps have left, each time a segment is sent. */
import type { Json, JsonObject, Node, Run } from '@bessemer/core';
import { coerceError, isJsonObject, ServiceError } from '@bessemer/core';
import type { ConfigDriveArgs, DiskIdentity, RootDeviceHints, WriteImageArgs } from '@bessemer/agent-protocol';
import type { Db } from '@bessemer/db';
import { configDriveOf, hostnameOf, payloadOf } from './config-drive.ts';
import { readyImageOf } from './image-orders.ts';
import type { Configurer, ImageDepot } from './ports.ts';
import type { TaskWriter } from './task-writer.ts';

export type AgentArguments = (step: string, run: Run, node: Node) => Promise<JsonObject>;

/** `notes.exitId`: the image exit of a run. */
export const exitIdOf = (notes: JsonObject): string | undefined =>
  typeof notes['exitId'] === 'string' ? notes['exitId'] : undefined;

export interface AgentArgumentsOptions {
  readonly db: Db;
  readonly depot: ImageDepot;
  readonly configurer: Configurer;
  readonly writer: TaskWriter;
}

/**
 * instance_info wins over properties, as in Ironic; an empty object says nothing. Hints that cannot be read are no licence to
 * take any disk. @throws INVALID_PARAMETER.
 */
export function rootDeviceHintsOf(node: Pick<Node, 'instanceInfo' | 'properties'>): RootDeviceHints | undefined {
  for (const place of ['instanceInfo', 'properties'] as const) {
    const hints = node[place]['root_device'] ?? {};
    if (!isJsonObject(hints))
      throw new ServiceError(
        'INVALID_PARAMETER',
        `${place === 'properties' ? place : 'instance_info'}/root_device must be an object of root device hints, such as {"serial": "..."}.`,
      );
    if (Object.keys(hints).length > 0) return hints as RootDeviceHints;
  }
  return undefined;
}

/** The disk that the run has chosen, once it is known: by what write_image gave, or said when it chose it or failed. */
function diskOf(run: Run): { disk?: DiskIdentity } {
  const written = (run.notes['results'] as JsonObject | undefined)?.['write_image'];
  const disk = (isJsonObject(written) ? written['disk'] : undefined) ?? run.notes['rootDisk'];
  return isJsonObject(disk) ? { disk: disk as unknown as DiskIdentity } : {};
}

export function createAgentArguments(options: AgentArgumentsOptions): AgentArguments {
  const { db, depot, configurer, writer } = options;

  async function writeImage(run: Run, node: Node): Promise<WriteImageArgs> {
    const image = readyImageOf(run.notes)!;
    const reference = await depot.openExit({ imageId: image.imageId, runId: run.id }).catch(async (error: unknown) => {
      const why = coerceError(error).message;
      if (error instanceof Error && 'code' in error && error.code === 'NOT_FOUND') {
        // The depot of the conductor that had the run before has it, or had it: ours fetches it anew.
        await writer.record(run, { notes: { image: null } });
        throw new ServiceError('TEMPORARY_FAILURE', `The image has to be fetched again: ${why}`, {
          context: { isTransient: true },
          cause: error,
        });
      }
      throw new ServiceError('INVALID_STATE', `The image cannot be offered to the node: ${why}`, { cause: error });
    });
    if (exitIdOf(run.notes) !== reference.exitId) await writer.record(run, { notes: { exitId: reference.exitId } });
    const hints = rootDeviceHintsOf(node);
    return { image: reference, ...(hints ? { rootDeviceHints: hints } : {}), ...diskOf(run) };
  }
  async function configDrive(run: Run, node: Node): Promise<ConfigDriveArgs> {
    const drive = await configDriveOf(db, node);
    return {
      configDrive: payloadOf(drive),
      servicePublicKey: await configurer.servicePublicKey(),
      hostname: String(drive.metaData['hostname'] ?? hostnameOf(node)),
      ...diskOf(run),
    };
  }

  return async (step, run, node) => {
    switch (step) {
      case 'write_image':
        return (await writeImage(run, node)) as unknown as JsonObject;
      case 'configdrive':
        return (await configDrive(run, node)) as unknown as JsonObject;
      case 'prepare_boot':
        return diskOf(run) as JsonObject;
      default:
        return {} satisfies Record<string, Json>;
    }
  };
}
