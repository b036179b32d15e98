import { describe, expect, it } from 'vitest';
import { checkNetwork } from './network.ts';
import type { BootNetwork } from './network.ts';

const good: BootNetwork = {
  name: 'provisioning',
  interface: 'br0',
  address: '198.51.100.1',
  cidr: '198.51.100.0/24',
  dhcp: 'own',
  dhcpRange: '198.51.100.100,198.51.100.199',
};

describe('checkNetwork', () => {
  it('works out mask, network and range', () => {
    expect(checkNetwork(good)).toEqual({
      ok: true,
      network: {
        ...good,
        netAddress: '198.51.100.0',
        netmask: '255.255.255.0',
        leaseSeconds: 3600,
        range: { first: '198.51.100.100', last: '198.51.100.199', count: 100 },
      },
    });
    expect(checkNetwork({ ...good, address: '10.200.3.1', cidr: '10.200.0.0/9', dhcp: 'none' })).toMatchObject({
      network: { netAddress: '10.128.0.0', netmask: '255.128.0.0' },
    });
  });

  it.each<[string, Partial<BootNetwork>, RegExp]>([
    ['a name with a line break', { name: 'a\ndhcp-script=/bin/sh' }, /name must be/],
    ['an interface with a comma', { interface: 'br0,lo' }, /no name of an interface/],
    ['a network without prefix', { cidr: '198.51.100.0' }, /not of the form/],
    ['a network of one address', { cidr: '198.51.100.0/32' }, /not of the form/],
    ['an address outside', { address: '192.0.2.1' }, /no host address of/],
    ['the broadcast address', { address: '198.51.100.255' }, /no host address of/],
    ['no address', { address: '198.51.100.01' }, /no IPv4 address/],
    ['a router elsewhere', { router: '192.0.2.1' }, /router 192.0.2.1 is no host/],
    ['no range', { dhcpRange: '' }, /dhcpRange is needed/],
    ['half a range', { dhcpRange: '198.51.100.5' }, /dhcpRange is needed/],
    ['a range that runs backwards', { dhcpRange: '198.51.100.9,198.51.100.5' }, /backwards/],
    ['a range with our address', { dhcpRange: '198.51.100.1,198.51.100.5' }, /holds our own address/],
    ['a lease of a second', { leaseSeconds: 1 }, /at least 120/],
  ])('refuses %s and says so', (_case, change, why) => {
    const result = checkNetwork({ ...good, ...change });
    expect(result.ok).toBe(false);
    if (!result.ok) expect(result.problems.join('\n')).toMatch(why);
  });

  it('says everything that is wrong at once', () => {
    const result = checkNetwork({ ...good, name: '', address: 'x', leaseSeconds: 0 });
    expect(result).toMatchObject({ ok: false, problems: { length: 3 } });
  });
});
