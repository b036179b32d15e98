/** One request for a source over http(s): which addresses nothing is fetched from, how long silence is borne, what is tried again. */
import { lookup as systemLookup } from 'node:dns';
import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { printableHref } from '@bessemer/core';
import { type Clock, type Random, sleep } from '@bessemer/ports';
import { ImageError, systemCode } from './errors.ts';

export interface RequestPolicy {
  /** A transfer that brings nothing for so long is interrupted. */
  readonly idleMs: number;
  readonly retries: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** What may have passed when it is tried again. */
export class Interrupted extends Error {}

/** The bytes as they are: a digest is that of the file. */
export const SOURCE_HEADERS = { 'accept-encoding': 'identity', 'user-agent': 'bessemer-depot' } as const;
const MAX_REDIRECTS = 5;
const FIRST_RETRY_MS = 500;

/** Addresses that nothing comes from: the services of a cloud's hypervisor, and the machine itself when a redirect points there. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('169.254.0.0', 16);
LINK_LOCAL.addSubnet('fe80::', 10, 'ipv6');
// The same where addresses of IPv4 are reached through NAT64 (RFC 6052).
LINK_LOCAL.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');
// The unspecified addresses lead to the machine itself.
LINK_LOCAL.addSubnet('0.0.0.0', 8);
LINK_LOCAL.addAddress('::', 'ipv6');
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

/** Node decodes credentials for the request, and throws without a word about whose they are. */
function isDecodable(part: string): boolean {
  try {
    decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

/** The answer to a GET, redirects followed. @throws ImageError, Interrupted, or what the signal brings. */
export function requestHref(
  href: URL,
  headers: OutgoingHttpHeaders,
  signal: AbortSignal,
  redirects = MAX_REDIRECTS,
  isRedirect = false,
): Promise<IncomingMessage> {
  const blocked = (address: string): boolean => {
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    return LINK_LOCAL.check(address, family) || (isRedirect && LOOPBACK.check(address, family));
  };
  const refusal = (): ImageError =>
    new ImageError('FORBIDDEN_SOURCE', `${printableHref(href)} leads to an address that nothing may be fetched from`);
  const host = href.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) && blocked(host)) return Promise.reject(refusal());
  if (!isDecodable(href.username) || !isDecodable(href.password))
    return Promise.reject(
      new ImageError(
        'UNREACHABLE',
        `${printableHref(href)}: the user name or the password in it is not percent-encoded UTF-8`,
      ),
    );
  return new Promise((resolve, reject) => {
    const client = href.protocol === 'https:' ? https : http;
    const lookup: typeof systemLookup = ((name: string, options: object, callback: (...args: unknown[]) => void) =>
      systemLookup(name, { ...options, all: true }, (error, addresses) => {
        if (error) return callback(error);
        const first = addresses[0];
        if (!first || addresses.some((a) => blocked(a.address))) return callback(refusal());
        if ('all' in options && options.all) return callback(null, addresses);
        callback(null, first.address, first.family);
      })) as typeof systemLookup;
    const outgoing = client.get(href, { headers, signal, lookup, agent: false }, (response) => {
      const location = response.headers.location;
      if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || !location) return resolve(response);
      response.destroy();
      const next = URL.canParse(location, href.href) ? new URL(location, href.href) : undefined;
      if (!next || !['http:', 'https:'].includes(next.protocol) || redirects === 0)
        return reject(
          new ImageError('UNREACHABLE', `${printableHref(href)} redirects to where nothing can be fetched from`),
        );
      const sameMachine = next.host === href.host;
      requestHref(next, headers, signal, redirects - 1, isRedirect || !sameMachine).then(resolve, reject);
    });
    outgoing.on('error', (error) => {
      if (error instanceof ImageError || signal.aborted) return reject(error);
      const code = systemCode(error);
      // A name that does not exist will not appear within seconds; everything else on the way may pass.
      if (code === 'ENOTFOUND')
        return reject(
          new ImageError('UNREACHABLE', `${printableHref(href)}: the name of the server is unknown`, { cause: error }),
        );
      reject(new Interrupted(error.message));
    });
  });
}

/** Gives up an answer that brings no file. @throws ImageError, or Interrupted where it may pass. */
export function checkStatus(href: URL, response: IncomingMessage): void {
  const status = response.statusCode ?? 0;
  if (status === 200) return;
  response.destroy();
  const shown = printableHref(href);
  if (status === 404 || status === 410) throw new ImageError('NOT_FOUND', `${shown} does not exist (HTTP ${status})`);
  if (status >= 500 || status === 429) throw new Interrupted(`the server answered HTTP ${status}`);
  throw new ImageError('UNREACHABLE', `${shown} was refused by its server: HTTP ${status}`);
}

/** The bytes that an answer says it has; null when it does not say. */
export function lengthOf(response: IncomingMessage): number | null {
  const length = response.headers['content-length'];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : null;
}

/** Does `transfer` under a signal that ends it when `alive` is not called for `idleMs`. @throws Interrupted then. */
export async function whileAlive<T>(
  { clock, idleMs, signal }: RequestPolicy,
  transfer: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  const idle = new AbortController();
  let timer = clock.setTimer(idleMs, () => idle.abort(), { background: true });
  const alive = (): void => {
    timer.cancel();
    timer = clock.setTimer(idleMs, () => idle.abort(), { background: true });
  };
  try {
    return await transfer(AbortSignal.any([signal, idle.signal]), alive);
  } catch (error) {
    if (idle.signal.aborted && !signal.aborted) throw new Interrupted(`nothing came for ${idleMs} ms`);
    throw error;
  } finally {
    timer.cancel();
  }
}

export const unreachable = (href: URL, cause: Interrupted): ImageError =>
  new ImageError('UNREACHABLE', `${printableHref(href)} cannot be read: ${cause.message}`, { cause });

/** The more failures, the longer. */
export const pauseBeforeRetry = ({ clock, random, signal }: RequestPolicy, failures: number): Promise<void> =>
  sleep(clock, FIRST_RETRY_MS * 2 ** failures * (0.5 + random.float() / 2), signal);
