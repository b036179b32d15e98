/** Differences that are meant: each with its reason. Everything else is a fault of Bessemer's. */
import type { Difference } from './compare.ts';
import { isBreak } from './explained-faults.ts';
import { EXPLAINED_OF_NODES } from './explained-nodes.ts';
import { faultOf, isNowhere, schemaSubject, statusOf, WHOLE } from './reading.ts';

export interface Explanation {
  readonly id: string;
  readonly why: string;
  fits(difference: Difference): boolean;
}

const atEnd = (...names: string[]) => {
  const pattern = new RegExp(`(^|/)(${names.join('|')})$`);
  return (d: Difference) => pattern.test(d.at);
};

/** Ironic's `next` begins with what it takes for the query. Ours has all of the request's, and leads to the same page. */
function isSameNext(d: Difference): boolean {
  const urls = [d.ironic, d.ours, d.path].map((text) => URL.parse(text.replaceAll('"', ''), 'http://x'));
  const [ironic, ours, asked] = urls;
  if (!d.at.endsWith('/next') || !ironic || !ours || !asked) return false;
  const [theirs, mine] = [ironic.searchParams, ours.searchParams];
  const keeps = [...asked.searchParams].every(
    ([name, value]) => ['limit', 'marker'].includes(name) || mine.get(name) === value,
  );
  const same = ['limit', 'marker'].every((name) => mine.get(name) === theirs.get(name));
  const sorted = (theirs.get('sort_key') ?? 'id') === (mine.get('sort_key') ?? 'id');
  const directed = (theirs.get('sort_dir') ?? 'asc') === (mine.get('sort_dir') ?? 'asc');
  return keeps && same && sorted && directed && ours.pathname.endsWith(asked.pathname);
}

const CANNOT_PATCH = /^"Cannot patch (\S+)\. Only the following can be updated: (.*)"$/;

