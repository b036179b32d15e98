/** Drivers and conductors on the wire. */
import type { ConductorSession, DriverDescription, JsonObject } from '@bessemer/core';
import { formatTime, INTERFACE_KINDS } from '@bessemer/core';
import { linksTo } from './links.ts';

type Row<T> = readonly [wire: string, since: number, read: (item: T) => JsonObject[string]];

type ListedConductor = ConductorSession & { alive: boolean; readonly lastSeenAt: number };
const CONDUCTOR_ROWS: ReadonlyArray<Row<ListedConductor>> = [
  ['created_at', 1, (c) => formatTime(c.startedAt)],
  ['updated_at', 1, (c) => formatTime(c.lastSeenAt)],
  ['hostname', 1, (c) => c.hostname],
  ['conductor_group', 1, (c) => c.conductorGroup],
  ['drivers', 1, (c) => c.drivers.map((d) => d.name).sort()],
  ['alive', 1, (c) => c.alive],
];

const table = <T>(rows: ReadonlyArray<Row<T>>, summary: readonly string[]) => ({
  summary,
  all: rows.map((r) => r[0]),
  since: (field: string) => rows.find((r) => r[0] === field)?.[1] ?? 1,
});
export const conductorFieldTable = table(CONDUCTOR_ROWS, ['hostname', 'conductor_group', 'alive']);

function view<T>(rows: ReadonlyArray<Row<T>>, item: T, fields: readonly string[]): JsonObject {
  return Object.fromEntries(rows.filter((r) => fields.includes(r[0])).map((r) => [r[0], r[2](item)]));
}

/** A conductor that is alive was seen now; a dead one when its session ran out. */
export const conductorView = (
  conductor: ConductorSession & { alive: boolean },
  fields: readonly string[],
  { base, nowMs }: { readonly base: string; readonly nowMs: number },
): JsonObject => ({
  ...view(CONDUCTOR_ROWS, { ...conductor, lastSeenAt: Math.min(conductor.expiresAt, nowMs) }, fields),
  links: linksTo(base, `conductors/${conductor.hostname}`),
});

const KINDS_SINCE: Readonly<Record<string, number>> = { firmware: 86, bios: 40, rescue: 38, storage: 33 };

/** Whether `fields=` may name it; without a microversion, beside its interfaces. */
export const isDriverField = (name: string, minor: number | undefined): boolean =>
  ['name', 'hosts', 'links', 'properties', 'type'].includes(name) ||
  INTERFACE_KINDS.some(
    (kind) =>
      minor !== undefined &&
      (KINDS_SINCE[kind] ?? 1) <= minor &&
      (name === `default_${kind}_interface` || name === `enabled_${kind}_interfaces`),
  );

/** A hardware type; interface lists stand in it from 1.30 on when detail is asked, always when it is shown alone. */
export function driverView(
  driver: DriverDescription,
  hosts: readonly string[],
  options: { base: string; minor: number; isFull: boolean; fields?: readonly string[] },
): JsonObject {
  const { base, minor } = options;
  const body: JsonObject = { name: driver.name, hosts: [...hosts], links: linksTo(base, `drivers/${driver.name}`) };
  if (minor >= 14) body['properties'] = linksTo(base, `drivers/${driver.name}/properties`);
  if (minor >= 30) body['type'] = 'dynamic';
  if (minor >= 30 && (options.isFull || options.fields))
    for (const kind of INTERFACE_KINDS) {
      if (minor < (KINDS_SINCE[kind] ?? 1)) continue;
      body[`default_${kind}_interface`] = driver.defaults[kind];
      body[`enabled_${kind}_interfaces`] = [...driver.interfaces[kind]];
    }
  if (!options.fields) return body;
  return Object.fromEntries(
    Object.entries(body).filter(([name]) => name === 'links' || options.fields!.includes(name)),
  );
}
