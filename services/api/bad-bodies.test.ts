/** Bodies that no operation takes: too big, too deep, of the wrong type, with fields that are none. */
import { seededRandom } from '@bessemer/ports/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_DEPTH } from './http/body.ts';
import { startApi, type TestApi } from './testing.ts';
import { makeThings, type Things } from './things-testing.ts';

let api: TestApi;
let things: Things;
beforeAll(async () => {
  api = await startApi();
  things = await makeThings(api, seededRandom(61));
});
afterAll(() => api.stop());

const MIB = 1024 * 1024;
const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });
const node = () => `/v1/nodes/${things['node']}`;
const ask = async (method: string, path: string, body: unknown): Promise<[status: number, fault: string]> => {
  const reply = await api.request(method, path, { body });
  return [reply.status, reply.fault ?? String(reply.json['faultstring'] ?? '')];
};

describe('a body that is too big', () => {
  const large = { driver: 'fake-hardware', extra: { a: 'x'.repeat(MIB) } };
  it('is refused with the size that is taken', async () => {
    expect(await ask('POST', '/v1/nodes', large)).toEqual([
      413,
      'The request body is larger than the 1048576 bytes that /v1/nodes takes.',
    ]);
  });

  it('is refused as well when it does not say its size', async () => {
    async function* chunks() {
      for (let i = 0; i < 20; i++) yield new TextEncoder().encode('x'.repeat(MIB / 10));
    }
    const response = await fetch(`${api.url}/v1/nodes`, {
      method: 'POST',
      body: ReadableStream.from(chunks()),
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
    expect(await response.text()).toContain('larger than the 1048576 bytes');
  });

  it('is taken where config drives are sent', async () => {
    const body = { target: 'active', configdrive: 'x'.repeat(2 * MIB) };
    expect((await ask('PUT', `${node()}/states/provision`, body))[0]).not.toBe(413);
  });
});

describe('a body that nests too deep', () => {
  it('is refused before it is parsed', async () => {
    const fault = `The request body nests deeper than ${MAX_DEPTH} levels.`;
    expect(await ask('POST', '/v1/nodes', nested(MAX_DEPTH + 1))).toEqual([400, fault]);
    expect(await ask('POST', '/v1/nodes', '['.repeat(500_000))).toEqual([400, fault]);
    expect(await ask('PATCH', node(), [{ op: 'add', path: '/extra', value: nested(MAX_DEPTH) }])).toEqual([400, fault]);
  });

  it('may be as deep as the limit, and brackets in texts do not count', async () => {
    const patch = [{ op: 'add', path: '/extra', value: nested(MAX_DEPTH - 2) }];
    expect((await ask('PATCH', node(), patch))[0]).toBe(200);
    const text = [{ op: 'add', path: '/extra/text', value: '[{"'.repeat(100) }];
    expect((await ask('PATCH', node(), text))[0]).toBe(200);
  });
});

describe.each<[method: string, path: string, body: unknown, fault: RegExp]>([
  ['POST', '/v1/nodes', [], /^Schema error for node: the body must be an object$/],
  ['POST', '/v1/nodes', '"text"', /the body must be an object/],
  ['POST', '/v1/nodes', 'null', /the body must be an object/],
  ['POST', '/v1/nodes', '', /'driver' is a required property/],
  ['PATCH', '{node}', '', /^Schema error for patch: the body must be an array$/],
  ['POST', '/v1/nodes', '{"driver": ', /^The request body is not JSON: /],
  ['POST', '/v1/nodes', {}, /'driver' is a required property/],
  ['POST', '/v1/nodes', { driver: 7 }, /^Schema error for node: driver must be a string$/],
  ['POST', '/v1/nodes', { driver: 'fake-hardware', extra: 'x' }, /extra must be an object or null/],
  ['POST', '/v1/nodes', { driver: 'fake-hardware', colour: 'red' }, /'colour' was unexpected/],
  ['POST', '/v1/nodes', { driver: 'fake-hardware', description: 'x'.repeat(4097) }, /description .*4096/],
  ['POST', '/v1/nodes', '{"driver": "fake-hardware", "extra": {"a": "\\u0000"}}', /character U\+0000/],
  ['POST', '/v1/nodes', '{"driver": "fake-hardware", "name": "\\ud800"}', /half a surrogate pair/],
  ['POST', '/v1/chassis', { description: 1 }, /^Schema error for chassis: description must be a string or null$/],
  ['POST', '/v1/ports', { address: 'x', node_uuid: {} }, /node_uuid must be a string or null/],
  ['POST', '/v1/ports', { address: '52:54:00:00:00:01', nic: 1 }, /'nic' was unexpected/],
  ['POST', '/v1/deploy_templates', { name: 'CUSTOM_A', steps: [{}] }, /steps\.0: 'interface' is a required property/],
  ['POST', '/v1/volume/targets', { boot_index: 2 ** 31 }, /required property|boot_index/],
  ['POST', '/v1/bulk', { action: 'dance', nodes: ['a'] }, /action is not one of \['provision', 'power',/],
  ['POST', '/v1/bulk', { action: 'delete', nodes: 5 }, /nodes must be/],
  ['PATCH', '{node}', {}, /^Schema error for patch: the body must be an array$/],
  ['PATCH', '{node}', [{ op: 'move', path: '/extra' }], /0\.op is not one of \['add', 'replace', 'remove'\]/],
  ['PATCH', '{node}', [{ op: 'add', path: 'extra', value: 1 }], /0\.path must match pattern/],
  ['PATCH', '{node}', [{ op: 'add', path: '/extra/a' }], /Reason: The operation does not contain a 'value' member$/],
  ['PATCH', '{node}', [{ op: 'add', path: '/colour', value: 1 }], /Cannot patch \/colour\. Only the following/],
  ['PATCH', '{node}', [{ op: 'replace', path: '/extra', value: 'x' }], /extra/],
  ['PUT', '{node}/states/power', {}, /^Missing mandatory parameter: target$/],
  ['PUT', '{node}/states/power', { target: 1 }, /^Expected string for target: 1$/],
  ['PUT', '{node}/states/power', { target: 'power on', timeout: 0 }, /^timeout has to be positive integer$/],
  ['PUT', '{node}/states/power', { target: 'power on', timeout: 'x' }, /^Expected an integer for timeout: x$/],
  ['PUT', '{node}/states/power', { target: null }, /target must be a string/],
  ['PUT', '{node}/states/provision', { target: 'clean', clean_steps: {} }, /clean_steps must be an array or null/],
  ['PUT', '{node}/states/provision', { target: 'manage', disable_ramdisk: {} }, /^Invalid disable_ramdisk: .*'\{\}'/],
  ['PUT', '{node}/maintenance', { why: 'x' }, /^Unexpected arguments: why$/],
  ['PUT', '{node}/maintenance', { reason: [1] }, /^Expected string for reason: \[1\]$/],
  ['PUT', '{node}/traits', { trait: [] }, /^Schema error for body: .*'trait' was unexpected/],
  ['PUT', '{node}/traits', {}, /^A single node trait may be added via PUT/],
  ['POST', '{node}/vifs', { id: 'not a name' }, /^Expected UUID or name for id: not a name$/],
  ['POST', '{node}/vendor_passthru/first_method', [1], /must be an object of its arguments/],
])('%s %s %j', (method, path, body, fault) => {
  it(`is refused with ${fault}`, async () => {
    expect(await ask(method, path.replace('{node}', node()), body)).toEqual([400, expect.stringMatching(fault)]);
  });
});

describe('what a URL cannot name', () => {
  it.each(['/v1/nodes/%00', '/v1/nodes?owner=%00'])('%s', async (path) => {
    expect(await ask('GET', path, undefined)).toEqual([400, expect.stringContaining('U+0000')]);
  });
  it('repeats of a megabyte are cut', async () => {
    const [status, fault] = await ask('POST', '/v1/nodes', { driver: 'x'.repeat(255), ['y'.repeat(500_000)]: 1 });
    expect([status, fault.length]).toEqual([400, 1_503]);
  });
});

describe('a node is put into, and taken out of', () => {
  it('no group and no driver that no conductor serves', async () => {
    for (const [field, value, driver, group] of [
      ['conductor_group', 'far', 'fake-hardware', 'far'],
      ['driver', 'nosuch', 'nosuch', ''],
    ])
      expect(await ask('PATCH', node(), [{ op: 'add', path: `/${field}`, value }])).toEqual([
        400,
        `No valid host was found. Reason: No conductor service registered which supports driver ${driver} for conductor group "${group}".`,
      ]);
    expect(await ask('PATCH', node(), [{ op: 'add', path: '/conductor_group', value: '' }])).toEqual([200, '']);
  });

  it('its chassis and its parent by PATCH', async () => {
    const patch = (field: string, value: unknown) => ask('PATCH', node(), [{ op: 'add', path: `/${field}`, value }]);
    const missing = '99999999-9999-4999-8999-999999999999';
    expect(await patch('chassis_uuid', things['chassis'])).toEqual([200, '']);
    expect(await patch('chassis_uuid', missing)).toEqual([400, `Chassis ${missing} could not be found.`]);
    expect(
      await ask('PATCH', `/v1/nodes/${things['child']}`, [
        { op: 'replace', path: '/parent_node', value: things['node'] },
      ]),
    ).toEqual([200, '']);
    expect(await patch('parent_node', missing)).toEqual([
      400,
      `Unable to apply the requested parent_node '${missing}'. Requested value was invalid.`,
    ]);
  });
});
