import type { InspectionRule, JsonObject } from '@bessemer/core';
import { describe, expect, it } from 'vitest';
import { createWorld, request } from '../testing.ts';
import { holds } from './conditions.ts';
import { fill } from './interpolate.ts';
import { applyRules, type Found } from './rules.ts';

const context = {
  node: { driver: 'ipmi', driver_info: { ipmi_address: '192.0.2.7' } },
  inventory: { cpu: { count: 8, flags: ['vmx'] }, disks: [{ name: '/dev/sda', size: 10 }], bmc_address: null },
  plugin_data: {},
};

describe('replacement fields', () => {
  it.each([
    ['{node.driver}', 'ipmi'],
    ['{inventory[cpu][count]} cores', '8 cores'],
    ['{inventory[disks][0][name]}', '/dev/sda'],
    ['{node.driver_info[ipmi_address]}', '192.0.2.7'],
    ['{inventory[bmc_address]}', 'None'],
    ['{inventory[cpu][flags]}', '["vmx"]'],
    ['{inventory[nosuch]}', '{inventory[nosuch]}'],
    ['{node.__proto__}', '{node.__proto__}'],
    ['{{not a field}}', '{not a field}'],
  ])('%s', (text, filled) => expect(fill(text, context)).toBe(filled));

  it('are filled at any depth', () =>
    expect(fill({ a: ['{node.driver}', 1, null] }, context)).toEqual({ a: ['ipmi', 1, null] }));
});

describe('conditions', () => {
  const rows: ReadonlyArray<readonly [condition: JsonObject, result: boolean]> = [
    [{ op: 'eq', args: { values: ['{node.driver}', 'ipmi'] } }, true],
    [{ op: '!eq', args: { values: ['{node.driver}', 'ipmi'] } }, false],
    [{ op: 'eq', args: ['{node.driver}', 'ipmi'] }, true],
    [{ op: 'eq', args: { values: ['{inventory[cpu][count]}', 8] } }, false],
    [{ op: 'eq', args: { values: ['{inventory[cpu][count]}', 8], force_strings: true } }, true],
    [{ op: 'ne', args: { values: [1, 2] } }, true],
    [{ op: 'lt', args: { values: [1, 2, 3] } }, true],
    [{ op: 'le', args: { values: [2, 2, 1] } }, false],
    [{ op: 'gt', args: { values: [3, 1] } }, true],
    [{ op: 'ge', args: { values: ['{inventory[cpu][count]}', 10] } }, false],
    [{ op: 'ge', args: { values: [3, 3] } }, true],
    [{ op: 'is-empty', args: { value: '{inventory[nosuch]}' } }, true],
    [{ op: 'is-empty', args: { value: [] } }, true],
    [{ op: 'is-empty', args: { value: 'x' } }, false],
    [{ op: 'is-none', args: { value: '{inventory[bmc_address]}' } }, true],
    [{ op: 'is-true', args: { value: 'Yes' } }, true],
    [{ op: 'is-false', args: { value: 0 } }, true],
    [{ op: 'in-net', args: { address: '{node.driver_info[ipmi_address]}', subnet: '192.0.2.0/24' } }, true],
    [{ op: 'in-net', args: { address: '2001:db8::1', subnet: '192.0.2.0/24' } }, false],
    [{ op: 'one-of', args: { value: '{node.driver}', values: ['ipmi', 'redfish'] } }, true],
    [{ op: 'matches', args: { value: '{node.driver}', regex: 'ip.*' } }, true],
    [{ op: 'matches', args: { value: '{node.driver}', regex: 'ip' } }, false],
    [{ op: 'contains', args: { value: '{node.driver}', regex: 'pm' } }, true],
    [{ op: 'eq', args: { values: ['{item}', 'b'] }, loop: ['a', 'b'] }, true],
    [{ op: 'eq', args: { values: ['{item}', 'b'] }, loop: ['a', 'b'], multiple: 'all' }, false],
    [{ op: 'eq', args: { values: ['{item}', 'b'] }, loop: ['a', 'b'], multiple: 'first' }, false],
    [{ op: 'eq', args: { values: ['{item}', 'b'] }, loop: ['a', 'b'], multiple: 'last' }, true],
  ];
  it.each(rows.map(([condition, result]) => ({ condition, result })))('$condition', ({ condition, result }) =>
    expect(holds(condition, context)).toBe(result),
  );

  it.each([
    { op: 'eq', args: { values: 'x' } },
    { op: 'lt', args: { values: [1, 'a'] } },
    { op: 'matches', args: { value: 'x', regex: '(' } },
    { op: 'in-net', args: { address: '192.0.2.1', subnet: 'zebra' } },
  ])('that cannot be checked fail: $op', (condition) =>
    expect(() => holds(condition as unknown as JsonObject, context)).toThrow(),
  );

  it('hold up nobody with an expression that never ends', () =>
    expect(() => holds({ op: 'matches', args: { value: `${'a'.repeat(60)}!`, regex: '(a+)+' } }, context)).toThrow(
      /takes longer than 100 ms/,
    ));
});

