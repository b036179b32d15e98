/** Methods of vendors, of nodes and of drivers: listed and called. */
import { type Invocation, listOption, type Run, textOption } from '../command.ts';
import { CliError } from '../errors.ts';
import { repr, type Value } from '../output/python.ts';
import { isRecord, keyValues, listOf, oneOf, record, type Record_ } from './values.ts';

type Collection = 'nodes' | 'drivers';
const FIELDS = ['name', 'http_methods', 'async', 'description', 'attach'];
const pathOf = (collection: Collection, args: readonly string[], method: string): string =>
  `/v1/${collection}/${encodeURIComponent(args[0]!)}/vendor_passthru/${encodeURIComponent(method)}`;

const listMethods =
  (collection: Collection): Run =>
  async ({ args, api }) => {
    const methods = record(await api.get(pathOf(collection, args, 'methods')));
    const items = Object.entries(methods).map(([name, value]): Record_ => {
      const method = record(value);
      const verbs = method['http_methods'];
      return { ...method, name, http_methods: Array.isArray(verbs) ? verbs.join(', ') : '' };
    });
    return listOf(items, FIELDS);
  };
export const listNodeMethods = listMethods('nodes');
export const listDriverMethods = listMethods('drivers');

async function call(collection: Collection, { args, options, api }: Invocation): Promise<Value> {
  const verb = textOption(options, 'httpMethod') ?? 'POST';
  const given = listOption(options, 'arg');
  const hasBody = verb !== 'GET' && verb !== 'DELETE';
  if (!hasBody && given.length > 0)
    throw new CliError(`--arg goes with POST, PUT and PATCH: a request with ${verb} has no body.`);
  return api.request(verb, pathOf(collection, args, args[1]!), hasBody ? { body: keyValues(given) } : {});
}

/** What the method answers is its vendor's affair, so it is printed as it is. */
export const callNodeMethod: Run = async (invocation) => {
  const answer = await call('nodes', invocation);
  if (answer !== null) invocation.io.out(`${repr(answer)}\n`);
  return undefined;
};

export const callDriverMethod: Run = async (invocation) => {
  const answer = await call('drivers', invocation);
  if (isRecord(answer)) return oneOf(answer, []);
  return answer === null ? { kind: 'one', pairs: [] } : { kind: 'one', pairs: [['result', answer]] };
};
