import { once } from 'node:events';
import { get } from 'node:http';
import { connect } from 'node:net';
import { asNodeId, asRunId } from '@bessemer/core';
import { ManualClock } from '@bessemer/ports/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTooDeep } from './http/body.ts';
import { startApi, type TestApi } from './testing.ts';

let api: TestApi;
beforeAll(async () => void (api = await startApi()));
afterAll(() => api.stop());

describe('microversions', () => {
  it('are told on every answer, also on refusals', async () => {
    for (const version of [1, 50, 'latest', '1.999', 'x.y']) {
      const reply = await api.request('GET', '/v1/nodes', { version });
      expect(reply.headers.get('x-openstack-ironic-api-minimum-version')).toBe('1.1');
      expect(reply.headers.get('x-openstack-ironic-api-maximum-version')).toBe('1.115');
    }
  });

  it('default to 1.1, take latest and the common header, and refuse what is not served', async () => {
    const version = async (headers: Record<string, string>) => {
      const reply = await fetch(`${api.url}/v1/nodes`, { headers });
      return [reply.status, reply.headers.get('x-openstack-ironic-api-version')];
    };
    expect(await version({})).toEqual([200, '1.1']);
    expect(await version({ 'X-OpenStack-Ironic-API-Version': 'latest' })).toEqual([200, '1.115']);
    expect(await version({ 'OpenStack-API-Version': 'compute 2.1, baremetal 1.50' })).toEqual([200, '1.50']);
    expect(await version({ 'X-OpenStack-Ironic-API-Version': '1.116' })).toEqual([406, null]);
    expect(await version({ 'X-OpenStack-Ironic-API-Version': '2.0' })).toEqual([406, null]);
    expect(await version({ 'X-OpenStack-Ironic-API-Version': '1' })).toEqual([406, null]);
  });

  it('are read as Ironic reads them, and refused in the form of who reads them', async () => {
    const asked = async (version: string, path = '/v1/nodes') => {
      const { status, headers, json } = await api.request('GET', path, { version });
      const error = status === 200 ? {} : JSON.parse(String(json['error_message']));
      return [status, headers.get('x-openstack-ironic-api-version') ?? error.faultstring ?? error.description];
    };
    for (const version of ['01.05', '+1.5', '1. 5', '1 .5']) expect(await asked(version)).toEqual([200, '1.5']);
    expect(await asked('-1.1')).toEqual([406, expect.stringContaining('Version -1.1 requested but not supported')]);
    const wrong = [406, 'Invalid value for X-OpenStack-Ironic-API-Version header'];
    expect(await asked('1.5, 1.6')).toEqual(wrong);
    expect(await asked('1.x', '/v1/')).toEqual(wrong);
    const { json } = await api.request('GET', '/v1', { version: '1.x' });
    expect(JSON.parse(String(json['error_message']))).toHaveProperty('faultstring');
    expect((await api.request('GET', '/', { version: '1.999' })).json).toHaveProperty('versions');
  });

  it('hide operations of later versions with 404', async () => {
    expect((await api.request('GET', '/v1/conductors', { version: 48 })).status).toBe(404);
    expect((await api.request('GET', '/v1/conductors', { version: 49 })).status).toBe(200);
  });

  it('stand in the root documents, with the resources of each version', async () => {
    const root = await api.request('GET', '/');
    expect(root.json['default_version']).toMatchObject({
      id: 'v1',
      status: 'CURRENT',
      min_version: '1.1',
      version: '1.115',
    });
    expect((await api.request('GET', '/v1/', { version: 48 })).json).not.toHaveProperty('conductors');
    expect((await api.request('GET', '/v1', { version: 49 })).json).toHaveProperty('conductors');
  });
});

