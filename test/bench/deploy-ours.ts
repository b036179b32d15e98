/** Our side: the service as it is started for a lab, asked over HTTP. */
import { readFileSync } from 'node:fs';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';
import type { TestImage } from '../../images/build.ts';
import { createWorld } from '../e2e/world.ts';
import { firstLogin, followCpu, LIMIT_MS, type Measured, measuredOf, type Phase } from './deploy-phases.ts';

export interface OurDeployment extends Measured {
  /** Seconds until the node was `active`. */
  readonly active: number;
  /** Every event of the run with its seconds, for finding where time goes. */
  readonly events: ReadonlyArray<{ readonly seconds: number; readonly text: string }>;
}

export interface Ours {
  deploy(node: string): Promise<OurDeployment>;
  /** What is kept when something goes wrong. */
  readonly folder: string;
  close(): Promise<void>;
}

interface SeenEvent {
  readonly type: string;
  readonly at: string;
  readonly data: Readonly<Record<string, unknown>>;
}

type Fits = (event: SeenEvent) => boolean;
const PHASE_EVENTS: Readonly<Record<Exclude<Phase, 'ssh'>, Fits>> = {
  'power on': (e) => e.type === 'power.ordered' && e.data['action'] === 'power on',
  script: (e) => e.type === 'boot.script',
  hello: (e) => e.type === 'agent.hello',
  'image written': (e) => e.type === 'image.written',
  reboot: (e) => e.type === 'boot.ordered' && e.data['device'] === 'disk',
};

export async function createOurs(
  nodes: ReadonlyArray<{ name: string; firmware: 'bios' | 'uefi' }>,
  image: TestImage,
  set: Readonly<Record<string, string>> = {},
): Promise<Ours> {
  const world = await createWorld({ nodes, set: { 'conductor.automated_clean': 'false', ...set } });
  const key = join(world.folder, 'operator-key');

  async function ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const { endpoint, username, password } = JSON.parse(readFileSync(join(world.folder, 'profile.json'), 'utf8')) as {
      endpoint: string;
      username: string;
      password: string;
    };
    const response = await fetch(`${endpoint}${path}`, {
      method,
      headers: {
        'X-OpenStack-Ironic-API-Version': 'latest',
        'Content-Type': 'application/json',
        Authorization: `Basic ${btoa(`${username}:${password}`)}`,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  }

  const provision = (node: string, target: string, more: object = {}): Promise<unknown> =>
    ask('PUT', `/v1/nodes/${node}/states/provision`, { target, ...more });

  async function reach(node: string, state: string): Promise<void> {
    const end = systemClock.nowMs() + LIMIT_MS;
    for (;;) {
      const shown = await ask('GET', `/v1/nodes/${node}?fields=provision_state,last_error,target_provision_state`);
      if (shown['provision_state'] === state) return;
      const isStuck = shown['target_provision_state'] === null || String(shown['provision_state']).endsWith('failed');
      if (isStuck || systemClock.nowMs() > end)
        throw new Error(`${node} is ${String(shown['provision_state'])}, not ${state}: ${String(shown['last_error'])}`);
      await sleep(systemClock, 500);
    }
  }

  const imageInfo = {
    image_source: `file://${image.qcow2.path}`,
    image_os_hash_algo: 'sha256',
    image_os_hash_value: image.qcow2.digest.replace('sha256:', ''),
  };

  async function register(name: string): Promise<void> {
    const node = world.node(name);
    const created = await ask('POST', '/v1/nodes', {
      name,
      driver: 'ipmi',
      driver_info: { ipmi_address: node.bmcAddress, ipmi_username: node.bmcUser, ipmi_password: node.bmcPassword },
      instance_info: imageInfo,
    });
    await ask('POST', '/v1/ports', { node_uuid: created['uuid'], address: node.mac });
    await provision(name, 'manage');
    await reach(name, 'manageable');
    await provision(name, 'provide');
    await reach(name, 'available');
  }

  try {
    await world.startService();
    for (const { name } of nodes) await register(name);
  } catch (error) {
    await world.down();
    throw error;
  }

  return {
    folder: world.folder,
    async deploy(name) {
      const node = world.node(name);
      await truncate(node.diskPath, 0);
      await truncate(node.diskPath, node.diskGb * 2 ** 30);
      // What an instance was made of goes with it.
      await ask(
        'PATCH',
        `/v1/nodes/${name}`,
        Object.entries(imageInfo).map(([field, value]) => ({ op: 'add', path: `/instance_info/${field}`, value })),
      );
      const eventsBefore = (await world.events(name)).length;
      const configdrive = {
        meta_data: {
          hostname: name,
          uuid: '7d3b1c1e-0000-4000-8000-000000000001',
          public_keys: { operator: readFileSync(`${key}.pub`, 'utf8').trim() },
        },
      };
      const cpu = followCpu(world.lab, name);
      const startMs = systemClock.nowMs();
      await provision(name, 'active', { configdrive });
      const sshAt = await firstLogin(node.sshForwardPort!, key);
      await cpu.stop();
      await reach(name, 'active');
      const events = (await world.events(name)).slice(eventsBefore) as readonly SeenEvent[];
      const atOf = (event: SeenEvent | undefined) => (event ? Date.parse(event.at) : undefined);
      const reached = Object.entries(PHASE_EVENTS).map(([phase, fits]) => [phase, atOf(events.find(fits))]);
      const active = atOf(events.find((e) => e.type === 'run.finished')) ?? systemClock.nowMs();
      await provision(name, 'deleted');
      await reach(name, 'available');
      return {
        ...measuredOf(
          startMs,
          { ...(Object.fromEntries(reached) as Partial<Record<Phase, number>>), ssh: sshAt },
          cpu.at,
        ),
        active: (active - startMs) / 1000,
        events: events.map((e) => ({
          seconds: (Date.parse(e.at) - startMs) / 1000,
          text: `${e.type} ${JSON.stringify(e.data)}`,
        })),
      };
    },
    close: () => world.down(),
  };
}
