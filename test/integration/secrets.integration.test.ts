/**
 * No secret leaves by another door: a word that stands nowhere else is planted in every field that may hold a secret, nodes are
 * driven through their lives and into their failures, and then everything that the service says is searched for it.
 */
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OPERATIONS } from '@bessemer/api-spec';
import { buildConfigDrive } from '@bessemer/image-format';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ServiceProcess, startRole } from './service-process.ts';

const planted: string[] = [];
/** What is shown to who may read the node, as Ironic shows it: a password in a URL that is none of a temporary kind. */
const shown = new Set<string>();
/** A secret that can be found again: hidden as it is, in base64 and in hexadecimal. */
function canary(name: string, kind?: Set<string>): string {
  const word = `Kanari-${name}-${planted.length}-vogel`;
  kind?.add(word);
  planted.push(word);
  return word;
}
const formsOf = (word: string): string[] => [
  word,
  Buffer.from(word).toString('base64').replace(/=+$/, ''),
  Buffer.from(word).toString('hex'),
  encodeURIComponent(word),
];
const foundIn = (text: string): string[] => planted.filter((word) => formsOf(word).some((form) => text.includes(form)));

let dataDir: string;
let service: ServiceProcess;
let receiver: Server;
let authorization: string;
/** Everything that webhooks were sent. */
let delivered = '';
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bessemer-secrets-'));
  const drive = buildConfigDrive({ metaData: { admin_pass: canary('fetched') } }, { timeMs: 0 });
  receiver = createServer((request, response) => {
    if (request.url!.startsWith('/drive?')) return response.end(drive.ok ? drive.value : '');
    if (request.url!.startsWith('/page?')) return response.end('<html>');
    delivered += JSON.stringify(request.rawHeaders);
    request.setEncoding('utf8').on('data', (text: string) => (delivered += text));
    request.on('end', () => {
      response.writeHead(request.url === '/refuses' ? 400 : 204).end();
      receiver.emit('delivered');
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  service = await startRole({
    role: 'up',
    dataDir,
    set: {
      'api.auth': 'http_basic',
      'service.log_level': 'debug',
      'boot.http_port': '0',
      'boot.tftp_port': '0',
      'agent.port': '0',
      'access.max_failed_logins': '1000',
    },
  });
  const profile = JSON.parse(await readFile(join(dataDir, 'profile.json'), 'utf8')) as Record<string, string>;
  const password = profile['password']!;
  planted.push(password);
  authorization = `Basic ${btoa(`admin:${password}`)}`;
});
afterAll(async () => {
  await service?.kill();
  receiver?.close();
  await rm(dataDir, { recursive: true, force: true });
});

interface Asked {
  readonly body?: unknown;
  readonly version?: string;
  readonly headers?: Record<string, string>;
}
async function ask(method: string, path: string, { body, version = 'latest', headers = {} }: Asked = {}) {
  const response = await fetch(`${service.apiUrl}${path}`, {
    method,
    headers: {
      Authorization: authorization,
      'Content-Type': 'application/json',
      'X-OpenStack-Ironic-API-Version': version,
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text(), headers: JSON.stringify([...response.headers]) };
}
async function must(method: string, path: string, body?: unknown, headers?: Record<string, string>) {
  const answer = await ask(method, path, { body, ...(headers ? { headers } : {}) });
  expect(answer.status, `${method} ${path}: ${answer.text}`).toBeLessThan(300);
  return answer.text === '' ? {} : JSON.parse(answer.text);
}
const provision = (node: string, body: object) => must('PUT', `/v1/nodes/${node}/states/provision`, body);
/** Asks until the node is in one of these states; the service itself tells when to look again. */
async function reaches(node: string, ...states: string[]): Promise<string> {
  for (;;) {
    const { provision_state: state } = await must('GET', `/v1/nodes/${node}/states`);
    if (states.includes(state)) return state;
    const moved = await fetch(`${service.apiUrl}/v1/events?after=now&type=node.provision_state&node=${node}`, {
      headers: { Authorization: authorization },
    });
    const reader = moved.body!.getReader();
    const { provision_state: now } = await must('GET', `/v1/nodes/${node}/states`);
    if (!states.includes(now)) while (!new TextDecoder().decode((await reader.read()).value).includes('data:'));
    await reader.cancel();
  }
}

it('tells no secret in answers, events, webhooks, metrics, the audit or the log, and stores none in the clear', async () => {
  // Secrets of resources.
  const credentials = () => ({
    ipmi_password: canary('ipmi'),
    ipmi_hex_kg_key: canary('kg'),
    redfish_password: canary('redfish'),
    snmp_community: canary('snmp'),
    nested: { deep: [{ api_token: canary('nested') }], private_key: canary('private') },
  });
  const base = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  const hook = await must('POST', '/v1/webhooks', { name: 'hook', url: `${base}/hook`, secret: canary('webhook') });
  await must('POST', '/v1/webhooks', { name: 'refused', url: `${base}/refuses`, secret: canary('refused') });
  const step = { interface: 'vendor', step: 'log_passthrough' };
  const firmware = { interface: 'firmware', step: 'update' };
  const made = await must(
    'POST',
    '/v1/nodes',
    { name: 'n1', driver: 'fake-hardware', driver_info: credentials(), owner: 'p' },
    { 'Idempotency-Key': 'first' },
  );
  await must('POST', '/v1/nodes', { name: 'broken', driver: 'fake-hardware', driver_info: credentials() });
  await must('POST', '/v1/nodes', {
    name: 'away',
    driver: 'ipmi',
    driver_info: { ipmi_address: '127.0.0.1', ipmi_port: 9, ipmi_username: 'u', ipmi_password: canary('dead-bmc') },
  });
  await must('POST', '/v1/ports', { node_uuid: made.uuid, address: '52:54:00:00:00:01' });
  await must('POST', '/v1/volume/targets', {
    ...{ node_uuid: made.uuid, volume_type: 'iscsi', volume_id: 'v', boot_index: 0 },
    properties: { auth_username: 'u', auth_password: canary('volume') },
  });
  const rule = { description: 'sensitive', sensitive: true };
  await must('POST', '/v1/inspection_rules', {
    ...rule,
    conditions: [{ op: 'eq', args: [canary('condition'), 'x'] }],
    actions: [{ op: 'set-attribute', args: ['driver_info/ipmi_password', canary('action')] }],
  });
  const token = await must('POST', '/v1/tokens', { name: 't', role: 'reader', project: 'p' });
  const secretToken = String(Object.values(token).find((v) => String(v).startsWith('bsm_')));
  expect(secretToken).toMatch(/^bsm_/);
  planted.push(secretToken);

  // Secrets that come with orders, and orders that fail.
  const patch = (node: string, path: string, value: unknown) =>
    ask('PATCH', `/v1/nodes/${node}`, { body: [{ op: 'add', path, value }] });
  expect((await patch('n1', '/driver_info/ipmi_password', canary('patched'))).status).toBe(200);
  expect((await patch('n1', '/driver_info/fake_delay_ms', { password: canary('typo') })).status).toBeLessThan(500);
  expect((await patch('n1', '/driver_info/fake_delay_ms', 0)).status).toBe(200);
  for (const node of ['n1', 'broken']) {
    await provision(node, { target: 'manage' });
    await reaches(node, 'manageable');
  }
  await provision('away', { target: 'manage' });
  await reaches('away', 'enroll');
  await provision('n1', {
    target: 'clean',
    clean_steps: [
      step,
      { ...firmware, args: { settings: [{ component: 'bmc', url: `http://u:${canary('firmware')}@h/x` }] } },
    ],
  });
  await reaches('n1', 'manageable', 'clean failed');
  await ask('PUT', '/v1/nodes/n1/states/provision', {
    body: {
      target: 'clean',
      clean_steps: [{ interface: 'vendor', step: 'none', args: { password: canary('unknown') } }],
    },
  });
  for (const node of ['n1', 'broken']) {
    await provision(node, { target: 'inspect' });
    await reaches(node, 'manageable', 'inspect failed');
    await must('PATCH', `/v1/nodes/${node}`, [
      {
        op: 'add',
        path: '/instance_info',
        value: {
          image_source: `http://user:${canary('image', shown)}@127.0.0.1:9/image.raw`,
          image_checksum: 'd41d8cd98f00b204e9800998ecf8427e',
          image_url: `http://127.0.0.1:9/${canary('tempurl')}`,
          root_password: canary('root'),
        },
      },
    ]);
    if (node === 'broken') await patch(node, '/driver_info/fake_deploy_fail', 'the deploy interface says no');
    await provision(node, { target: 'provide' });
    await reaches(node, 'available');
    await provision(node, {
      target: 'active',
      configdrive: {
        meta_data: { admin_pass: canary('metadata') },
        user_data: `#cloud-config\npassword: ${canary('userdata')}`,
        network_data: {},
      },
    });
    expect(await reaches(node, 'active', 'deploy failed')).toBe(node === 'n1' ? 'active' : 'deploy failed');
  }
  // A config drive by its URL, first one that is none.
  for (const [path, state] of [
    ['page', 'deploy failed'],
    ['drive', 'active'],
  ] as const) {
    const configdrive = `${base.replace('//', `//u:${canary('drive')}@`)}/${path}?token=${canary('drive')}`;
    await provision('n1', { target: 'rebuild', configdrive });
    await reaches('n1', state);
  }
  await provision('n1', { target: 'rescue', rescue_password: canary('rescue') });
  await reaches('n1', 'rescue');
  await provision('n1', { target: 'unrescue' });
  await reaches('n1', 'active');
  await ask('PUT', '/v1/nodes/n1/configure', {
    body: {
      playbook: `- hosts: all\n  vars: {p: ${canary('playbook')}}\n  tasks: []`,
      variables: { db: canary('variable') },
    },
  });
  for (const [method, path, body] of [
    [
      'POST',
      '/v1/nodes/n1/vmedia',
      { device_type: 'cdrom', image_url: `http://u:${canary('vmedia', shown)}@127.0.0.1:9/x.iso` },
    ],
    [
      'POST',
      '/v1/nodes/n1/vendor_passthru?method=second_method',
      { bar: canary('vendor'), password: canary('vendor') },
    ],
    ['POST', '/v1/nodes/n1/vendor_passthru/nosuch', { password: canary('nosuch') }],
    ['PUT', '/v1/nodes/n1/states/raid', { logical_disks: [{ password: canary('raid') }] }],
    ['PUT', '/v1/nodes/n1/states/provision', { target: 'rescue', rescue_password: { wrong: canary('wrong') } }],
    ['POST', '/v1/bulk', { action: 'provision', nodes: 'n1', target: 'rescue', rescue_password: canary('bulk') }],
    ['POST', '/v1/nodes', { driver: canary('driver'), driver_info: { ipmi_password: canary('refused-node') } }],
    ['POST', '/v1/continue_inspection', { password: canary('ramdisk') }],
  ] as const)
    await ask(method, path, { body });
  // Log-ins that fail, and secrets where they do not belong.
  await ask('GET', '/v1/nodes', { headers: { Authorization: `Basic ${btoa(`admin:${canary('guess')}`)}` } });
  await ask('GET', '/v1/nodes', { headers: { Authorization: `Bearer bsm_${canary('bearer')}` } });
  await ask('GET', '/v1/nodes', { headers: { Authorization: '', 'X-Auth-Token': canary('token') } });
  await ask('GET', `/v1/nodes?token=${canary('query')}`);
  await ask('GET', `/v1/lookup?token=${canary('lookup')}`);

  // Everything that can be read, by everybody who can.
  const said = new Map<string, string>();
  const ids: Record<string, readonly string[]> = {
    node: ['n1', 'broken', 'away'],
    webhook: [String(hook.uuid), 'refused'],
    driver: ['fake-hardware', 'ipmi'],
    token: ['t'],
    setting: ['x'],
    indicator: ['x'],
    method: ['second_method'],
  };
  const lists: Readonly<Record<string, string>> = {
    port: '/v1/ports',
    portgroup: '/v1/portgroups',
    target: '/v1/volume/targets',
    connector: '/v1/volume/connectors',
    rule: '/v1/inspection_rules',
    entry: '/v1/nodes/broken/history',
    conductor: '/v1/conductors',
  };
  for (const [name, path] of Object.entries(lists)) {
    const items = Object.values(await must('GET', path)).find((v) => Array.isArray(v)) as Array<Record<string, string>>;
    ids[name] = items.map((item) => item['uuid'] ?? item['hostname']!);
  }
  const readers = [authorization, `Bearer ${secretToken}`];
  const pathsOf = (path: string): string[] => {
    const name = /\{(\w+)\}/.exec(path)?.[1];
    return name === undefined ? [path] : (ids[name] ?? []).flatMap((id) => pathsOf(path.replace(`{${name}}`, id)));
  };
  for (const { method, path } of OPERATIONS)
    if (method === 'GET')
      for (const one of pathsOf(path))
        for (const Authorization of readers)
          for (const version of ['1.1', '1.61', 'latest']) {
            const query = path === '/v1/events' ? '?follow=false' : '';
            const { text, headers } = await ask('GET', `${one}${query}`, { version, headers: { Authorization } });
            said.set(`GET ${one} at ${version}`, (said.get(`GET ${one} at ${version}`) ?? '') + headers + text);
          }
  const again = await ask('POST', '/v1/nodes', {
    body: { name: 'n1', driver: 'fake-hardware', driver_info: {}, owner: 'p' },
    headers: { 'Idempotency-Key': 'first' },
  });
  said.set('a repeated request', again.text);
  expect([...said].find(([name]) => name.startsWith('GET /v1/events'))![1]).toContain('run.finished');
  const last = /"name":"last"/;
  await must('POST', '/v1/nodes', { name: 'last', driver: 'fake-hardware' });
  await must('DELETE', '/v1/nodes/last');
  while (!last.test(delivered)) await once(receiver, 'delivered');
  said.set('webhooks', delivered.replaceAll(/"authorization","[^"]*"/gi, ''));
  said.set('metrics', (await ask('GET', '/metrics')).text);
  await service.stop();
  said.set('log', service.log());
  for (const name of await readdir(dataDir))
    if (/sqlite|\.db|wal$/.test(name)) said.set(`file ${name}`, await readFile(join(dataDir, name), 'latin1'));
  expect([...said.keys()].some((name) => name.startsWith('file'))).toBe(true);

  expect(foundIn(`x ${planted[0]} y`)).toEqual([planted[0]]);
  const mayBeShown = (where: string, word: string) =>
    shown.has(word) && /^GET \/v1\/nodes\/[^/]+( at|\/vmedia)|^file /.test(where);
  const leaks = [...said].flatMap(([where, text]) =>
    foundIn(text).flatMap((word) => (mayBeShown(where, word) ? [] : [`${where}: ${word}`])),
  );
  expect(leaks).toEqual([]);
});