describe('the envelope', () => {
  it('is JSON text inside JSON, with a request id beside it', async () => {
    const missing = await api.request('GET', '/v1/nodes/nosuch');
    expect(missing.status).toBe(404);
    expect(JSON.parse(String(missing.json['error_message']))).toEqual({
      faultcode: 'Client',
      faultstring: 'Node nosuch could not be found.',
      debuginfo: null,
    });
    expect(missing.headers.get('openstack-request-id')).toMatch(/^req-[0-9a-f-]{36}$/);
  });

  it('has the form of the web framework where no controller is found, and for versions', async () => {
    const inner = async (path: string, version?: string) =>
      JSON.parse(String((await api.request('GET', path, version ? { version } : {})).json['error_message']));
    expect(await inner('/v2')).toEqual({ code: 404, title: 'Not Found', description: 'There is nothing at /v2.' });
    expect(await inner('/v1/nodes/n/history', '1.77')).toMatchObject({ code: 404, title: 'Not Found' });
    expect(await inner('/v1/nodes', '1.999')).toEqual({
      code: 406,
      title: 'Not Acceptable',
      description:
        'Version 1.999 was requested but the minor version is not supported by this service. The supported version range is: [1.1, 1.115].',
    });
  });

  it('says which methods are possible', async () => {
    const refused = await api.request('PUT', '/v1/nodes', { body: {} });
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'DELETE, GET, PATCH, POST']);
  });

  it('allows no method of shards before there are any', async () => {
    for (const [version, method, status] of [
      [81, 'GET', 404],
      [81, 'POST', 405],
      [81, 'DELETE', 405],
      [82, 'POST', 405],
    ] as const)
      expect((await api.request(method, '/v1/shards', { version })).status).toBe(status);
    const { fault } = await api.request('POST', '/v1/shards', { version: 81 });
    expect(fault).toMatch(/^The API version does not allow shards\. /);
  });

  it('says which methods are possible below a node that has no traits yet', async () => {
    for (const path of ['/v1/nodes/n/traits', '/v1/nodes/n/traits/CUSTOM_A']) {
      const refused = await api.request('PUT', path, { version: 36, body: {} });
      expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'DELETE, GET, PATCH, POST']);
    }
    const raid = await api.request('GET', '/v1/nodes/n/states/raid', { version: 11 });
    expect([raid.status, raid.headers.get('allow')]).toEqual([405, 'PUT']);
  });

  it('refuses bodies that are no JSON, nest too deep or are too large', async () => {
    expect((await api.request('POST', '/v1/nodes', { body: 'not json' })).fault).toMatch(
      /^The request body is not JSON: /,
    );
    expect((await api.request('POST', '/v1/nodes', { body: '['.repeat(30) })).fault).toBe(
      'The request body nests deeper than 25 levels.',
    );
    const large = await api.request('POST', '/v1/nodes', { body: `{"driver":"${'x'.repeat(1024 * 1024)}"}` });
    expect([large.status, large.json['faultcode']]).toEqual([413, 'Client']);
    expect((await api.request('POST', '/v1/nodes')).status).toBe(400);
  });

  it('measures depth outside strings only', () => {
    expect(isTooDeep(JSON.stringify({ a: '[[[[[[\\"[[[' }), 2)).toBe(false);
    expect(isTooDeep('[[[1]]]', 2)).toBe(true);
  });

  it('never shows what went wrong inside', async () => {
    const broken = await startApi();
    await broken.db.close();
    const reply = await broken.request('GET', '/v1/nodes');
    expect(reply.status).toBe(500);
    expect(reply.fault).toMatch(/^Something went wrong on our side\. The log has the details under error id req-/);
    await broken.stop().catch(() => {});
  });
});

