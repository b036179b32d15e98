/** Which conductors live, what they run, and which of them works on a node. */
import {
  type ConductorSession,
  type DriverDescription,
  type InterfaceKind,
  type Node,
  ServiceError,
} from '@bessemer/core';
import type { Repositories } from '@bessemer/db';
import { conductorFor } from '@bessemer/rpc';
import type { ApiServices } from './request.ts';

export type Conductors = ReadonlyArray<ConductorSession & { alive: boolean }>;

export const readConductors = (services: ApiServices): Promise<Conductors> => services.db.read.conductors.list();

/** The hardware type as a live conductor describes it. */
export function driverOf(conductors: Conductors, driver: string): DriverDescription | undefined {
  for (const conductor of conductors) {
    const found = conductor.alive ? conductor.drivers.find((d) => d.name === driver) : undefined;
    if (found) return found;
  }
  return undefined;
}

/** All hardware types of live conductors with the hosts that run them, by name. */
export function driversByName(conductors: Conductors): Map<string, { driver: DriverDescription; hosts: string[] }> {
  const found = new Map<string, { driver: DriverDescription; hosts: string[] }>();
  for (const conductor of conductors.filter((c) => c.alive))
    for (const driver of conductor.drivers) {
      const entry = found.get(driver.name);
      if (entry) entry.hosts.push(conductor.hostname);
      else found.set(driver.name, { driver, hosts: [conductor.hostname] });
    }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Nobody works on such nodes. It is the request's fault where the request names the hardware type or the group. */
export function noValidHost(
  driver: string,
  group: string,
  code: 'DRIVER_NOT_FOUND' | 'NO_VALID_HOST' = 'DRIVER_NOT_FOUND',
): ServiceError {
  return new ServiceError(
    code,
    `No valid host was found. Reason: No conductor service registered which supports driver ${driver} for conductor group "${group}".`,
  );
}

/** Host of the conductor that works on the node. @throws ServiceError NO_VALID_HOST when none lives. */
export async function hostFor(node: Node, services: ApiServices): Promise<string> {
  const host = conductorFor(node, await readConductors(services));
  if (host === undefined) throw noValidHost(node.driver, node.conductorGroup, 'NO_VALID_HOST');
  return host;
}

/** The implementation of a kind that the node uses: its own, or the default of its hardware type. @throws DRIVER_NOT_FOUND. */
export async function interfaceOf(
  node: Node,
  kind: InterfaceKind,
  { conductors }: Pick<Repositories, 'conductors'>,
): Promise<string> {
  const own = node.interfaces[kind];
  if (own !== undefined) return own;
  const driver = driverOf(await conductors.list(), node.driver);
  if (!driver) throw noValidHost(node.driver, node.conductorGroup);
  return driver.defaults[kind];
}
