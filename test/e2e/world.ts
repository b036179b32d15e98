/** A whole installation for one test file: a lab, the service inside it, and the real command line of an operator. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TimelinePhase } from '@bessemer/core';
import { createLab, type Firmware, type Lab, type LabNode } from '@bessemer/lab';
import { silentLog } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';
import { buildTestImage, type TestImage, type TestImageVariant } from '../../images/build.ts';
import { cacheDirOf } from '../../images/cache-dir.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const cacheDir = cacheDirOf(process.env);

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end. */
export function runCommand(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (t: string) => (out += t));
    child.stderr.setEncoding('utf8').on('data', (t: string) => (err += t));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 128, out, err }));
  });
}

export interface World {
  readonly lab: Lab;
  readonly folder: string;
  readonly dataDir: string;
  node(name: string): LabNode;
  startService(): Promise<void>;
  /** SIGKILL to the service and nothing else. */
  killService(): Promise<void>;
  stopService(): Promise<void>;
  /** `baremetal ARGS`, our own. */
  cli(...args: string[]): Promise<CommandResult>;
  /** `baremetal ARGS` that must succeed. */
  ok(...args: string[]): Promise<string>;
  /** GET of the API. */
  get(path: string): Promise<Record<string, unknown>>;
  timeline(
    node: string,
  ): Promise<ReadonlyArray<{ phase: string; started_at: string; seconds: number | null; detail: string }>>;
  /** All stored events of a node, oldest first. */
  events(
    node: string,
  ): Promise<Array<{ type: string; data: Record<string, unknown>; run_id: string | null; at: string }>>;
  /** Resolves with the first event of the node, from the oldest on, that fits. */
  waitForEvent(
    node: string,
    fits: (event: { type: string; data: Record<string, unknown>; at: string }) => boolean,
  ): Promise<void>;
  /** Resolves when `why` says so. */
  waitForWhy(node: string, fits: (why: Record<string, never>) => boolean): Promise<void>;
  /** Registers a lab server and brings it to `available`. */
  enroll(node: string, image: TestImage | { href: string; checksum: string }, extra?: string[]): Promise<void>;
  /** Puts the image into instance_info, which undeploying empties. */
  setImage(node: string, image: TestImage | { href: string; checksum: string }): Promise<void>;
  /** Logs in over the forwarded port, accepting only the host key that was told. */
  ssh(node: string, command: string, user?: string): Promise<CommandResult>;
  consoleOf(node: string): string;
  down(): Promise<void>;
}

export const testImage = (variant: TestImageVariant = 'small'): Promise<TestImage> =>
  buildTestImage({ variant, cacheDir, clock: systemClock });

/** A key pair of an operator, made for this world. */
async function makeKey(folder: string): Promise<string> {
  const path = join(folder, 'operator-key');
  const { code, err } = await runCommand(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'operator', '-f', path]);
  if (code !== 0) throw new Error(err);
  return path;
}

