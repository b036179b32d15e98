/** Hardware types and conductors, as live conductors describe themselves. */
import { ServiceError } from '@bessemer/core';
import { driversByName, readConductors } from '../conductors.ts';
import { booleanParameter, fieldsOf, pageOf } from '../http/query.ts';
import { type ApiRequest, type Handler, ok } from '../request.ts';
import { LOGICAL_NAME } from '../resources/resource.ts';
import { collection } from '../views/links.ts';
import { conductorFieldTable, conductorView, driverView, isDriverField } from '../views/small.ts';

export const driverNotFound = (name: string) =>
  new ServiceError('NOT_FOUND', `Could not find the following driver(s) or hardware type(s): ${name}.`);
/** What is below a hardware type Ironic asks a conductor for: none has it. */
export const driverUnknown = (name: string) => new ServiceError('NOT_FOUND', `The driver '${name}' is unknown.`);

/** The names in `fields=`; in a list interfaces are no fields. @throws INVALID_PARAMETER for one that no hardware type has. */
function driverFields(request: ApiRequest, isList: boolean): readonly string[] | undefined {
  const fields = request.query.get('fields')?.split(',');
  const unknown =
    fields?.filter((name) => name !== '' && !isDriverField(name, isList ? undefined : request.minor)) ?? [];
  if (unknown.length > 0)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `Field(s) "${unknown.map((f) => f.slice(0, 60)).join(', ')}" are not valid`,
    );
  return fields;
}

export const listDrivers: Handler = async (request, services) => {
  const detail = booleanParameter(request.query, 'detail') ?? false;
  const fields = driverFields(request, true);
  const type = request.query.get('type');
  if (type !== null && type !== 'classic' && type !== 'dynamic')
    throw new ServiceError('INVALID_PARAMETER', '"type" filter must be one of "classic" or "dynamic", if specified.');
  if (detail && fields)
    throw new ServiceError('INVALID_PARAMETER', 'Can not specify ?detail=True and fields in the same request.');
  // Classic drivers are gone since long: asked for them, there are none.
  const found = type === 'classic' ? [] : [...driversByName(await readConductors(services)).values()];
  const options = { base: request.base, minor: request.minor, isFull: detail, ...(fields ? { fields } : {}) };
  return ok({ drivers: found.map(({ driver, hosts }) => driverView(driver, hosts, options)) });
};

export const getDriver: Handler = async (request, services) => {
  const name = request.params['driver']!;
  const found = driversByName(await readConductors(services)).get(name);
  if (!found) throw driverNotFound(name);
  const fields = driverFields(request, false);
  return ok(
    driverView(found.driver, found.hosts, {
      base: request.base,
      minor: request.minor,
      isFull: true,
      ...(fields ? { fields } : {}),
    }),
  );
};

export const getDriverProperties: Handler = async (request, services) => {
  const name = request.params['driver']!;
  const found = driversByName(await readConductors(services)).get(name);
  if (!found) throw driverUnknown(name);
  return ok(
    Object.fromEntries(
      Object.entries(found.driver.properties).map(([key, p]) => [
        key,
        `${p.description} ${p.required ? 'Required.' : 'Optional.'}`,
      ]),
    ),
  );
};

type Listed = Awaited<ReturnType<typeof readConductors>>[number];
const CONDUCTOR_ORDER: Readonly<Record<string, (conductor: Listed) => string | number>> = {
  hostname: (c) => c.hostname,
  conductor_group: (c) => c.conductorGroup,
  created_at: (c) => c.startedAt,
  updated_at: (c) => c.expiresAt,
};
const compare = (a: string | number, b: string | number) => (a < b ? -1 : a > b ? 1 : 0);
function checkHost(what: string, host: string): void {
  if (!LOGICAL_NAME.test(host))
    throw new ServiceError('INVALID_PARAMETER', `Expected name for ${what}: ${host.slice(0, 60)}`);
}
const conductorNotFound = (host: string) =>
  new ServiceError('CONDUCTOR_NOT_FOUND', `Conductor ${host.slice(0, 255)} could not be found.`);

export const listConductors: Handler = async (request, services) => {
  const { query } = request;
  const { fields } = fieldsOf(query, false, conductorFieldTable, request.minor);
  const sortKeys = Object.keys(CONDUCTOR_ORDER);
  const page = pageOf(query, services.config.max_limit, sortKeys, ['alive', 'drivers']);
  const valueOf = CONDUCTOR_ORDER[page.sortKey ?? 'hostname']!;
  if (page.marker !== undefined) checkHost('marker', page.marker);
  const all = [...(await readConductors(services))].sort(
    (a, b) => compare(valueOf(a), valueOf(b)) || compare(a.hostname, b.hostname),
  );
  if (page.sortDir === 'desc') all.reverse();
  const start = page.marker === undefined ? 0 : all.findIndex((c) => c.hostname === page.marker) + 1;
  if (page.marker !== undefined && start === 0) throw conductorNotFound(page.marker);
  const found = all.slice(start, start + page.limit);
  const items = found.map((c) => conductorView(c, fields, { base: request.base, nowMs: services.clock.nowMs() }));
  return ok(
    collection('conductors', items, {
      base: request.base,
      path: 'conductors',
      limit: page.limit,
      query,
      marker: found.at(-1)?.hostname,
    }),
  );
};

export const getConductor: Handler = async (request, services) => {
  const host = request.params['conductor']!;
  checkHost('hostname', host);
  const found = (await readConductors(services)).find((c) => c.hostname === host);
  if (!found) throw conductorNotFound(host);
  const fields = request.query.has('fields')
    ? fieldsOf(request.query, false, conductorFieldTable, request.minor).fields
    : conductorFieldTable.all;
  return ok(conductorView(found, fields, { base: request.base, nowMs: services.clock.nowMs() }));
};
