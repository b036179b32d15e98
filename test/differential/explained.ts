/** Differences that are meant: each with its reason. Everything else is a fault of Bessemer's. */
import type { Difference } from './compare.ts';

export interface Explanation {
  readonly id: string;
  readonly why: string;
  fits(difference: Difference): boolean;
}

const atEnd = (...names: string[]) => {
  const pattern = new RegExp(`(^|/)(${names.join('|')})$`);
  return (d: Difference) => pattern.test(d.at);
};

export const EXPLAINED: readonly Explanation[] = [
  {
    id: 'newest-version',
    why: 'Bessemer serves microversions up to 1.115; Debian 12 has an Ironic that ends at 1.82.',
    fits: (d) =>
      d.at === 'header x-openstack-ironic-api-maximum-version' ||
      (d.at.endsWith('/version') && d.ironic === '"1.82"' && d.ours === '"1.115"') ||
      (d.at.endsWith('/faultstring') && d.ironic.replace('[1.1, 1.82]', '[1.1, 1.115]') === d.ours),
  },
  {
    id: 'which-version',
    why: 'Where Ironic says that a request is not acceptable, Bessemer goes on to say which part needs which version.',
    fits: (d) =>
      d.at.endsWith('/faultstring') &&
      d.ours.startsWith('"Request not acceptable. ') &&
      d.ironic.startsWith('"Request not acceptable.'),
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
];
