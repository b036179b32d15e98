/** Idempotent POSTs, orders that are waited for, and webhooks, against the service as it runs, killed in the middle of them. */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { allEvents, ask, must, type ServiceProcess, startRole } from './service-process.ts';

let dataDir: string;
let service: ServiceProcess;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bessemer-beyond-'));
  service = await startRole({ role: 'up', dataDir });
});
afterEach(async () => {
  await service.kill();
  await rm(dataDir, { recursive: true, force: true });
});

const send = (method: string, path: string, body: object, headers: Record<string, string>) =>
  fetch(`${service.apiUrl}${path}`, {
    method,
    body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', 'X-OpenStack-Ironic-API-Version': 'latest', ...headers },
  });

test('an order that is waited for leaves the node ready for the next one', async () => {
  const info = { fake_delay_ms: 20 };
  for (const name of ['a', 'b', 'c'])
    await must(service.apiUrl!, 'POST', '/v1/nodes', { name, driver: 'fake-hardware', driver_info: info });
  const go = async (name: string) => {
    for (const [target, state] of [
      ['manage', 'manageable'],
      ['provide', 'available'],
      ['manage', 'manageable'],
    ]) {
      const reply = await send('PUT', `/v1/nodes/${name}/states/provision`, { target }, { Prefer: 'wait=60' });
      const states = (await reply.json()) as Record<string, unknown>;
      expect([reply.status, states['provision_state'], states['last_error']]).toEqual([200, state, null]);
      expect(reply.headers.get('preference-applied')).toBe('wait=60');
    }
    const power = await send('PUT', `/v1/nodes/${name}/states/power`, { target: 'power on' }, { Prefer: 'wait=60' });
    expect([power.status, ((await power.json()) as Record<string, unknown>)['power_state']]).toEqual([200, 'power on']);
  };
  await Promise.all(['a', 'b', 'c'].map(go));
});

test('kill -9 while nodes are made: sent again under their keys they are there once each', async () => {
  const make = (n: number) =>
    send('POST', '/v1/nodes', { driver: 'fake-hardware', extra: { n } }, { 'Idempotency-Key': `n${n}` });
  for (let round = 0; round < 4; round++) {
    const numbers = Array.from({ length: 12 }, (_, i) => round * 12 + i);
    const sent = numbers.map(make);
    const first = Promise.allSettled(sent);
    // After a different number of them each time.
    await Promise.race([first, sent[round]]).catch(() => {});
    await service.kill();
    await first;
    service = await startRole({ role: 'up', dataDir });
    const replies = await Promise.all(numbers.map(make));
    expect(replies.map((r) => r.status)).toEqual(numbers.map(() => 201));
  }
  const { nodes } = (await ask(service.apiUrl!, 'GET', '/v1/nodes?fields=extra')).body as {
    nodes: { extra: { n: number } }[];
  };
  expect(nodes.map((node) => node.extra.n).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 48 }, (_, i) => i));
});

test('kill -9 while a webhook is served: every event arrives, in order, signed', async () => {
  const secret = 'a secret of the test';
  const arrived: string[] = [];
  let isSigned = true;
  let onArrival = () => {};
  const receiver: Server = createServer(async (request, response) => {
    let body = '';
    try {
      for await (const chunk of request.setEncoding('utf8')) body += chunk;
    } catch {
      // Killed while it was sending: that is no delivery.
      return;
    }
    const [, at, digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(request.headers['bessemer-signature'])) ?? [];
    isSigned &&= createHmac('sha256', secret).update(`${at}.${body}`).digest('hex') === digest;
    arrived.push((JSON.parse(body) as { id: string }).id);
    response.writeHead(204).end();
    onArrival();
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const until = async (fits: () => boolean): Promise<void> => {
    while (!fits()) await new Promise<void>((resolve) => (onArrival = resolve));
  };
  try {
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    await must(service.apiUrl!, 'POST', '/v1/webhooks', { url, secret, name: 'hook' });
    for (let round = 1; round <= 3; round++) {
      const before = arrived.length;
      const work = Promise.allSettled(
        [1, 2, 3].map(async (i) => {
          const name = `n${round}-${i}`;
          await must(service.apiUrl!, 'POST', '/v1/nodes', { name, driver: 'fake-hardware' });
          await must(service.apiUrl!, 'PUT', `/v1/nodes/${name}/states/provision`, { target: 'manage' });
        }),
      );
      await until(() => arrived.length >= before + round * 2);
      await service.kill();
      await work;
      service = await startRole({ role: 'up', dataDir });
    }
    await must(service.apiUrl!, 'POST', '/v1/nodes', { name: 'last', driver: 'fake-hardware' });
    const stored = await allEvents(service.apiUrl!);
    const from = stored.findIndex((event) => event.type === 'webhook.changed');
    const wanted = stored.slice(from, stored.findLastIndex((event) => event.type === 'node.created') + 1);
    const lastId = wanted.at(-1)!.id;
    await until(() => arrived.includes(lastId));
    // What was under way when the service died may have come twice.
    const once_ = [...new Set(arrived)].slice(0, wanted.length);
    expect(once_).toEqual(wanted.map((event) => event.id));
    expect(arrived.length - new Set(arrived).size).toBeLessThanOrEqual(3);
    expect(isSigned).toBe(true);
  } finally {
    receiver.closeAllConnections();
    receiver.close();
  }
});
