import { gzipSync } from 'node:zlib';
import type { Json, JsonObject, Node } from '@bessemer/core';
import { buildConfigDrive } from '@bessemer/image-format';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Conductor } from './conductor.ts';
import { createWorld, quiet, request, type World } from './testing.ts';
import { createScriptedAgent, mintToken } from './testing-agent.ts';

const MAC = '52:54:00:00:00:01';
const URL = 'https://user:S3CRET@drives.test/n1.iso?token=S3CRET';
const SHOWN = 'https://drives.test/n1.iso?...';
const INSTANCE = { image_source: 'http://images.test/debian.qcow2', image_checksum: 'a'.repeat(64) };

function isoOf(metaData: JsonObject, userData?: string): Uint8Array {
  const iso = buildConfigDrive({ metaData, ...(userData === undefined ? {} : { userData }) }, { timeMs: 0 });
  if (!iso.ok) throw new Error(iso.error.message);
  return iso.value;
}

describe('a config drive that is given by its URL', () => {
  let world: World;
  let conductor: Conductor;
  let node: Node;
  let asked: string[];
  let orders = 0;
  beforeEach(async () => {
    world = await createWorld();
    conductor = world.conductor();
    await conductor.start();
    const made = await world.node({ interfaces: { deploy: 'direct' }, instanceInfo: INSTANCE });
    await world.db.write('test', async (tx) => {
      for (const event of ['manage', 'done', 'provide', 'done'] as const)
        await tx.nodes.processEvent(made.uuid, event, {});
      await tx.boots.setAddress(MAC, '192.0.2.77');
    });
    node = await world.get(made.uuid);
    asked = [];
  });
  afterEach(() => world.close());

  const serve = (answer: () => Uint8Array | Promise<Uint8Array>) => {
    world.depot.file = async (href) => {
      asked.push(href);
      return answer();
    };
  };
  const deploy = (configDrive: JsonObject | string | null = URL, rebuild = false) =>
    conductor.handlers.doNodeDeploy(
      { nodeUuid: node.uuid, rebuild, configDrive, deploySteps: null },
      request(`d${++orders}`),
    );
  /** Inflating takes its own time, which is none of the clock's. */
  async function fetchEnds(): Promise<void> {
    for (;;) {
      await quiet();
      const { finishedAt, segments, cursor } = await world.run(node.uuid);
      if (finishedAt !== null || segments[cursor.segment]!.steps[cursor.step]!.step !== 'fetch_config_drive') return;
    }
  }
  const waitsFor = (what: string) => world.until(async () => (await world.run(node.uuid)).waitingFor?.what === what);
  /** The machine boots its ramdisk; gives the config drive that its agent was sent. */
  async function carriedOut(bootId: string): Promise<JsonObject> {
    await fetchEnds();
    await waitsFor('boot');
    const agent = createScriptedAgent({ token: await mintToken(world, node, MAC), mac: MAC, bootId });
    agent.connect(conductor.agents);
    await world.reaches(node.uuid, 'active');
    const [segment] = agent.orders.flatMap((order) => (order.type === 'segment' ? [order] : []));
    return segment!.steps.find((step) => step.name === 'configdrive')!.args['configDrive'] as JsonObject;
  }
  const events = () => world.db.read.events.listLast({ nodeUuid: node.uuid }, 500);

  it('is fetched, kept and written as if it had come with the request', async () => {
    serve(() => Buffer.from(gzipSync(isoOf({ hostname: 'from-afar' }, '#!/bin/sh')).toString('base64')));
    await deploy();
    expect(await carriedOut('b1')).toMatchObject({ metaData: { hostname: 'from-afar' }, userData: '#!/bin/sh' });
    expect(asked).toEqual([URL]);
    const steps = (await events()).filter((e) => e.type === 'step.started').map((e) => e.data['step']);
    expect(steps.slice(0, 3)).toEqual(['fetch_config_drive', 'validate', 'prepare_image']);
  });

  it('shows nowhere the secrets of its URL', async () => {
    serve(() => Promise.reject(new Error(`${SHOWN} does not exist (HTTP 404)`)));
    await deploy();
    await world.reaches(node.uuid, 'deploy failed');
    serve(() => isoOf({}));
    await conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r'));
    await carriedOut('b1');
    expect(JSON.stringify([await events(), await world.run(node.uuid), await world.get(node.uuid)])).not.toContain(
      'S3CRET',
    );
  });

  it.each<[string, () => Uint8Array | Promise<Uint8Array>, string]>([
    [
      'what cannot be fetched',
      () => Promise.reject(Object.assign(new Error(`${SHOWN} does not exist (HTTP 404)`), { code: 'NOT_FOUND' })),
      `NOT_FOUND: ${SHOWN} does not exist (HTTP 404).`,
    ],
    [
      'a page',
      () => Buffer.from('<html>Log in</html>'),
      `${SHOWN}: the file is a page of HTML or XML, no config drive`,
    ],
    ['a cut gzip', () => gzipSync(isoOf({})).subarray(0, 200), `${SHOWN}: configdrive is no sound gzip`],
    ['more than a node can be sent', () => isoOf({}, 'x'.repeat(1_000_000)), 'at most 983040 are possible'],
    [
      'a drive without meta data',
      () => gzipSync(isoOf({}).map((byte) => (byte === 0x6d ? 0x6e : byte))),
      'has no openstack/latest/meta_data.json',
    ],
  ])('refuses %s before the node is touched, and a retry looks again', async (_name, answer, expected) => {
    serve(answer);
    await deploy();
    await fetchEnds();
    const failed = await world.reaches(node.uuid, 'deploy failed');
    expect(failed.lastError).toContain('The config drive is not usable: ');
    expect(failed.lastError).toContain(expected);
    expect(failed.lastError).toMatch(/[^.]\. Mend it there and retry, or deploy the node with another one\.$/);
    expect((await events()).map((event) => event.type)).not.toContain('power.ordered');
    expect(world.depot.ensured).toEqual([]);
    serve(() => isoOf({ hostname: 'mended' }));
    await conductor.handlers.retryRun({ nodeUuid: node.uuid }, request('r'));
    expect(await carriedOut('b1')).toMatchObject({ metaData: { hostname: 'mended' } });
  });

  it('is waited for within bounds, and the transfer is ended', async () => {
    let signal: AbortSignal | undefined;
    world.depot.file = (_href, ends) => {
      signal = ends;
      return new Promise(() => {});
    };
    await deploy();
    await waitsFor('config drive');
    expect((await world.run(node.uuid)).waitingFor).toMatchObject({ from: 'drives.test' });
    const failed = await world.reaches(node.uuid, 'deploy failed');
    expect(failed.lastError).toContain('Waited 300 s for config drive (drives.test), which did not come.');
    expect(signal?.aborted).toBe(true);
  });

  it('can be aborted while it is fetched', async () => {
    world.depot.file = () => new Promise(() => {});
    await deploy();
    await waitsFor('config drive');
    expect(await world.get(node.uuid)).toMatchObject({ provisionState: 'wait call-back', reservation: null });
    await conductor.handlers.doProvisioningAction({ nodeUuid: node.uuid, action: 'abort' }, request('a'));
    await world.reaches(node.uuid, 'deploy failed');
  });

  it('is fetched again by the conductor that takes over', async () => {
    world.depot.file = () => new Promise(() => {});
    await deploy();
    await waitsFor('config drive');
    conductor.abandon();
    serve(() => isoOf({ hostname: 'second' }));
    conductor = world.conductor({ isOnlyProcess: true, seed: 99 });
    await conductor.start();
    expect(await carriedOut('b1')).toMatchObject({ metaData: { hostname: 'second' } });
    expect(asked).toEqual([URL]);
  });

  it('is fetched again by a rebuild that keeps it, and forgotten by one that brings another', async () => {
    serve(() => isoOf({ hostname: 'first' }));
    await deploy();
    await carriedOut('b1');
    serve(() => isoOf({ hostname: 'second' }));
    await deploy(null, true);
    expect(await carriedOut('b2')).toMatchObject({ metaData: { hostname: 'second' } });
    await deploy({ meta_data: { hostname: 'third' } }, true);
    expect(await carriedOut('b3')).toMatchObject({ metaData: { hostname: 'third' } });
    await deploy(null, true);
    expect(await carriedOut('b4')).toMatchObject({ metaData: { hostname: 'third' } });
    expect(asked).toHaveLength(2);
  });

  it.each(['ftp://drives.test/S3CRET', 'file:///etc/passwd', 'http://drives.test:99999/S3CRET'])(
    'is refused at once as %s',
    async (url) => {
      const refusal = await deploy(url).catch((error: unknown) => error);
      expect(refusal).toMatchObject({
        code: 'INVALID_PARAMETER',
        publicMessage: expect.stringContaining('is no valid http or https URL') as string,
      });
      expect(String(refusal)).not.toContain('S3CRET');
      await quiet();
      expect((await world.get(node.uuid)).provisionState).toBe('available');
    },
  );

  it('may stand in instance_info, for deployments and rebuilds until a request brings another', async () => {
    const note = (configdrive: Json) =>
      world.db.write('test', (tx) => tx.nodes.update(node.uuid, { instanceInfo: { ...INSTANCE, configdrive } }));
    serve(() => isoOf({ hostname: 'from-afar' }));
    await note(URL);
    await deploy(null);
    expect(await carriedOut('b1')).toMatchObject({ metaData: { hostname: 'from-afar' } });
    await note(Buffer.from(isoOf({ hostname: 'inline' })).toString('base64'));
    await deploy(null, true);
    expect(await carriedOut('b2')).toMatchObject({ metaData: { hostname: 'inline' } });
    await deploy({ meta_data: { hostname: 'requested' } }, true);
    expect(await carriedOut('b3')).toMatchObject({ metaData: { hostname: 'requested' } });
    await deploy(null, true);
    expect(await carriedOut('b4')).toMatchObject({ metaData: { hostname: 'requested' } });
    expect((await world.get(node.uuid)).instanceInfo['configdrive']).toBeUndefined();
    await note(7);
    await expect(deploy(null, true)).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
      publicMessage: expect.stringContaining('configdrive: ') as string,
    });
  });
});
