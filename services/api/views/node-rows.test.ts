import { asNodeId, asSessionId, INTERFACE_KINDS, type Json, type JsonObject } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { memoryDb } from '@bessemer/db/testing';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { conductorFor } from '@bessemer/rpc';
import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { type Conductors, driverOf } from '../conductors.ts';
import { FAKE_DRIVER } from '../testing.ts';
import { nodeView } from './node.ts';
import { NODE_FIELDS } from './node-fields.ts';
import { createNodeWriter } from './node-rows.ts';

const random = seededRandom(5);
const base = 'http://h"\\:1';
let db: Db;
let conductors: Conductors;
beforeAll(async () => {
  db = await memoryDb({ clock: new ManualClock(), random });
  for (const hostname of ['c1', 'c2'])
    await db.write('conductor', (tx) =>
      tx.conductors.heartbeat(
        { session: asSessionId(random.uuid()), hostname, conductorGroup: '', drivers: [FAKE_DRIVER] },
        3_600_000,
      ),
    );
  conductors = await db.read.conductors.list();
});

const name = fc.oneof(
  fc.constantFrom('password', 'ipmi_password', 'snmp_community', 'x_key', 'configdrive', 'image_url', '__proto__', 'a'),
  fc.string(),
);
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>(null, true, 7, '', '******', 'password":', 'secret'),
    fc.string({ unit: 'binary' }),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(name, tie('json'), { maxKeys: 4 }) as fc.Arbitrary<Json>,
  ),
}));
const object = fc.dictionary(name, json, { maxKeys: 4 }).map((o) => JSON.parse(JSON.stringify(o)) as JsonObject);
const text = fc.option(fc.string({ unit: 'binary' }).filter((t) => t.isWellFormed()));

it('writes what a view of the parsed node shows, byte for byte, at every microversion', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        driverInfo: object,
        driverInternalInfo: object,
        instanceInfo: object,
        extra: object,
        properties: object,
        description: text,
        owner: text,
        lastError: text,
        automatedClean: fc.option(fc.boolean()),
        maintenance: fc.boolean(),
        driver: fc.constantFrom('fake-hardware', 'gone'),
        interfaces: fc.constantFrom({}, { deploy: 'no-deploy', bios: 'no-bios' }),
        inspectionStartedAt: fc.option(fc.nat()),
      }),
      fc.constantFrom('enroll' as const, 'available' as const),
      fc.integer({ min: 1, max: 115 }),
      fc.boolean(),
      async (patch, provisionState, minor, isFull) => {
        const uuid = asNodeId(random.uuid());
        const { inspectionStartedAt, ...created } = patch;
        await db.write('node', (tx) => tx.nodes.create({ uuid, provisionState, ...created }));
        const node = await db.write('node', (tx) => tx.nodes.update(uuid, { inspectionStartedAt }));
        const fields = NODE_FIELDS.filter((f) => f.since <= minor).map((f) => f.wire);
        const view = JSON.stringify(
          nodeView(node, fields, isFull, {
            base,
            minor,
            conductorOf: (n) => conductorFor(n, conductors) ?? null,
            defaultInterface: (n, kind) => driverOf(conductors, n.driver)?.defaults[kind as 'power'] ?? null,
          }),
        );
        const writer = createNodeWriter(fields, { isFull, minor, base, conductors });
        const values = (await db.read.nodes.findValues(writer.columns, uuid))!;
        expect(writer.write(values)).toBe(view);
        expect(writer.writeEach([values, values]).map(String)).toEqual([view, view]);
        expect(Buffer.from(writer.writeAll([values, values], '[', ']')).toString()).toBe(`[${view},${view}]`);
      },
    ),
    { numRuns: 200 },
  );
});

it('reads only the columns that the fields need', () => {
  const options = { isFull: false, minor: 115, base, conductors };
  expect(createNodeWriter(['name'], options).columns).toEqual(['uuid', 'name']);
  expect(createNodeWriter(['name'], { ...options, isHostAsked: true }).columns).toEqual([
    'uuid',
    'driver',
    'conductor_group',
    'name',
  ]);
  expect(createNodeWriter([`${INTERFACE_KINDS[0]}_interface`], options).columns).toHaveLength(4);
});