const rule = (more: Partial<InspectionRule>): InspectionRule => ({
  uuid: 'r',
  description: null,
  priority: 0,
  phase: 'main',
  conditions: [],
  actions: [],
  sensitive: false,
  scope: null,
  createdAt: 0,
  updatedAt: null,
  ...more,
});
const found: Found = {
  node: {
    driver: 'ipmi',
    properties: { capabilities: 'a:1,b:2' },
    extra: {},
    driver_info: { ipmi_password: 'hunter2' },
  },
  traits: ['CUSTOM_OLD'],
  ports: [{ uuid: 'p', address: '52:54:00:00:00:01', extra: {} }],
  inventory: { cpu: { count: 8 }, bmc_address: '192.0.2.9' },
  pluginData: { a: { b: 1 } },
};
const act = (...actions: JsonObject[]) => applyRules([rule({ actions })], found);

describe('actions', () => {
  it('change node, traits, capabilities, ports and plugin data', () => {
    const done = act(
      { op: 'set-attribute', args: { path: '/driver_info/ipmi_address', value: '{inventory[bmc_address]}' } },
      { op: 'set-attribute', args: { path: 'resource_class', value: 'cpu-{inventory[cpu][count]}' } },
      { op: 'extend-attribute', args: { path: 'extra/seen', value: 1, unique: true } },
      { op: 'extend-attribute', args: { path: 'extra/seen', value: 1, unique: true } },
      { op: 'set-capability', args: { name: 'a', value: '3' } },
      { op: 'unset-capability', args: { name: 'b' } },
      { op: 'add-trait', args: { name: 'CUSTOM_NEW' } },
      { op: 'remove-trait', args: { name: 'CUSTOM_OLD' } },
      { op: 'set-port-attribute', args: { port_id: '52:54:00:00:00:01', path: 'extra/rack', value: '7' } },
      { op: 'unset-plugin-data', args: { path: 'a.b' } },
      { op: 'set-plugin-data', args: { path: '{item}', value: true }, loop: ['c.d', 'e'] },
      { op: 'log', args: ['{node.driver} was seen', 'warning'] },
    );
    expect(done).toMatchObject({
      failure: null,
      node: {
        resource_class: 'cpu-8',
        extra: { seen: [1] },
        driver_info: { ipmi_address: '192.0.2.9', ipmi_password: 'hunter2' },
        properties: { capabilities: 'a:3' },
      },
      traits: ['CUSTOM_NEW'],
      ports: [{ extra: { rack: '7' } }],
      pluginData: { a: {}, c: { d: true }, e: true },
      log: [{ level: 'warning', text: 'ipmi was seen' }],
    });
    expect(found.node['extra']).toEqual({});
  });

  it.each(['ipmi_password', 'snmp_community', 'bmc_credential', 'redfish_passwd', 'auth_token_of_the_bmc'])(
    'read %s only for a sensitive rule',
    (name) => {
      const leak = { op: 'set-attribute', args: { path: 'extra/p', value: `{node.driver_info[${name}]}` } };
      const all = { ...found, node: { ...found.node, driver_info: { [name]: 'hunter2' } } };
      const read = (sensitive: boolean) => applyRules([rule({ sensitive, actions: [leak] })], all).node['extra'];
      expect(read(false)).toEqual({ p: '******' });
      expect(read(true)).toEqual({ p: 'hunter2' });
    },
  );

  it.each([
    [{ op: 'fail', args: { msg: 'no' } }, 'Inspection rule r: no'],
    [{ op: 'set-attribute', args: { path: 'provision_state', value: 'active' } }, 'cannot change provision_state'],
    [{ op: 'set-attribute', args: { path: 'extra/__proto__/x', value: 1 } }, '__proto__'],
    [{ op: 'set-attribute', args: { path: 'properties/capabilities/x', value: 1 } }, 'is no object'],
    [{ op: 'add-trait', args: { name: 'bad' } }, 'bad is no trait'],
    [{ op: 'set-port-attribute', args: { port_id: 'q', path: 'extra', value: {} } }, 'Port q could not be found'],
  ])('that fail undo all: $op', (action, message) => {
    const done = act({ op: 'set-attribute', args: { path: 'extra/x', value: 1 } }, action as JsonObject);
    expect(done.failure).toContain(message);
    expect(done.node).toBe(found.node);
  });

  it('are taken by priority, and only where all conditions hold', () => {
    const set = (value: string) => [{ op: 'set-attribute', args: { path: 'extra/by', value } }];
    const never = [{ op: 'eq', args: [1, 2] }];
    const done = applyRules(
      [
        rule({ priority: 1, actions: set('low') }),
        rule({ priority: 9, actions: set('high') }),
        rule({ priority: 0, conditions: never, actions: set('never') }),
      ],
      found,
    );
    expect(done.node['extra']).toEqual({ by: 'low' });
  });
});

