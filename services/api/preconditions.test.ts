import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf, entityTag, parseEntityTags } from './http/entity-tags.ts';
import { startApi, type TestApi } from './testing.ts';

let api: TestApi;
beforeAll(async () => void (api = await startApi()));
afterAll(() => api.stop());

let count = 0;
const makeNode = async (more: object = {}) => {
  const name = `e${++count}`;
  const reply = await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', name, ...more } });
  expect(reply.status).toBe(201);
  return { name, uuid: String(reply.json['uuid']), tag: reply.headers.get('etag')! };
};
const patch = (path: string, tag: string, value: unknown, version = 115, at = '/extra/a') =>
  api.request('PATCH', path, {
    body: [{ op: 'add', path: at, value }],
    headers: { 'If-Match': tag },
    version,
  });

describe('entity tags', () => {
  it('are parsed as RFC 9110 has them', () => {
    const tag = entityTag(digestOf('x'), 82, false);
    expect(parseEntityTags(tag)).toEqual([{ text: tag, isWeak: false, minor: 82, isPartial: false }]);
    expect(parseEntityTags(` W/${tag} ,"a,b" `)).toMatchObject([{ isWeak: true, minor: 82 }, { text: '"a,b"' }]);
    expect(parseEntityTags('*')).toBe('*');
    expect(parseEntityTags(entityTag(digestOf('x'), 82, true))).toMatchObject([{ isPartial: true }]);
    expect(parseEntityTags('"999-aaaaaaaaaaaaaaaaaaaaaaaaaaa"')).toMatchObject([{ minor: undefined }]);
    for (const bad of ['', ' ', 'abc', '"', '"a" "b"', '"a"x', `W/${'"a",'.repeat(20)}`, '"a\u0001"'])
      expect(parseEntityTags(bad), bad).toBeUndefined();
  });

  it('stand on whatever shows one object and are the same wherever it is shown', async () => {
    const node = await makeNode();
    const shown = await api.request('GET', `/v1/nodes/${node.name}`);
    expect(shown.headers.get('etag')).toBe(node.tag);
    expect(node.tag).toMatch(/^"115-/);
    const port = await api.request('POST', '/v1/ports', {
      body: { address: '52:54:00:0e:00:01', node_uuid: node.uuid },
    });
    const portPath = `/v1/ports/${String(port.json['uuid'])}`;
    expect((await api.request('GET', portPath)).headers.get('etag')).toBe(port.headers.get('etag'));
    const changed = await api.request('PATCH', portPath, { body: [{ op: 'add', path: '/extra/a', value: 1 }] });
    expect(changed.headers.get('etag')).not.toBe(port.headers.get('etag'));
    expect((await api.request('GET', portPath)).headers.get('etag')).toBe(changed.headers.get('etag'));
    expect((await api.request('GET', '/v1/drivers/fake-hardware')).headers.get('etag')).toMatch(/^"115-/);
    expect((await api.request('GET', `/v1/nodes/${node.name}/states`)).headers.get('etag')).toMatch(/^"115-/);
    expect((await api.request('GET', '/v1/nodes')).headers.get('etag')).toBeNull();
    expect((await api.request('GET', '/v1/nodes/nobody')).headers.get('etag')).toBeNull();
  });

  it('change with a secret that no view shows', async () => {
    const node = await makeNode({ driver_info: { ipmi_password: 'a' } });
    const tags = new Set([node.tag]);
    for (const value of ['b', 'c', 'd'])
      tags.add(
        (await patch(`/v1/nodes/${node.name}`, '*', value, 115, '/driver_info/ipmi_password')).headers.get('etag')!,
      );
    expect(tags.size).toBe(4);
  });

  it('save the body to whom has it', async () => {
    const node = await makeNode();
    const ask = (tag: string, path = `/v1/nodes/${node.name}`) =>
      api.request('GET', path, { headers: { 'If-None-Match': tag } });
    const same = await ask(`"x", W/${node.tag}`);
    expect([same.status, same.text, same.headers.get('etag')]).toEqual([304, '', node.tag]);
    expect((await ask('*')).status).toBe(304);
    expect((await ask('"x"')).status).toBe(200);
    // What cannot be read is ignored, as the standard has it for reading.
    expect((await ask('nonsense')).status).toBe(200);
    const narrow = await ask('"x"', `/v1/nodes/${node.name}?fields=name`);
    expect((await ask(narrow.headers.get('etag')!, `/v1/nodes/${node.name}?fields=name`)).status).toBe(304);
  });
});

describe('If-Match', () => {
  it('lets one of two racing changes through: no update is lost', async () => {
    const node = await makeNode({ extra: { base: true } });
    const path = `/v1/nodes/${node.name}`;
    const replies = await Promise.all(['first', 'second'].map((value) => patch(path, node.tag, value)));
    expect(replies.map((r) => r.status).toSorted()).toEqual([200, 412]);
    const winner = replies.find((r) => r.status === 200)!;
    expect((await api.request('GET', path)).json['extra']).toEqual(winner.json['extra']);
    const loser = replies.find((r) => r.status === 412)!;
    expect(loser.fault).toMatch(
      /^The object is not \(any more\) what If-Match says, "115-.+ read it again, and repeat/,
    );
    // With the tag of the answer the loser goes on.
    expect((await patch(path, winner.headers.get('etag')!, 'third')).status).toBe(200);
  });

  it('loses no update of many clients that add one each', async () => {
    const chassis = await api.request('POST', '/v1/chassis', { body: { extra: { n: 0 } } });
    const path = `/v1/chassis/${String(chassis.json['uuid'])}`;
    const addOne = async (): Promise<void> => {
      for (;;) {
        const now = await api.request('GET', path);
        const n = Number((now.json['extra'] as { n: number }).n);
        const reply = await patch(path, now.headers.get('etag')!, n + 1, 115, '/extra/n');
        if (reply.status === 200) return;
        expect(reply.status).toBe(412);
      }
    };
    await Promise.all(Array.from({ length: 8 }, addOne));
    expect((await api.request('GET', path)).json['extra']).toEqual({ n: 8 });
  });

  it('holds for removal, for what stands below an object, and for orders to a conductor', async () => {
    const node = await makeNode();
    const path = `/v1/nodes/${node.name}`;
    const send = (method: string, below: string, tag: string, body?: unknown) =>
      api.request(method, `${path}${below}`, { headers: { 'If-Match': tag }, ...(body ? { body } : {}) });
    const states = (await api.request('GET', `${path}/states`)).headers.get('etag')!;
    const calls = api.calls.length;
    expect((await send('PUT', '/states/power', '"stale"', { target: 'power on' })).status).toBe(412);
    expect(api.calls.length).toBe(calls);
    expect((await send('PUT', '/states/power', states, { target: 'power on' })).status).toBe(202);
    expect((await send('PUT', '/states/power', node.tag, { target: 'power on' })).status).toBe(202);
    expect(api.calls.length).toBe(calls + 2);
    expect((await send('PUT', '/maintenance', '"stale"', { reason: 'x' })).status).toBe(412);
    expect((await send('PUT', '/maintenance', node.tag, { reason: 'x' })).status).toBe(202);
    expect((await send('DELETE', '', node.tag)).status).toBe(412);
    const now = (await api.request('GET', path)).headers.get('etag')!;
    expect((await send('DELETE', '', `"other", ${now}`)).status).toBe(204);
    expect((await send('DELETE', '', now)).status).toBe(404);
  });

  it('understands a tag of another microversion', async () => {
    const node = await makeNode();
    const path = `/v1/nodes/${node.name}`;
    const old = (await api.request('GET', path, { version: 58 })).headers.get('etag')!;
    expect(old).toMatch(/^"58-/);
    expect((await patch(path, old, 1, 115)).status).toBe(200);
    expect((await patch(path, old, 2, 58)).status).toBe(412);
  });

  it('says why a tag cannot match', async () => {
    const node = await makeNode();
    const path = `/v1/nodes/${node.name}`;
    const narrow = (await api.request('GET', `${path}?fields=name`)).headers.get('etag')!;
    expect((await patch(path, narrow, 1)).fault).toMatch(/A tag of a view with fields= says nothing about the whole/);
    expect((await patch(path, `W/${node.tag}`, 1)).fault).toMatch(/If-Match compares strongly/);
    const bad = await patch(path, 'unquoted', 1);
    expect([bad.status, bad.fault]).toEqual([
      400,
      'If-Match takes * or up to 16 entity tags as ETag gave them, in double quotes, not unquoted',
    ]);
    expect((await patch(path, '*', 1)).status).toBe(200);
    expect((await patch('/v1/nodes/nobody', '*', 1)).status).toBe(404);
    // A request that would be refused anyway is refused for that.
    expect((await patch(path, '"stale"', 1, 115, '/uuid')).status).toBe(400);
  });
});
