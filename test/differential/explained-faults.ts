/** Requests that Ironic breaks on (500): what breaks it, and the one status that they must have instead. */
import type { Difference } from './compare.ts';
import { faultOf, statusOf, WHOLE } from './reading.ts';

interface Break {
  /** In what Ironic says. */
  readonly words: RegExp;
  readonly method?: string;
  readonly path?: RegExp;
  /** What Bessemer answers. */
  readonly status: number;
}

/** The first row that fits counts. */
const BREAKS: readonly Break[] = [
  // A body that is no JSON, or null where it must be an object or a list.
  { words: /Expecting (property name|value)|Extra data: |Invalid control character/, status: 400 },
  { words: /'NoneType' object (is not (iterable|subscriptable)|has no attribute)/, status: 400 },
  { words: /malformed node or string/, path: /^\/v1\/deploy_templates\//, status: 400 },
  // Fields set to null or removed: they have their defaults again.
  { words: /Field `\w+' cannot be None/, method: 'POST', status: 201 },
  { words: /Field `\w+' cannot be None/, method: 'PATCH', status: 200 },
  { words: /"'(conductor_group|value)\\"|: \\"'(conductor_group|value)'/, method: 'PATCH', status: 200 },
  { words: /object of type 'NoneType' has no len\(\)/, method: 'PATCH', status: 200 },
  // A port moves to another node; it cannot be without one.
  { words: /: \\"'address'\\"/, method: 'PATCH', path: /^\/v1\/ports\//, status: 200 },
  { words: /: \\"'node_uuid'\\"/, method: 'PATCH', status: 400 },
  // Fields that are made rather than stored, and fields that there are not.
  {
    words: /type object 'Node' has no attribute '(links|conductor|allocation_uuid)'/,
    path: /[?&]fields=/,
    status: 200,
  },
  { words: /type object 'Node' has no attribute /, path: /[?&]fields=/, status: 400 },
  { words: /The association proxy can't be used/, path: /[?&]sort_key=node_uuid/, status: 200 },
  // More in the path than a controller knows of.
  { words: /Controller\.index\(\) takes 1 positional argument/, path: /^\/v1\/\/nodes$/, status: 200 },
  { words: /Controller\.get\(\) takes 2 positional arguments/, path: /\/\/states$/, status: 200 },
  { words: /NodeStatesController\.get\(\) takes 2/, path: /\/states\/(power|provision|raid)$/, status: 405 },
  { words: /NodesController\.get_one\(\) takes from 2 to 3/, path: /\/traits\/\w+$/, status: 405 },
  { words: /Controller\.(get|get_one|delete)\(\) takes [\w ]+ positional arguments? but/, status: 404 },
  { words: /IndicatorController\.put\(\) got multiple values/, status: 404 },
  // Parameters that a controller does not know of, or has from the path.
  { words: /Controller\.\w+\(\) got (an unexpected keyword argument|multiple values for argument)/, status: 400 },
  // Refusals for which Ironic has no status.
  { words: /Cannot backfill an allocation|Failed to process allocation/, path: /^\/v1\/allocations$/, status: 400 },
  { words: /Port can not be added to a portgroup belonging to a different node/, path: /^\/v1\/ports$/, status: 400 },
  { words: /FOREIGN KEY constraint failed/, method: 'DELETE', path: /^\/v1\/portgroups\//, status: 400 },
  { words: /disable_ramdisk is supported only with manual cleaning/, method: 'PUT', status: 400 },
  { words: /Failed to rescue instance .*Validation failed/, method: 'PUT', status: 400 },
];

/** Whether the resource came after the microversion of the request: then that is what Bessemer says. */
function isTooOld(d: Difference): boolean {
  const since = [...WHOLE, [/^\/v1\/volume/, 32] as const].find(([path]) => path.test(d.path))?.[1] ?? 0;
  return (
    d.minor !== undefined && d.minor < since && faultOf(d.ours)?.startsWith('Resource could not be found. ') === true
  );
}

/** Whether Ironic broke and Bessemer answered with the status that the request must have. */
export function isBreak(d: Difference): boolean {
  if (d.at !== 'status' || d.method === 'REST' || statusOf(d.ironic) !== 500) return false;
  const row = BREAKS.find(
    ({ words, method, path }) =>
      words.test(d.ironic) && (method ?? d.method) === d.method && (path?.test(d.path) ?? true),
  );
  return row !== undefined && statusOf(d.ours) === (isTooOld(d) ? 404 : row.status);
}