export async function createWorld(options: {
  nodes: ReadonlyArray<{ name: string; firmware: Firmware; diskGb?: number; memoryMb?: number }>;
  /** More options of the service, as `group.key`. */
  set?: Readonly<Record<string, string>>;
}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'bmr-'));
  const dataDir = join(folder, 'data');
  const name = `t${createHash('sha256').update(folder).digest('hex').slice(0, 8)}`;
  const stateHome = join(folder, 's');
  const lab = createLab({
    name,
    nodes: options.nodes,
    stateDir: join(stateHome, 'bessemer', `lab-${name}`),
    isDetached: true,
    clock: systemClock,
    log: silentLog,
  });
  await lab.up();
  const key = await makeKey(folder);
  const logFile = join(folder, 'service.log');
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    XDG_STATE_HOME: stateHome,
    XDG_CONFIG_HOME: join(folder, 'config'),
    BESSEMER_PROFILE: join(folder, 'profile.json'),
    NO_COLOR: '1',
  };
  for (const variable of Object.keys(env))
    if (variable.startsWith('OS_') || variable.startsWith('IRONIC_')) delete env[variable];
  let service: ChildProcess | undefined;
  let apiPort = 0;

  const set = { 'depot.allowed_roots': `${cacheDir},${folder}`, ...options.set };
  const startService = async () => {
    const flags = Object.entries(set).flatMap(([k, v]) => ['--set', `${k}=${v}`]);
    const out = openSync(join(folder, 'service.out'), 'a');
    const main = join(ROOT, 'services/bessemer/main.ts');
    const argv = [
      main,
      'up',
      '--lab',
      name,
      '--data-dir',
      dataDir,
      '--api-port',
      String(apiPort),
      '--log',
      logFile,
      ...flags,
    ];
    const child = spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', out] });
    service = child;
    apiPort = await new Promise<number>((resolve, reject) => {
      let text = '';
      child.stdout!.setEncoding('utf8').on('data', (t: string) => {
        text += t;
        const port = /^API http:\/\/127\.0\.0\.1:(\d+)$/m.exec(text)?.[1];
        if (port) resolve(Number(port));
      });
      child.once('close', (code) =>
        reject(new Error(`the service ended with ${code}: ${readFileSync(join(folder, 'service.out'), 'utf8')}`)),
      );
    });
  };
  const profile = () =>
    JSON.parse(readFileSync(join(folder, 'profile.json'), 'utf8')) as {
      endpoint: string;
      username?: string;
      password?: string;
    };
  const endService = (signal: NodeJS.Signals) => async () => {
    const child = service;
    service = undefined;
    if (!child || child.exitCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    await closed;
  };
  const request = async (path: string, init: RequestInit = {}) => {
    const { endpoint, username, password } = profile();
    const headers = {
      'X-OpenStack-Ironic-API-Version': 'latest',
      ...(username ? { Authorization: `Basic ${btoa(`${username}:${password}`)}` } : {}),
      ...init.headers,
    };
    return fetch(`${endpoint}${path}`, { ...init, headers });
  };
  const cli = (...args: string[]) => runCommand([process.execPath, join(ROOT, 'services/cli/main.ts'), ...args], env);

  const world: World = {
    lab,
    folder,
    dataDir,
    cli,
    node: (wanted) => lab.nodes.find((n) => n.name === wanted)!,
    startService,
    killService: endService('SIGKILL'),
    stopService: endService('SIGTERM'),
    async ok(...args) {
      const { code, out, err } = await cli(...args);
      if (code !== 0) throw new Error(`baremetal ${args.join(' ')} ended with ${code}: ${err}${out}`);
      return out;
    },
    get: async (path) => (await request(path)).json() as Promise<Record<string, unknown>>,
    timeline: async (node) => (await world.get(`/v1/nodes/${node}/timeline`))['phases'] as never,
    async events(node) {
      const text = await (await request(`/v1/events?follow=false&node=${node}`)).text();
      return [...text.matchAll(/^data: (.+)$/gm)].map((m) => JSON.parse(m[1]!));
    },
    async waitForEvent(node, fits) {
      const stop = new AbortController();
      const response = await request(`/v1/events?node=${node}`, { signal: stop.signal });
      let text = '';
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const data = /^data: (.+)$/m.exec(text.slice(0, end))?.[1];
          text = text.slice(end + 2);
          if (data && fits(JSON.parse(data))) {
            stop.abort();
            return;
          }
        }
      }
      throw new Error('the event stream ended');
    },
    async waitForWhy(node, fits) {
      for (;;) {
        const why = (await world.get(`/v1/nodes/${node}/why`)) as Record<string, never>;
        if (fits(why)) return;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },
    async enroll(nodeName, image, extra = []) {
      const node = world.node(nodeName);
      const bmc = [
        `ipmi_address=${node.bmcAddress}`,
        `ipmi_username=${node.bmcUser}`,
        `ipmi_password=${node.bmcPassword}`,
      ];
      const driverInfo = bmc.flatMap((pair) => ['--driver-info', pair]);
      await world.ok('node', 'create', '--driver', 'ipmi', '--name', nodeName, ...driverInfo, ...extra);
      await world.setImage(nodeName, image);
      const uuid = (await world.ok('node', 'show', nodeName, '-f', 'value', '-c', 'uuid')).trim();
      await world.ok('port', 'create', node.mac, '--node', uuid);
      await world.ok('node', 'manage', nodeName, '--wait');
      await world.ok('node', 'provide', nodeName, '--wait');
    },
    async setImage(nodeName, image) {
      const { href, checksum } =
        'href' in image
          ? image
          : { href: `file://${image.qcow2.path}`, checksum: image.qcow2.digest.replace('sha256:', '') };
      const info = [`image_source=${href}`, 'image_os_hash_algo=sha256', `image_os_hash_value=${checksum}`];
      await world.ok('node', 'set', nodeName, ...info.flatMap((pair) => ['--instance-info', pair]));
    },
    async ssh(nodeName, command, user = 'debian') {
      const port = world.node(nodeName).sshForwardPort!;
      const wayIn = (await world.get(`/v1/nodes/${nodeName}/timeline`))['way_in'] as { host_key?: string } | null;
      if (!wayIn?.host_key) throw new Error(`no host key was told for ${nodeName}: ${JSON.stringify(wayIn)}`);
      const known = join(folder, `known-${nodeName}`);
      await writeFile(known, `bessemer-node ${wayIn.host_key}\n`);
      return runCommand([
        'ssh',
        '-F',
        'none',
        '-i',
        key,
        '-p',
        String(port),
        '-o',
        'StrictHostKeyChecking=yes',
        '-o',
        `UserKnownHostsFile=${known}`,
        '-o',
        'HostKeyAlias=bessemer-node',
        '-o',
        'BatchMode=yes',
        '-o',
        'ConnectTimeout=60',
        `${user}@127.0.0.1`,
        command,
      ]);
    },
    consoleOf: (nodeName) => readFileSync(world.node(nodeName).consoleLog, 'utf8'),
    async down() {
      await world.stopService();
      await lab.down();
      if (process.env['BESSEMER_KEEP'] === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
  return world;
}

/** The operator's config drive: hostname, a user and the operator's key. */
export async function writeConfigDrive(world: World, hostname: string): Promise<string> {
  const publicKey = readFileSync(join(world.folder, 'operator-key.pub'), 'utf8').trim();
  const path = join(world.folder, `${hostname}.json`);
  const drive = {
    meta_data: {
      hostname,
      name: hostname,
      uuid: '7d3b1c1e-0000-4000-8000-000000000001',
      public_keys: { operator: publicKey },
    },
    user_data: '#!/bin/sh\necho told-by-user-data > /etc/told\n',
  };
  await writeFile(path, JSON.stringify(drive));
  return path;
}

export type { TimelinePhase };