describe('requests as they come over the wire', () => {
  /** What is answered to these bytes, on a connection of their own. */
  const raw = async (...lines: string[]): Promise<string> => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1').setEncoding('utf8');
    socket.end(`${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) text += chunk;
    return text;
  };
  const local = 'Host: localhost';

  it('may be for any target: none ends the service', async () => {
    expect(await raw('GET * HTTP/1.1', local)).toMatch(/^HTTP\/1.1 404 /);
    expect(await raw('OPTIONS * HTTP/1.1', local)).toMatch(/^HTTP\/1.1 200 /);
    expect(await raw('GET //[ HTTP/1.1', local)).toMatch(/^HTTP\/1.1 404 /);
    expect(await raw('GET mailto:x HTTP/1.1', local)).toMatch(/^HTTP\/1.1 400 /);
    expect(await raw('GET http://localhost?x=1 HTTP/1.1', local)).toContain('Unexpected arguments: x');
    expect(await raw('GET http://localhost/v1/nodes/nosuch HTTP/1.1', local)).toContain(
      'Node nosuch could not be found',
    );
    expect((await api.request('GET', '/v1/nodes')).status).toBe(200);
  });

  it('find the service in links also when they name no host', async () => {
    expect(await raw('GET / HTTP/1.0')).toContain(`"href":"${api.url}/v1/"`);
  });

  it('from balancers are answered: OPTIONS anywhere, HEAD outside of /v1', async () => {
    const options = await raw('OPTIONS /v1/nodes HTTP/1.0');
    expect(options).toMatch(/^HTTP\/1.1 200 /);
    expect(options).toContain('\r\nAllow: GET, POST\r\n');
    expect(await raw('OPTIONS /nosuch HTTP/1.0')).toMatch(/^HTTP\/1.1 200 /);
    for (const path of ['/', '/healthcheck']) expect((await api.request('HEAD', path)).status).toBe(200);
    expect((await api.request('HEAD', '/v1/nodes')).status).toBe(405);
  });

  it('may have any letter of the path encoded', async () => {
    expect((await api.request('GET', '/%761/%6eodes/no%73uch')).fault).toBe('Node nosuch could not be found.');
  });

  it('that have lost the name of the node change none', async () => {
    for (const path of ['/v1/nodes//states/provision', '/v1/nodes//maintenance', '/v1/nodes//'])
      expect(await api.request('PUT', path, { body: {} })).toMatchObject({
        status: 400,
        fault: 'Missing mandatory parameter: node_ident',
      });
    expect((await api.request('DELETE', '/v1/nodes/n/vifs/')).fault).toBe('Missing mandatory parameter: vif_id');
  });

  it('are text in UTF-8, with or without a byte order mark', async () => {
    const post = async (body: Uint8Array) => {
      const answer = await fetch(`${api.url}/v1/chassis`, { method: 'POST', body });
      return [answer.status, await answer.text()];
    };
    expect(await post(Buffer.from('\uFEFF{"description":"é"}'))).toEqual([201, expect.stringContaining('"é"')]);
    expect(await post(Buffer.from('{"description":"é"}', 'latin1'))).toEqual([400, expect.stringContaining('UTF-8')]);
  });

  it('are refused with a number that would become another one', async () => {
    const post = (number: string) =>
      api.request('POST', '/v1/chassis', { body: `{"extra":{"text":"12345678901234567890","a":[${number}]}}` });
    for (const number of ['9007199254740993', '36893488147419103232', '-12345678901234567891', '1e400'])
      expect(await post(number)).toMatchObject({
        status: 400,
        fault: expect.stringContaining(`the number ${number},`),
      });
    for (const number of ['9007199254740991', '100000000000000000000', '0.12345678901234567890', '1e300', '-0.0'])
      expect((await post(number)).status).toBe(201);
  });

  it('with several values of a parameter are told of which type it is', async () => {
    const fault = async (query: string) => (await api.request('GET', `/v1/nodes?${query}`)).fault;
    expect(await fault('limit=1&limit=2')).toBe("Expected an integer for limit: ['1', '2']");
    expect(await fault('owner=a&owner=b')).toBe("Expected string for owner: ['a', 'b']");
    expect(await fault('retired=1&retired=0')).toContain("Invalid retired: Unrecognized value '['1', '0']'");
  });
});

describe('ports and chassis', () => {
  it('live their lives', async () => {
    const chassis = await api.request('POST', '/v1/chassis', { body: { description: 'rack 1', extra: { a: 'b' } } });
    expect(chassis.status).toBe(201);
    const chassisUuid = String(chassis.json['uuid']);
    const node = await api.request('POST', '/v1/nodes', {
      body: { driver: 'fake-hardware', name: 'n1', chassis_uuid: chassisUuid },
    });
    const port = await api.request('POST', '/v1/ports', {
      body: { address: '52:54:00:AA:00:01', node_uuid: node.json['uuid'] },
    });
    expect(port.json).toMatchObject({
      address: '52:54:00:aa:00:01',
      node_uuid: node.json['uuid'],
      pxe_enabled: true,
      extra: {},
    });
    expect(
      (await api.request('POST', '/v1/ports', { body: { address: '52:54:00:aa:00:01', node_uuid: node.json['uuid'] } }))
        .fault,
    ).toBe('A port with MAC address 52:54:00:aa:00:01 already exists.');
    expect(
      (await api.request('POST', '/v1/ports', { body: { address: 'notamac', node_uuid: node.json['uuid'] } })).fault,
    ).toBe('Expected valid MAC address for address: notamac');
    const of = async (path: string) => ((await api.request('GET', path)).json['ports'] as unknown[]).length;
    expect(await of('/v1/nodes/n1/ports')).toBe(1);
    expect(await of('/v1/ports?address=52:54:00:AA:00:01')).toBe(1);
    expect(await of('/v1/ports/detail?node=n1')).toBe(1);
    const uuid = String(port.json['uuid']);
    const changed = await api.request('PATCH', `/v1/ports/${uuid}`, {
      body: [
        { op: 'add', path: '/extra/x', value: 1 },
        { op: 'replace', path: '/pxe_enabled', value: 'false' },
      ],
    });
    expect(changed.json).toMatchObject({ extra: { x: 1 }, pxe_enabled: false });
    expect(((await api.request('GET', `/v1/chassis/${chassisUuid}/nodes`)).json['nodes'] as unknown[]).length).toBe(1);
    expect((await api.request('DELETE', `/v1/chassis/${chassisUuid}`)).status).toBe(400);
    expect((await api.request('DELETE', `/v1/ports/${uuid}`)).status).toBe(204);
    expect((await api.request('GET', `/v1/ports/${uuid}`)).fault).toBe(`Port ${uuid} could not be found.`);
    await api.request('DELETE', '/v1/nodes/n1');
    const renamed = await api.request('PATCH', `/v1/chassis/${chassisUuid}`, {
      body: [{ op: 'add', path: '/description', value: 'rack 2' }],
    });
    expect(renamed.json['description']).toBe('rack 2');
    expect((await api.request('DELETE', `/v1/chassis/${chassisUuid}`)).status).toBe(204);
  });
});

describe('a port of a node that is worked on', () => {
  it('keeps its address and its node: another machine would boot into the work', async () => {
    const made = async (name: string) =>
      asNodeId(
        String((await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', name } })).json['uuid']),
      );
    const [busy, idle] = [await made('busy'), await made('idle')];
    const portOf = async (node_uuid: string, address: string) =>
      String((await api.request('POST', '/v1/ports', { body: { address, node_uuid } })).json['uuid']);
    const ports = { busy: await portOf(busy, '52:54:00:aa:00:02'), idle: await portOf(idle, '52:54:00:aa:00:03') };
    const patch = (port: string, name: string, value: string) =>
      api.request('PATCH', `/v1/ports/${port}`, { body: [{ op: 'replace', path: `/${name}`, value }] });
    const session = (await api.db.read.conductors.list())[0]!.session;
    const fence = await api.db.write('run', async (tx) => {
      const held = (await tx.nodes.reserve(busy, session, 'c1', 'deploy'))!;
      const id = asRunId('77777777-7777-4777-8777-777777777778');
      const rest = { id, verb: 'deploy', state: 'running', input: {}, segments: [], requestId: 'r' } as const;
      await tx.runs.create({ ...rest, nodeUuid: busy, deadline: 1e15, owner: session, fence: held.fence });
      return held.fence;
    });
    expect((await patch(ports.busy, 'address', '52:54:00:aa:00:09')).fault).toContain('is locked by host c1');
    await api.db.write('rest', (tx) => tx.nodes.release(busy, fence));
    expect((await patch(ports.busy, 'address', '52:54:00:aa:00:09')).fault).toContain('while work is under way');
    expect((await patch(ports.idle, 'node_uuid', busy)).status).toBe(409);
    expect((await patch(ports.busy, 'name', 'first')).status).toBe(200);
  });
});

describe('drivers and conductors', () => {
  it('are what live conductors say', async () => {
    const list = await api.request('GET', '/v1/drivers');
    expect(list.json['drivers']).toMatchObject([{ name: 'fake-hardware', hosts: ['c1'], type: 'dynamic' }]);
    expect((await api.request('GET', '/v1/drivers/fake-hardware')).json).toMatchObject({
      default_deploy_interface: 'fake',
      enabled_network_interfaces: ['noop'],
    });
    expect((await api.request('GET', '/v1/drivers/nosuch')).fault).toBe(
      'Could not find the following driver(s) or hardware type(s): nosuch.',
    );
    expect((await api.request('GET', '/v1/drivers/fake-hardware/properties')).json).toEqual({
      fake_delay_ms: 'How long a step takes. Optional.',
    });
    expect((await api.request('GET', '/v1/conductors/c1')).json).toMatchObject({
      hostname: 'c1',
      alive: true,
      drivers: ['fake-hardware'],
    });
    expect((await api.request('GET', '/v1/conductors/c2')).fault).toBe('Conductor c2 could not be found.');
  });
});

describe('the event stream', () => {
  const idsOf = (text: string) => [...text.matchAll(/^id: (.+)$/gm)].map((m) => m[1]!);

  it('resumes at any event, each seen exactly once', async () => {
    for (const name of ['e1', 'e2', 'e3'])
      await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', name } });
    const all = idsOf((await api.request('GET', '/v1/events?follow=false&type=node.created')).text);
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThanOrEqual(3);
    for (const [i, id] of all.entries()) {
      const rest = await api.request('GET', '/v1/events?follow=false&type=node.created', {
        headers: { 'Last-Event-ID': id },
      });
      expect(idsOf(rest.text)).toEqual(all.slice(i + 1));
    }
  });

  it('tells what happens while it is open', async () => {
    const stop = new AbortController();
    const response = await fetch(`${api.url}/v1/events?after=now&type=node.created`, { signal: stop.signal });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    await reader.read();
    await api.request('POST', '/v1/nodes', { body: { driver: 'fake-hardware', name: 'live' } });
    const { value } = await reader.read();
    expect(value).toContain('event: node.created');
    stop.abort();
  });

  it('refuses a cursor that is none and a type that does not exist', async () => {
    expect((await api.request('GET', '/v1/events?after=nonsense!')).status).toBe(400);
    expect((await api.request('GET', '/v1/events?type=nosuch')).fault).toMatch(
      /^There is no event type nosuch\. Types: node\.created/,
    );
  });
});

describe('noauth', () => {
  /** The status for a request with these headers, as a browser's page could send it. */
  const ask = (headers: Record<string, string>) =>
    new Promise<number>((resolve, reject) => {
      get(`${api.url}/v1/nodes`, { headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      }).on('error', reject);
    });

  it('answers this machine only, not a name that was made to lead here', async () => {
    const port = new URL(api.url).port;
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, '[::1]', 'LOCALHOST'])
      expect(await ask({ host })).toBe(200);
    for (const host of [`rebound.example:${port}`, '127.0.0.1.rebound.example', 'a b'])
      expect(await ask({ host })).toBe(403);
  });

  it('refuses what a foreign page sends', async () => {
    expect(await ask({ origin: 'http://localhost:3000' })).toBe(200);
    for (const origin of ['https://foreign.example', 'null']) expect(await ask({ origin })).toBe(403);
  });
});

describe('stopping', () => {
  it('does not wait for ever for a client that sends half a request', async () => {
    const clock = new ManualClock();
    const other = await startApi({ clock });
    const socket = connect(Number(new URL(other.url).port), '127.0.0.1');
    const closed = once(socket, 'close');
    socket.write('POST /v1/nodes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{');
    await once(socket, 'connect');
    await fetch(`${other.url}/v1/nodes`);
    const stopped = other.stop();
    await clock.advance(2_000);
    await Promise.all([stopped, closed]);
  });
});

it.each([
  ['GET', '/v1/lookup?addresses=52:54:00:00:00:01', 22],
  ['POST', '/v1/heartbeat/n1', 22],
  ['POST', '/v1/continue_inspection', 1],
])('%s %s is closed: only an agent of another service would ask', async (method, path, since) => {
  const reply = await api.request(method, path, { version: since, ...(method === 'POST' ? { body: {} } : {}) });
  expect([reply.status, reply.fault]).toEqual([
    403,
    expect.stringContaining('Access was denied to the following resource'),
  ]);
  if (since > 1) expect((await api.request(method, path, { version: since - 1 })).status).toBe(404);
});
