/** Chassis, nodes, port groups and ports from files, each below what it belongs to. */
import type { Invocation, Io, Run } from '../command.ts';
import { CliError } from '../errors.ts';
import { parseData, record } from './values.ts';

type Item = Readonly<Record<string, unknown>>;
interface Level {
  readonly noun: string;
  readonly path: string;
  /** Lists inside of one, and the field of theirs that says what they belong to. */
  readonly inside: Readonly<Record<string, { readonly level: string; readonly field: string }>>;
}

const LEVELS: Readonly<Record<string, Level>> = {
  chassis: { noun: 'chassis', path: '/v1/chassis', inside: { nodes: { level: 'nodes', field: 'chassis_uuid' } } },
  nodes: {
    noun: 'node',
    path: '/v1/nodes',
    inside: {
      portgroups: { level: 'portgroups', field: 'node_uuid' },
      ports: { level: 'ports', field: 'node_uuid' },
    },
  },
  portgroups: {
    noun: 'port group',
    path: '/v1/portgroups',
    inside: { ports: { level: 'ports', field: 'portgroup_uuid' } },
  },
  ports: { noun: 'port', path: '/v1/ports', inside: {} },
};

const isItem = (value: unknown): value is Item => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What is wrong with a list of resources; undefined: nothing. */
function problemOf(value: unknown, level: Level, where: string): string | undefined {
  if (!Array.isArray(value)) return `${where} is not a list`;
  for (const [i, item] of value.entries()) {
    if (!isItem(item)) return `${where}[${i}] is not an object`;
    for (const [key, { level: name }] of Object.entries(level.inside)) {
      const problem =
        item[key] === undefined ? undefined : problemOf(item[key], LEVELS[name]!, `${where}[${i}].${key}`);
      if (problem) return problem;
    }
  }
  return undefined;
}

async function readFile(path: string, io: Io): Promise<Item> {
  if (!/\.(json|ya?ml)$/.test(path)) throw new CliError(`${path} is neither .json nor .yaml.`);
  const content = await parseData(io.readFile(path), `The file ${path}`);
  if (!isItem(content)) throw new CliError(`The file ${path} holds no object with chassis and nodes.`);
  for (const [key, value] of Object.entries(content)) {
    if (key !== 'chassis' && key !== 'nodes')
      throw new CliError(`The file ${path} has ${key}, which is not known here; known are chassis and nodes.`);
    const problem = problemOf(value, LEVELS[key]!, key);
    if (problem) throw new CliError(`The file ${path}: ${problem}.`);
  }
  return content;
}

/** Creates one after the other, each with what is inside of it; says what failed and goes on. @returns how many failed. */
async function createAll(
  { api, io }: Pick<Invocation, 'api' | 'io'>,
  name: string,
  items: readonly Item[],
  parents: Readonly<Record<string, string>>,
): Promise<number> {
  const level = LEVELS[name]!;
  const create = async (item: Item): Promise<number> => {
    for (const [field, uuid] of Object.entries(parents))
      if (item[field] !== undefined && item[field] !== uuid)
        throw new CliError(`it stands below ${field} ${uuid} and names another: ${String(item[field])}`);
    const own = Object.entries(item).filter(([key]) => !Object.hasOwn(level.inside, key));
    const made = record(await api.request('POST', level.path, { body: { ...Object.fromEntries(own), ...parents } }));
    const uuid = String(made['uuid']);
    let failed = 0;
    for (const [key, { level: below, field }] of Object.entries(level.inside)) {
      const nodeUuid = name === 'portgroups' ? parents['node_uuid'] : undefined;
      const kept: Readonly<Record<string, string>> = nodeUuid === undefined ? {} : { node_uuid: nodeUuid };
      const list = (item[key] ?? []) as readonly Item[];
      failed += await createAll({ api, io }, below, list, { ...kept, [field]: uuid });
    }
    return failed;
  };
  let failed = 0;
  for (const item of items) {
    try {
      failed += await create(item);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      failed += 1;
      const { name: called, uuid, address } = item;
      io.err(`Unable to create ${level.noun} ${String(called ?? uuid ?? address ?? '')}: ${error.message}\n`);
    }
  }
  return failed;
}

/** All files are read before anything is created. */
export const createFromFiles: Run = async (invocation) => {
  const files: Item[] = [];
  for (const path of invocation.args) files.push(await readFile(path, invocation.io));
  let failed = 0;
  for (const file of files)
    for (const name of ['chassis', 'nodes'])
      failed += await createAll(invocation, name, (file[name] ?? []) as readonly Item[], {});
  return failed === 0 ? 0 : 1;
};
