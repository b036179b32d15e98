/** Where the service may send what it is asked to send: addresses that nobody means, and those of a cloud's metadata, are left out. */
import { BlockList, isIP } from 'node:net';

const FORBIDDEN = new BlockList();
// This network, link-local (metadata of clouds), multicast, reserved: RFC 6890, RFC 4291.
FORBIDDEN.addSubnet('0.0.0.0', 8, 'ipv4');
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
FORBIDDEN.addSubnet('224.0.0.0', 3, 'ipv4');
FORBIDDEN.addAddress('::', 'ipv6');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
FORBIDDEN.addSubnet('ff00::', 8, 'ipv6');
FORBIDDEN.addAddress('fd00:ec2::254', 'ipv6');

/** Whether nothing is sent to this IP address (`169.254.169.254`, `::ffff:169.254.1.1`). */
export function isForbiddenAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && FORBIDDEN.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** What is wrong with a URL to send to, or undefined. Names are looked at when they are resolved. */
export function egressProblem(url: string): string | undefined {
  if (url.length > 2048) return 'it is longer than 2048 characters';
  if (!URL.canParse(url)) return 'it is no URL';
  const { protocol, username, password, hostname, hash } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') return 'it must begin with http:// or https://';
  if (username !== '' || password !== '')
    return 'it must not hold a user or password: deliveries are signed with the secret';
  if (hash !== '') return 'a fragment (#) is never sent';
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  if (isForbiddenAddress(address)) return `nothing is sent to ${address}`;
  return undefined;
}

/** An address for messages and logs: without credentials and query, which may carry some. */
export function printableHref(href: string | URL): string {
  if (typeof href === 'string' && !URL.canParse(href)) return JSON.stringify(href.slice(0, 100));
  const url = new URL(href);
  return `${url.protocol}//${url.host}${url.pathname}${url.search ? '?...' : ''}`;
}
