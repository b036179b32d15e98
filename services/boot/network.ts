/** The network that machines boot from, checked: what is wrong with it is said all at once. Pure. */

export interface BootNetwork {
  readonly name: string;
  /** The interface, in the network namespace of this process. */
  readonly interface: string;
  /** Our IPv4 address on it: base of every URL told to a machine of this network. */
  readonly address: string;
  /** As `198.51.100.0/24`. */
  readonly cidr: string;
  /** `own`: we give addresses; `proxy`: another server does, we add where to boot from; `none`: neither. */
  readonly dhcp: 'own' | 'proxy' | 'none';
  /** `first,last`: the addresses given when `dhcp` is `own`. */
  readonly dhcpRange?: string;
  /** The default router told to machines; without it none is told. */
  readonly router?: string;
  /** 3600 unless given. */
  readonly leaseSeconds?: number;
}

/** A network with its numbers worked out. */
export interface CheckedNetwork extends BootNetwork {
  readonly netAddress: string;
  readonly netmask: string;
  readonly range?: { readonly first: string; readonly last: string; readonly count: number };
  readonly leaseSeconds: number;
}

export type NetworkResult = { ok: true; network: CheckedNetwork } | { ok: false; problems: string[] };

export function checkNetwork(network: BootNetwork): NetworkResult {
  const problems: string[] = [];
  const bad = (what: string) => void problems.push(`network ${JSON.stringify(network.name)}: ${what}`);
  // dnsmasq reads a comma or a newline in a value as more configuration.
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(network.name)) bad('the name must be letters, digits, . _ -');
  if (!/^[A-Za-z0-9][A-Za-z0-9_.@-]{0,14}$/.test(network.interface))
    bad(`${JSON.stringify(network.interface)} is no name of an interface`);
  const [base = '', bits = ''] = network.cidr.split('/');
  const prefix = /^[0-9]{1,2}$/.test(bits) ? Number(bits) : Number.NaN;
  const baseNumber = parseIpv4(base);
  if (baseNumber === undefined || !(prefix >= 8 && prefix <= 30)) {
    bad(`cidr ${JSON.stringify(network.cidr)} is not of the form 198.51.100.0/24 (prefix 8 to 30)`);
    return { ok: false, problems };
  }
  const mask = (0xffffffff << (32 - prefix)) >>> 0;
  const first = (baseNumber & mask) >>> 0;
  const last = (first | ~mask) >>> 0;
  const host = (label: string, text: string): number | undefined => {
    const value = parseIpv4(text);
    if (value === undefined) bad(`${label} ${JSON.stringify(text)} is no IPv4 address`);
    else if (value <= first || value >= last) bad(`${label} ${text} is no host address of ${network.cidr}`);
    else return value;
    return undefined;
  };
  const own = host('address', network.address);
  if (network.router !== undefined) host('router', network.router);
  let range: CheckedNetwork['range'];
  if (network.dhcp === 'own') {
    const [from, to, ...rest] = (network.dhcpRange ?? '').split(',').map((s) => s.trim());
    if (!from || !to || rest.length > 0) bad('dhcp is own, so dhcpRange is needed: first,last');
    else {
      const a = host('first address of dhcpRange', from);
      const b = host('last address of dhcpRange', to);
      if (a !== undefined && b !== undefined) {
        if (a > b) bad(`dhcpRange runs backwards: ${from} to ${to}`);
        else if (own !== undefined && own >= a && own <= b) bad(`dhcpRange holds our own address ${network.address}`);
        else range = { first: from, last: to, count: b - a + 1 };
      }
    }
  }
  const leaseSeconds = network.leaseSeconds ?? 3600;
  // dnsmasq takes two minutes as the least.
  if (!Number.isInteger(leaseSeconds) || leaseSeconds < 120) bad('leaseSeconds must be a whole number of at least 120');
  if (problems.length > 0) return { ok: false, problems };
  const checked = { ...network, netAddress: formatIpv4(first), netmask: formatIpv4(mask), leaseSeconds };
  return { ok: true, network: range ? { ...checked, range } : checked };
}

function parseIpv4(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}$/.test(text)) return undefined;
  const parts = text.split('.').map(Number);
  return parts.some((n) => n > 255) ? undefined : parts.reduce((sum, n) => sum * 256 + n, 0);
}

function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}