describe('an inspection', () => {
  it('follows the rules in the transaction that ends it, and fails when a rule says so', async () => {
    const world = await createWorld();
    const conductor = world.conductor();
    await conductor.start();
    const { uuid } = await world.node();
    await world.db.write('test', async (tx) => {
      for (const event of ['manage', 'done'] as const) await tx.nodes.processEvent(uuid, event, {});
      await tx.inspectionRules.create({
        uuid: '00000000-0000-4000-8000-0000000000aa',
        conditions: [{ op: 'gt', args: { values: [8, 4] } }],
        actions: [
          { op: 'set-attribute', args: { path: 'resource_class', value: '{inventory[system_vendor][product_name]}' } },
          { op: 'add-trait', args: { name: 'CUSTOM_SEEN' } },
          { op: 'set-plugin-data', args: { path: 'rule', value: 'was here' } },
        ],
      });
    });
    await conductor.handlers.inspectHardware({ nodeUuid: uuid }, request('i1'));
    const node = await world.reaches(uuid, 'manageable');
    expect(node).toMatchObject({ resourceClass: 'fake-hardware', traits: ['CUSTOM_SEEN'], reservation: null });
    expect((await world.db.read.nodes.getInventory(uuid))!.pluginData['rule']).toBe('was here');

    await world.db.write('test', (tx) =>
      tx.inspectionRules.create({
        uuid: '00000000-0000-4000-8000-0000000000ab',
        description: 'no fakes',
        actions: [{ op: 'fail', args: { msg: 'this is {node.driver}' } }],
      }),
    );
    await conductor.handlers.inspectHardware({ nodeUuid: uuid }, request('i2'));
    const failed = await world.reaches(uuid, 'inspect failed');
    expect(failed.lastError).toBe('Inspection rule no fakes: this is fake-hardware');
    await world.close();
  });
});
