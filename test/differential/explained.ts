/** Differences that are meant: each with its reason. Everything else is a fault of Bessemer's. */
import type { Difference } from './compare.ts';

export interface Explanation {
  readonly id: string;
  readonly why: string;
  fits(difference: Difference): boolean;
}

/** Ironic's answers begin with the status. */
const statusOf = (text: string) => Number(text.slice(0, 3));
/** `Schema error for node: ...`: whose schema it is. */
const schemaSubject = (text: string) => /^"Schema error for ([\w ]+):/.exec(text)?.[1];

const atEnd = (...names: string[]) => {
  const pattern = new RegExp(`(^|/)(${names.join('|')})$`);
  return (d: Difference) => pattern.test(d.at);
};

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
    id: 'schema-words',
    why: 'What is wrong with a body is said in the words of another validator; what the schema is of, and the status, are the same.',
    fits: (d) => {
      const subject = d.at.endsWith('/faultstring') ? schemaSubject(d.ironic) : undefined;
      return subject !== undefined && subject === schemaSubject(d.ours);
    },
  },
  {
    id: 'no-500',
    why: "Ironic answers 500 to some mistakes of a client's (a body that is no JSON, a path with two slashes); Bessemer says what is wrong.",
    fits: (d) => d.at === 'status' && statusOf(d.ironic) === 500 && statusOf(d.ours) < 500 && d.method !== 'REST',
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
];
