/** Long answers share memory that is used again: whatever clients do, each gets its own answer and no byte of another's. */
import { asNodeId } from '@bessemer/core';
import { seededRandom } from '@bessemer/ports/testing';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { as, startTrusting } from './access/testing.ts';
import type { TestApi } from './testing.ts';

/** As long an answer as no system takes at once from a client that does not read. */
const NODES = 39;
const FILL = 390_000;
const CLASSES = ['a', 'b', 'c'];

let api: TestApi;
beforeAll(async () => {
  api = await startTrusting();
  const random = seededRandom(4);
  await api.db.write('nodes', async (tx) => {
    for (let i = 0; i < NODES; i++) {
      const resourceClass = CLASSES[i % CLASSES.length]!;
      const extra = { fill: resourceClass.repeat(FILL) };
      const owner = `owner-${resourceClass}`;
      await tx.nodes.create({ uuid: asNodeId(random.uuid()), driver: 'fake-hardware', resourceClass, extra, owner });
    }
  });
});
afterAll(() => api.stop());

const open = (): Socket => {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  socket.on('error', () => {});
  return socket;
};
const SYSTEM = as('reader').Authorization;
const asked = (path: string, { method = 'GET', who = SYSTEM, close = false } = {}) =>
  `${method} ${path} HTTP/1.1\r\nHost: h\r\nAuthorization: ${who}\r\nX-OpenStack-Ironic-API-Version: 1.115\r\n${close ? 'Connection: close\r\n' : ''}\r\n`;
const listOf = (name: string) => `/v1/nodes?detail=true&resource_class=${name}`;

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}
/** All answers in what a connection brought; `heads` says which have a length and no body. */
function answersIn(all: Buffer, heads: ReadonlySet<number> = new Set()): Answer[] {
  const answers: Answer[] = [];
  for (let at = 0; at < all.length; ) {
    const end = all.indexOf('\r\n\r\n', at);
    const head = all.subarray(at, end).toString('latin1');
    const length = heads.has(answers.length) ? 0 : Number(/content-length: (\d+)/i.exec(head)?.[1]);
    answers.push({ status: Number(head.slice(9, 12)), body: all.subarray(end + 4, end + 4 + length) });
    at = end + 4 + length;
  }
  return answers;
}
function expectNodesOf(name: string, { status, body }: Answer): void {
  expect(status).toBe(200);
  const { nodes } = JSON.parse(body.toString()) as {
    nodes: Array<{ resource_class: string; extra: { fill: string } }>;
  };
  expect(nodes).toHaveLength(NODES / CLASSES.length);
  for (const node of nodes) {
    expect(node.resource_class).toBe(name);
    expect(node.extra.fill === name.repeat(FILL)).toBe(true);
  }
}

it('reaches whole who reads late, while others ask for something else', async () => {
  const slow = CLASSES.map((name) => {
    const socket = open().pause();
    socket.write(asked(listOf(name), { close: true }));
    return { name, socket };
  });
  // Several at a time, so that each piece of memory that somebody believes to be free is written over.
  for (const name of CLASSES) {
    const others = CLASSES.map(() => open());
    for (const socket of others) socket.write(asked(listOf(name), { close: true }));
    for (const socket of others) expectNodesOf(name, answersIn(await buffer(socket))[0]!);
  }
  for (const { name, socket } of slow) expectNodesOf(name, answersIn(await buffer(socket))[0]!);
});

it('comes in the order of the requests on one connection, with answers without a body between them', async () => {
  const socket = open();
  const order = ['a', 'HEAD', 'b', 'c', 'HEAD', 'a', 'b'];
  socket.write(
    order
      .map((name, i) =>
        name === 'HEAD'
          ? asked(listOf('a'), { method: 'HEAD' })
          : asked(listOf(name), { close: i === order.length - 1 }),
      )
      .join(''),
  );
  const heads = new Set(order.flatMap((name, i) => (name === 'HEAD' ? [i] : [])));
  const answers = answersIn(await buffer(socket), heads);
  expect(answers).toHaveLength(order.length);
  for (const [i, name] of order.entries())
    if (name === 'HEAD') expect(answers[i]!.body).toHaveLength(0);
    else expectNodesOf(name, answers[i]!);
});

it('of a client that left in the middle disturbs nobody', async () => {
  for (let round = 0; round < 6; round++) {
    const name = CLASSES[round % CLASSES.length]!;
    const leaving = open();
    leaving.write(asked(listOf(name)) + asked(listOf('a')) + asked(listOf('b')));
    await once(leaving, 'data');
    const other = open();
    other.write(asked(listOf('c')) + asked(listOf('a'), { close: true }));
    if (round % 2 === 0) leaving.resetAndDestroy();
    else leaving.destroy();
    const [first, second] = answersIn(await buffer(other));
    expectNodesOf('c', first!);
    expectNodesOf('a', second!);
  }
});

it('is for each project its own nodes, whoever asked before', async () => {
  const socket = open();
  const whos = [SYSTEM, ...CLASSES.map((name) => as('reader', `owner-${name}`).Authorization), SYSTEM];
  socket.write(whos.map((who, i) => asked('/v1/nodes?detail=true', { who, close: i === whos.length - 1 })).join(''));
  const answers = answersIn(await buffer(socket));
  const classes = answers.map(({ body }) => {
    const { nodes } = JSON.parse(body.toString()) as { nodes: Array<{ resource_class: string }> };
    return [...new Set(nodes.map((node) => node.resource_class))].toSorted();
  });
  expect(classes).toEqual([CLASSES, ['a'], ['b'], ['c'], CLASSES]);
});

it('is not made longer by a host name that is none', async () => {
  const socket = open();
  socket.write(asked('/v1/nodes', { close: true }).replace('Host: h', `Host: ${'h'.repeat(300)}`));
  const [{ status, body }] = answersIn(await buffer(socket)) as [Answer];
  expect([status, body.toString()]).toEqual([400, expect.stringContaining('Host header')]);
});
