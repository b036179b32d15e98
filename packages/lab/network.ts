/**
 * The lab's network: one namespace with one bridge, one tap per server, and the address of every BMC. Nothing in it touches
 * the host's own network; taking the namespace away takes bridge and taps with it.
 */
import { existsSync, readdirSync } from 'node:fs';
import { sleep } from '@bessemer/ports';
import type { Clock, Log } from '@bessemer/ports';
import { runCommand, tryCommand } from './process.ts';

/** TEST-NET-2 (RFC 5737): addresses that are nobody's. */
const SUBNET = '198.51.100';
export const GATEWAY = `${SUBNET}.1`;
export const CIDR = `${SUBNET}.0/24`;
const BRIDGE = 'br0';
/** BMC addresses are .201 to .250; the addresses below .200 are for DHCP. */
export const MAX_NODES = 50;

export const bmcAddressOf = (index: number): string => `${SUBNET}.${201 + index}`;
export const tapOf = (index: number): string => `tap${index}`;

/** The commands that make the network, in order. Pure. */
export function networkPlan(namespace: string, nodeCount: number): string[][] {
  const inside = (...args: string[]): string[] => ['ip', '-n', namespace, ...args];
  const indexes = Array.from({ length: nodeCount }, (_, index) => index);
  return [
    ['ip', 'netns', 'add', namespace],
    inside('link', 'set', 'lo', 'up'),
    // Without a forward delay: a bridge in its STP delay eats the first DHCP tries.
    inside('link', 'add', BRIDGE, 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0'),
    inside('addr', 'add', `${GATEWAY}/24`, 'dev', BRIDGE),
    inside('link', 'set', BRIDGE, 'up'),
    ...indexes.flatMap((index) => [
      inside('addr', 'add', `${bmcAddressOf(index)}/24`, 'dev', BRIDGE),
      inside('tuntap', 'add', 'dev', tapOf(index), 'mode', 'tap'),
      inside('link', 'set', tapOf(index), 'master', BRIDGE, 'up'),
    ]),
  ];
}

const NAMESPACES = '/run/netns';

export const namespaceExists = (namespace: string): boolean => existsSync(`${NAMESPACES}/${namespace}`);

/** Makes the network. What an earlier, killed run left under the same name is taken away first. */
export async function createNetwork(options: {
  namespace: string;
  nodeCount: number;
  clock: Clock;
  log: Log;
}): Promise<void> {
  const { namespace, nodeCount, log } = options;
  if (nodeCount > MAX_NODES) throw new Error(`a lab has at most ${MAX_NODES} servers, not ${nodeCount}`);
  if (namespaceExists(namespace)) {
    log.warn('taking away what an earlier run left', { namespace });
    await destroyNetwork(options);
  }
  for (const command of networkPlan(namespace, nodeCount)) await runCommand(command);
}

async function processesIn(namespace: string): Promise<number[]> {
  const { stdout } = await tryCommand(['ip', 'netns', 'pids', namespace]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/**
 * Takes the network away with every process in it: a namespace with a live process keeps its taps. Does nothing when there
 * is none. Throws when a process does not die within 10 s.
 */
export async function destroyNetwork(options: { namespace: string; clock: Clock }): Promise<void> {
  const { namespace, clock } = options;
  if (!namespaceExists(namespace)) return;
  const until = clock.monotonicMs() + 10_000;
  for (let pids = await processesIn(namespace); pids.length > 0; pids = await processesIn(namespace)) {
    if (clock.monotonicMs() > until)
      throw new Error(`network namespace ${namespace}: processes ${pids.join(', ')} do not end`);
    for (const pid of pids)
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself in between.
      }
    await sleep(clock, 20);
  }
  await runCommand(['ip', 'netns', 'del', namespace]);
  // `ip netns add` mounts the directory on itself; with the last namespace that mount is nobody's any more.
  if (readdirSync(NAMESPACES).length === 0) await tryCommand(['umount', NAMESPACES]);
}

/** The IPv4 address that the lab's gateway last saw a network card under (its ARP table). */
export async function addressOfMac(mac: string): Promise<string | undefined> {
  const { stdout } = await tryCommand(['ip', '-4', 'neigh', 'show', 'dev', BRIDGE]);
  for (const line of stdout.split('\n')) {
    const [address, , lladdr] = line.split(' ');
    if (lladdr?.toLowerCase() === mac.toLowerCase()) return address;
  }
  return undefined;
}