export const EXPLAINED: readonly Explanation[] = [
  {
    id: 'newest-version',
    why: 'Bessemer serves microversions up to 1.115; Debian 12 has an Ironic that ends at 1.82.',
    fits: (d) =>
      (d.at === 'header x-openstack-ironic-api-maximum-version' && d.ironic === '1.82' && d.ours === '1.115') ||
      (d.at.endsWith('/version') && d.ironic === '"1.82"' && d.ours === '"1.115"') ||
      d.ironic.replace('[1.1, 1.82]', '[1.1, 1.115]') === d.ours,
  },
  {
    id: 'which-version',
    why: 'Where Ironic says that a request is not acceptable or nothing is there, Bessemer goes on to say which part needs which version.',
    fits: (d) =>
      d.at.endsWith('/faultstring') &&
      d.ours.includes('needs API version') &&
      ['"Request not acceptable.', '"Resource could not be found.'].some(
        (words) => d.ironic.startsWith(words) && d.ours.startsWith(`${words} `),
      ),
  },
  {
    id: 'internal-info',
    why: 'driver_internal_info holds the notes of the program that made it; clients are told not to read it.',
    fits: (d) => /(^|\/)driver_internal_info(\/|$)/.test(d.at),
  },
  {
    id: 'more-interfaces',
    why: 'Bessemer enables every implementation that a hardware type supports; Ironic those of its configuration.',
    fits: (d) => {
      if (!/enabled_\w+_interfaces$/.test(d.at)) return false;
      const ours = new Set(JSON.parse(d.ours) as string[]);
      return (JSON.parse(d.ironic) as string[]).every((name) => ours.has(name));
    },
  },
  {
    id: 'more-drivers',
    why: 'Bessemer enables every hardware type; Ironic is started with fake-hardware alone.',
    fits: (d) => {
      if (!atEnd('drivers')(d)) return false;
      const names = (text: string) =>
        (JSON.parse(text) as Array<string | { name: string }>).map((x) => (typeof x === 'string' ? x : x.name));
      const ours = new Set(names(d.ours));
      return names(d.ironic).every((name) => ours.has(name));
    },
  },
  {
    id: 'unordered-words',
    why: 'Ironic lists unknown parameters, and the attributes of a connection, in another order at every start.',
    fits: (d) => {
      const list = /^"Unexpected arguments: (.*)"$|connectivity attributes \((.*?)\) updated unless/;
      const names = (text: string) => list.exec(text)?.slice(1).join('').split(', ').toSorted().join();
      return (
        d.at.endsWith('/faultstring') &&
        names(d.ironic) !== undefined &&
        names(d.ironic) === names(d.ours) &&
        d.ironic.replace(list, '') === d.ours.replace(list, '')
      );
    },
  },
  {
    id: 'schema-words',
    why: 'What is wrong with a body is said in the words of another validator; what the schema is of, and the status, are the same.',
    fits: (d) => {
      const subject = d.at.endsWith('/faultstring') ? schemaSubject(d.ironic) : undefined;
      return subject !== undefined && subject === schemaSubject(d.ours);
    },
  },
  {
    id: 'no-500',
    why: "Ironic answers 500 to some mistakes of a client's (a body that is no JSON, a path with two slashes); Bessemer says what is wrong, or does what is asked.",
    fits: isBreak,
  },
  {
    id: 'arguments-elsewhere',
    why: 'The body of a PUT is JSON, whatever its Content-Type; Ironic takes it for a form where that does not say so.',
    fits: (d) =>
      d.at === 'status' &&
      d.method === 'PUT' &&
      d.sent?.startsWith('Content-Type: ') === true &&
      statusOf(d.ironic) === 400 &&
      statusOf(d.ours) === 202,
  },
  {
    id: 'json-for-all',
    why: 'Answers are JSON whatever was asked for with Accept; Ironic refuses with 406 who does not take it.',
    fits: (d) =>
      d.sent?.startsWith('Accept: ') === true &&
      d.at === 'status' &&
      statusOf(d.ironic) === 406 &&
      statusOf(d.ours) === 200,
  },
  {
    id: 'exact-numbers',
    why: 'An integer beyond 2^53 that would come back as another one is refused. Ironic keeps integers of any length.',
    fits: (d) =>
      d.at === 'status' &&
      statusOf(d.ironic) === 200 &&
      statusOf(d.ours) === 400 &&
      faultOf(d.ours)?.includes('cannot be kept exactly') === true,
  },
  {
    id: 'backfilled-candidates',
    why: 'An allocation that was made for a node that is deployed already names that node; candidates that were given beside it, of which only this node is allowed, are not kept.',
    fits: (d) =>
      d.at.endsWith('/candidate_nodes') && d.ours === '[]' && /^\/v1\/(nodes\/[^/]+\/)?allocation/.test(d.path),
  },
  {
    id: 'own-name',
    why: "The root says whose service it is, and does not link to Ironic's documentation.",
    fits: (d) =>
      (d.path === '/' && /\/(name|description)$/.test(d.at)) || (/^\/v1\/?$/.test(d.path) && d.at === '/links'),
  },
  {
    id: 'own-lock',
    why: 'Ironic locks a node to change it and shows that lock in the answer; Bessemer changes it in one transaction.',
    fits: (d) => d.method === 'PATCH' && d.at === '/reservation' && d.ironic === '"localhost"' && d.ours === 'null',
  },
  {
    id: 'more-headers',
    why: 'Bessemer sends the versions it knows and a request id with every answer, also where no controller was found.',
    fits: (d) =>
      (d.at.startsWith('header x-openstack-ironic-api-') && d.ironic === '(absent)') ||
      (d.at === 'header has openstack-request-id' && d.ironic === 'false') ||
      (d.at === 'header allow' && d.ironic === '(absent)'),
  },
  {
    id: 'route-words',
    why: 'Where Ironic says nothing but the status, Bessemer says what is not there or what version it needs.',
    fits: (d) => d.at === '/error_message/description' && (d.ironic === '""' || d.ours.includes('needs API version')),
  },
  {
    id: 'parameter-words',
    why: 'Of a parameter that is too new Bessemer says which one it is.',
    fits: (d) =>
      d.at.endsWith('/faultstring') &&
      d.ironic.startsWith('"Request not acceptable.') &&
      d.ours.startsWith('"Request not acceptable.'),
  },
  {
    id: 'next-keeps-the-query',
    why: "The link to the next page is this request's own with another marker. Ironic's begins with what it took as defaults and leaves out filters (of /v1/ports?node= and /v1/nodes/ID/ports the node), so that the second page is of other items.",
    fits: isSameNext,
  },
  {
    id: 'patchable',
    why: 'Which fields a patch may touch is listed for the microversion of the request; Ironic lists those of all, some of which it does not have.',
    fits: (d) => {
      const [ironic, ours] = [CANNOT_PATCH.exec(d.ironic), CANNOT_PATCH.exec(d.ours)];
      if (!d.at.endsWith('/faultstring') || !ironic || !ours || ironic[1] !== ours[1]) return false;
      const known = new Set(ironic[2]!.split(', '));
      return ours[2]!.split(', ').every((name) => known.has(name));
    },
  },
  {
    id: 'chassis-uuid',
    why: 'That the UUID of a chassis cannot be changed is said in the words that are used of every other field that cannot.',
    fits: (d) =>
      d.ironic === '"Cannot overwrite UUID for an existing Chassis."' && d.ours.startsWith('"Cannot patch /uuid. '),
  },
  {
    id: 'chassis-patch',
    why: 'The Ironic of Debian 12 takes anything for the UUID of a chassis in a PATCH alone; newer ones refuse it as everywhere else.',
    fits: (d) =>
      d.at === 'status' &&
      d.method === 'PATCH' &&
      d.path === '/v1/chassis/nosuch' &&
      faultOf(d.ironic) === 'Chassis nosuch could not be found.' &&
      faultOf(d.ours) === 'Expected UUID for chassis_uuid: nosuch',
  },
  {
    id: 'path-as-parameter',
    why: 'What follows an item in the path Ironic takes for the value of the parameter `fields`, and of a method that it does not have for its arguments. For Bessemer there is nothing at such a path.',
    fits: (d) => {
      if (d.at === '/error_message/description')
        return (
          /^"The API version does not allow (allocations|deploy templates)"$/.test(d.ironic) &&
          d.ours.startsWith('"There is nothing at ')
        );
      if (d.at !== 'status' || !isNowhere(d.ours)) return false;
      const last = d.path.split('?')[0]!.split('/').at(-1)!;
      if (faultOf(d.ironic) === `Expected UUID for port_uuid: ${d.path.split('/').at(-2)}`) return true;
      if (d.method !== 'GET') return statusOf(d.ironic) === 405 && d.minor !== undefined && d.minor < 55;
      return statusOf(d.ironic) === 406
        ? d.minor !== undefined && d.minor < 77
        : faultOf(d.ironic) === `Field(s) \\\\\\"${last}\\\\\\" are not valid`;
    },
  },
  {
    id: 'post-to-item',
    why: 'Of a POST to an item Ironic takes the end of the path for the body; for Bessemer the method is not allowed there.',
    fits: (d) =>
      d.at === 'status' &&
      d.method === 'POST' &&
      statusOf(d.ours) === 405 &&
      statusOf(d.ironic) === 400 &&
      faultOf(d.ironic)?.endsWith(`: '${d.path.split('/').at(-1)}' is not of type 'object'`) === true,
  },
  {
    id: 'version-first',
    why: 'Where the microversion is older than the whole resource, Bessemer says so before it looks at the rest of the request.',
    fits: (d) =>
      d.at === 'status' &&
      statusOf(d.ironic) === 400 &&
      statusOf(d.ours) === 404 &&
      faultOf(d.ours)?.startsWith('Resource could not be found. ') === true &&
      WHOLE.some(([path, since]) => path.test(d.path) && d.minor !== undefined && d.minor < since),
  },
  {
    id: 'newer-field',
    why: 'A field that came after 1.82 this Ironic does not know; Bessemer says which microversion it needs, as newer ones do.',
    fits: (d) => {
      const field = /^Request not acceptable\. The field (\w+) needs API version 1\.(\d+) /.exec(faultOf(d.ours) ?? '');
      return (
        d.at === 'status' &&
        field !== null &&
        Number(field[2]) > 82 &&
        faultOf(d.ironic)?.endsWith(`Additional properties are not allowed ('${field[1]}' was unexpected)`) === true
      );
    },
  },
  {
    id: 'parent-by-name',
    why: 'Ironic documents that what belongs to a node or port group is found by its name as well as by its UUID, and then finds it by UUID alone.',
    fits: (d) => {
      const [, kind, name] =
        /^\/v1\/(nodes|portgroups)\/([^/]+)\/(?:ports|portgroups|volume\/\w+)(?:\?|$)/.exec(d.path) ?? [];
      if (kind === undefined) return false;
      const missed =
        d.at === 'status' ? (statusOf(d.ironic) === 404 ? faultOf(d.ironic) : undefined) : d.ironic.slice(1, -1);
      const isMissed =
        missed === 'Portgroup None could not be found.' ||
        missed === `${kind === 'nodes' ? 'Node' : 'Portgroup'} ${name} could not be found.`;
      if (!isMissed) return false;
      // Below 1.5 there are no names; what the query then holds is looked at first.
      return d.at === 'status'
        ? statusOf(d.ours) === 200 || (statusOf(d.ours) === 400 && d.path.includes('?detail=') && (d.minor ?? 0) < 43)
        : d.at.endsWith('/faultstring') && d.ours === `"Node ${name} could not be found."`;
    },
  },
  {
    id: 'filters-combine',
    why: 'Asked for an address on a node, Ironic forgets the address; Bessemer answers what is both.',
    fits: (d) =>
      /^\/v1\/(ports|portgroups)\?node=.*&address=/.test(d.path) &&
      /^\/(ports|portgroups)$/.test(d.at) &&
      (JSON.parse(d.ours) as unknown[]).every((item) => d.ironic.includes(JSON.stringify(item).slice(1, -1))),
  },
  {
    id: 'nested-filters',
    why: 'Below a node or a chassis Ironic also takes the filters of the list of all, mostly for nothing; for Bessemer they are unknown there.',
    fits: (d) =>
      /^\/v1\/(nodes\/[^/]+\/ports\?(address|portgroup)|chassis\/[^/]+\/nodes\?associated)=/.test(d.path) &&
      (d.at === 'status' ? faultOf(d.ours) : d.ours.slice(1))?.startsWith('Unexpected arguments: ') === true,
  },
  {
    id: 'nested-actions',
    why: 'Everything is made, shown and removed at its own path. Below a node or a chassis Ironic says of it that it is not permitted (newer ones: that the URL is malformed) or looks at the body first; Bessemer that there is nothing, or what may be done.',
    fits: (d) =>
      d.at === 'status' &&
      /^\/v1\/(nodes\/[^/]+\/(ports|volume\/\w+)|chassis\/[^/]+\/nodes)(\/|$)/.test(d.path) &&
      (faultOf(d.ironic) === 'Operation not permitted.'
        ? statusOf(d.ours) === 405 || isNowhere(d.ours)
        : d.method === 'POST' &&
          statusOf(d.ours) === 405 &&
          faultOf(d.ironic)?.startsWith('Schema error for ') === true),
  },
  {
    id: 'early-volume',
    why: 'As with newer Ironic, volumes can be taken from a node that is not used yet whatever its power is.',
    fits: (d) =>
      d.at === 'status' &&
      d.method === 'DELETE' &&
      d.path === '/v1/volume/connectors/{early}' &&
      statusOf(d.ironic) === 400 &&
      statusOf(d.ours) === 204,
  },
  {
    id: 'foreign-group',
    why: 'A port is in a port group of its own node. Ironic asks that when the port is made, and not of a patch.',
    fits: (d) =>
      d.at === 'status' &&
      d.method === 'PATCH' &&
      d.path.startsWith('/v1/ports/') &&
      statusOf(d.ironic) === 200 &&
      faultOf(d.ours)?.startsWith('Port can not be added to a portgroup belonging to a different node') === true,
  },
  {
    id: 'gate-of-parts',
    why: 'Below 1.19 a port has no local_link_connection. Ironic forgets that when a patch is about a part of it.',
    fits: (d) =>
      d.at === 'status' &&
      d.method === 'PATCH' &&
      d.sent?.includes('"path":"/local_link_connection/') === true &&
      statusOf(d.ironic) === 400 &&
      faultOf(d.ours)?.startsWith('Request not acceptable. The field local_link_connection needs') === true,
  },
  {
    id: 'driver-conflict',
    why: 'Of fields together with detail Bessemer says first that a parameter is too new.',
    fits: (d) =>
      d.at === 'status' &&
      d.path === '/v1/drivers?fields=name,hosts&detail=true' &&
      faultOf(d.ironic)?.startsWith('Can not specify ?detail=True and fields') === true &&
      faultOf(d.ours)?.startsWith('Request not acceptable. The parameter fields needs') === true,
  },
  {
    id: 'empty-controllers',
    why: 'Below a driver Ironic has a place for what is about RAID at which itself there is nothing.',
    fits: (d) =>
      d.at === 'status' &&
      /^\/v1\/drivers\/fake-hardware\/raid(\/nosuch)?$/.test(d.path) &&
      statusOf(d.ironic) === 405 &&
      isNowhere(d.ours),
  },
  {
    id: 'event-stream',
    why: 'GET /v1/events is the stream of events, which Ironic does not have.',
    fits: (d) =>
      d.path === '/v1/events' &&
      (d.at === 'header allow'
        ? d.ironic === 'POST' && d.ours === 'GET, POST'
        : d.at === 'status' && statusOf(d.ironic) === 404 && statusOf(d.ours) === 405 && (d.minor ?? 0) < 54),
  },
  {
    id: 'absent-node',
    why: 'Of the volumes of a node Ironic shows where they would be without looking whether there is such a node.',
    fits: (d) =>
      d.at === 'status' &&
      d.path === '/v1/nodes/{nosuch}/volume' &&
      statusOf(d.ironic) === 200 &&
      faultOf(d.ours) === 'Node {nosuch} could not be found.',
  },
  {
    id: 'priority-text',
    why: 'A priority may be sent as text and is a number: Ironic repeats the text in the answer to the request, and shows the number ever after.',
    fits: (d) => d.at === '/steps/*/priority' && d.method !== 'GET' && d.ironic === `"${d.ours}"`,
  },
  {
    id: 'unknown-in-step',
    why: 'A field that steps do not have is refused in a patch as it is at creation; Ironic drops it without a word.',
    fits: (d) =>
      d.at === 'status' &&
      d.method === 'PATCH' &&
      d.path.startsWith('/v1/deploy_templates/') &&
      d.sent?.includes('"path":"/steps/0/nosuch"') === true &&
      statusOf(d.ironic) === 200 &&
      faultOf(d.ours)?.endsWith("Additional properties are not allowed ('nosuch' was unexpected)") === true,
  },
  {
    id: 'sort-gate',
    why: 'A field that came later cannot be sorted by before; Ironic forgets that for the owner of an allocation.',
    fits: (d) =>
      d.at === 'status' &&
      d.path.startsWith('/v1/allocations?sort_key=owner') &&
      (d.minor ?? 0) < 60 &&
      statusOf(d.ironic) === 200 &&
      statusOf(d.ours) === 406,
  },
  {
    id: 'trait-list',
    why: 'Which traits a node has, and which were asked for, Ironic shows as its program holds them.',
    fits: (d) => {
      const traits = /List of traits .*? does not match the requested traits [^;.]*/;
      return (
        /(faultstring|last_error)$/.test(d.at) &&
        traits.test(d.ours) &&
        d.ironic.includes('List of traits TraitList(') &&
        d.ironic.replace(traits, '') === d.ours.replace(traits, '')
      );
    },
  },
  {
    id: 'internal-columns',
    why: 'Ironic also sorts by columns of its database that it never shows.',
    fits: (d) =>
      d.at === 'status' &&
      d.path === '/v1/ports?sort_key=portgroup_id' &&
      statusOf(d.ironic) === 200 &&
      statusOf(d.ours) === 400,
  },
  {
    id: 'trailing-slash',
    why: 'A slash at the end of a path means nothing to Bessemer; Ironic takes it for a part of the path in some places.',
    fits: (d) =>
      d.at === 'status' &&
      ['/v1/nodes/detail/', '/v1/ports/detail/'].includes(d.path) &&
      statusOf(d.ironic) === 404 &&
      statusOf(d.ours) === 200,
  },
  {
    id: 'unset-to-default',
    why: 'What is removed, or set to null, has its default again; Ironic shows null, which its own schema of answers does not have.',
    fits: (d) =>
      d.ironic === 'null' &&
      d.method === 'PATCH' &&
      ((d.at === '/mode' && d.ours === '"active-backup"' && /"path":"\/mode"/.test(d.sent ?? '')) ||
        (d.at === '/is_smartnic' && d.ours === 'false' && /"path":"\/is_smartnic"/.test(d.sent ?? ''))),
  },
  {
    id: 'reference-words',
    why: 'That a reference must be a UUID is said in the same words for every field.',
    fits: (d) =>
      d.at.endsWith('/faultstring') &&
      d.ironic === '"Expected a UUID or int but received x."' &&
      d.ours === '"Expected UUID for node_uuid: x"',
  },
  {
    id: 'fake-properties',
    why: 'The hardware type for tests can be told to be slow and to fail, and calls required only what it does not work without.',
    fits: (d) =>
      /^\/v1\/drivers\/fake-hardware\/properties\/?$/.test(d.path) &&
      ((/^\/fake_\w+$/.test(d.at) && d.ironic === '(absent)') ||
        (/^\/B[12]$/.test(d.at) && d.ironic.replace('Required.', 'Optional.') === d.ours)),
  },
  {
    id: 'undocumented-route',
    why: "Ironic's router also finds the properties of a driver at a path that its reference does not have and no client asks for.",
    fits: (d) =>
      d.at === 'status' && d.path.startsWith('/v1/drivers/properties?driver_name=') && statusOf(d.ours) === 400,
  },
  {
    id: 'template-marker',
    why: 'A marker is a UUID everywhere. For deploy templates Ironic calls it a name, and then looks for that UUID.',
    fits: (d) =>
      d.path.startsWith('/v1/deploy_templates?marker=') &&
      (d.ironic === '"Expected name for marker: "'
        ? d.ours === '"Expected UUID for marker: "'
        : faultOf(d.ironic) === 'Deploy template x could not be found.' &&
          faultOf(d.ours) === 'Expected UUID for marker: x'),
  },
  {
    id: 'template-words',
    why: 'Newer Ironic speaks of "a template" where the one of Debian 12 speaks of "a deploy template": both have runbooks in mind.',
    fits: (d) =>
      d.at.endsWith('/faultstring') && d.ironic.replace('A deploy template cannot', 'A template cannot') === d.ours,
  },
  ...EXPLAINED_OF_NODES,
];
