/** Hardware types and conductors, as live conductors describe themselves. */
import { ServiceError } from '@bessemer/core';
import { driversByName, readConductors } from '../conductors.ts';
import { booleanParameter, fieldsOf, pageOf } from '../http/query.ts';
import { type Handler, ok } from '../request.ts';
import { collection } from '../views/links.ts';
import { conductorFieldTable, conductorView, driverView } from '../views/small.ts';

export const driverNotFound = (name: string) =>
  new ServiceError('NOT_FOUND', `Could not find the following driver(s) or hardware type(s): ${name}.`);

export const listDrivers: Handler = async (request, services) => {
  const detail = booleanParameter(request.query, 'detail') ?? false;
  const fields = request.query.get('fields')?.split(',');
  if (detail && fields)
    throw new ServiceError('INVALID_PARAMETER', 'Can not specify ?detail=True and fields in the same request.');
  // Classic drivers are gone since long: asked for them, there are none.
  const found =
    request.query.get('type') === 'classic' ? [] : [...driversByName(await readConductors(services)).values()];
  const options = { base: request.base, minor: request.minor, isFull: detail, ...(fields ? { fields } : {}) };
  return ok({ drivers: found.map(({ driver, hosts }) => driverView(driver, hosts, options)) });
};

export const getDriver: Handler = async (request, services) => {
  const name = request.params['driver']!;
  const found = driversByName(await readConductors(services)).get(name);
  if (!found) throw driverNotFound(name);
  const fields = request.query.get('fields')?.split(',');
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
  if (!found) throw driverNotFound(name);
  return ok(
    Object.fromEntries(
      Object.entries(found.driver.properties).map(([key, p]) => [
        key,
        `${p.description} ${p.required ? 'Required.' : 'Optional.'}`,
      ]),
    ),
  );
};

export const listConductors: Handler = async (request, services) => {
  const { query } = request;
  const { fields } = fieldsOf(query, false, conductorFieldTable, request.minor);
  const page = pageOf(query, services.config.max_limit, [
    'hostname',
    'conductor_group',
    'created_at',
    'updated_at',
    'alive',
  ]);
  const all = [...(await readConductors(services))].sort((a, b) => (a.hostname < b.hostname ? -1 : 1));
  if (page.sortDir === 'desc') all.reverse();
  const start = page.marker === undefined ? 0 : all.findIndex((c) => c.hostname === page.marker) + 1;
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
  const found = (await readConductors(services)).find((c) => c.hostname === host);
  if (!found) throw new ServiceError('CONDUCTOR_NOT_FOUND', `Conductor ${host} could not be found.`);
  const fields = request.query.has('fields')
    ? fieldsOf(request.query, false, conductorFieldTable, request.minor).fields
    : conductorFieldTable.all;
  return ok(conductorView(found, fields, { base: request.base, nowMs: services.clock.nowMs() }));
};
