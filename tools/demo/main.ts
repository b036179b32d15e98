/**
 * `npm run demo`: one virtual server from powered off to configured, on the embedded default, with the commands that an operator
 * would type. Ends by itself with `--once` or when its output is no terminal; else at Ctrl-C. Leaves nothing unless `--keep`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createLab, type Firmware, type Lab } from '@bessemer/lab';
import { silentLog } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';
import { buildRamdisk, buildTestImage } from '../../images/build.ts';
import { cacheDirOf } from '../../images/cache-dir.ts';

const USAGE = `npm run demo -- [--once] [--keep] [--firmware bios|uefi] [--image small|cloud]
  --once      end when the server is configured: exit code 0, or 1 and the reason
  --keep      leave server and service running, and say how to take them away
  --firmware  of the virtual server (bios)
  --image     small: quick to boot; cloud: with Debian's cloud-init (small)`;

const root = fileURLToPath(new URL('../..', import.meta.url));
const path = (name: string) => join(root, name);
const cacheDir = cacheDirOf(process.env);
const startedMs = systemClock.monotonicMs();
const say = (line = '') => console.log(line);
const step = (what: string) =>
  say(`\n[${((systemClock.monotonicMs() - startedMs) / 1000).toFixed(0).padStart(3)} s] ${what}`);

class Failure extends Error {}
const fail = (message: string): never => {
  throw new Failure(message);
};

function options(): { once: boolean; keep: boolean; firmware: Firmware; image: 'small' | 'cloud' } {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        firmware: { type: 'string', default: 'bios' },
        image: { type: 'string', default: 'small' },
      },
    });
    if (values.help) {
      say(USAGE);
      process.exit(0);
    }
    const { firmware, image } = values;
    if (firmware !== 'bios' && firmware !== 'uefi') return fail(`--firmware is bios or uefi, not ${firmware}`);
    if (image !== 'small' && image !== 'cloud') return fail(`--image is small or cloud, not ${image}`);
    return { once: values.once || !process.stdout.isTTY, keep: values.keep, firmware, image };
  } catch (error) {
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

const chosen = options();
const name = 'demo';
let lab: Lab | undefined;
let service: ChildProcess | undefined;
let current: ChildProcess | undefined;
let folder = '';
let isEnding = false;

/** Runs one of the commands an operator would type, showing it. Its output goes where ours goes. */
async function command(env: NodeJS.ProcessEnv, ...args: string[]): Promise<void> {
  say(`\n$ baremetal ${args.map((a) => (/[\s"{}]/.test(a) ? `'${a}'` : a)).join(' ')}`);
  const child = spawn(process.execPath, [path('services/cli/main.ts'), ...args], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  current = child;
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  current = undefined;
  if (code !== 0)
    fail(
      isEnding ? 'interrupted' : `the command ended with ${code}; the service's log is ${join(folder, 'service.log')}`,
    );
}

async function startService(env: NodeJS.ProcessEnv, allowedRoots: string): Promise<string> {
  const words = openSync(join(folder, 'service.out'), 'a');
  const child = spawn(
    process.execPath,
    [
      path('services/bessemer/main.ts'),
      'up',
      '--lab',
      name,
      '--data-dir',
      join(folder, 'data'),
      '--api-port',
      '0',
      '--log',
      join(folder, 'service.log'),
      '--set',
      `depot.allowed_roots=${allowedRoots}`,
    ],
    { env, stdio: ['ignore', 'pipe', words], detached: chosen.keep },
  );
  service = child;
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.setEncoding('utf8').on('data', (t: string) => {
      text += t;
      const url = /^API (\S+)$/m.exec(text)?.[1];
      if (url) resolve(url);
    });
    child.once('close', (code) =>
      reject(
        new Failure(`the service ended with ${code}: ${readFileSync(join(folder, 'service.out'), 'utf8').trim()}`),
      ),
    );
  });
}

async function takeAway(): Promise<void> {
  isEnding = true;
  current?.kill('SIGTERM');
  const child = service;
  if (child && child.exitCode === null && child.signalCode === null) {
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await closed;
  }
  await lab?.down();
  if (folder) await rm(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  if (process.getuid?.() !== 0)
    fail('the demo makes a network namespace and builds disk images: run it as root (sudo npm run demo)');
  step('images: the deploy ramdisk and a Debian system (built once, then taken from the cache)');
  const progress = (p: { build: string; phase: string; elapsedMs: number }) => say(`        ${p.build}: ${p.phase}`);
  await mkdir(cacheDir, { recursive: true });
  await buildRamdisk({ variant: 'lab', level: 3, cacheDir, clock: systemClock, progress });
  const image = await buildTestImage({ variant: chosen.image, cacheDir, clock: systemClock, progress });

  step(`a virtual server (${chosen.firmware}, powered off) with a BMC, in a network namespace of its own`);
  folder = await mkdtemp(join(tmpdir(), 'bmr-demo-'));
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    XDG_STATE_HOME: folder,
    BESSEMER_PROFILE: join(folder, 'profile.json'),
  };
  for (const variable of Object.keys(env)) if (variable.startsWith('OS_')) delete env[variable];
  lab = createLab({
    name,
    nodes: [{ name: 'n1', firmware: chosen.firmware }],
    stateDir: join(folder, 'bessemer', `lab-${name}`),
    isDetached: true,
    clock: systemClock,
    log: silentLog,
  });
  await lab.up();
  const server = lab.nodes[0]!;
  say(`        ${server.name}: MAC ${server.mac}, BMC ${server.bmcAddress}`);

  step('the service, on SQLite, inside that network');
  const apiUrl = await startService(env, cacheDir);
  say(`        API ${apiUrl}`);

  const key = join(folder, 'key');
  spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'demo', '-f', key]);
  const configDrive = join(folder, 'config-drive.json');
  const publicKey = readFileSync(`${key}.pub`, 'utf8').trim();
  await writeFile(
    configDrive,
    JSON.stringify({
      meta_data: {
        uuid: 'b0b5b0b5-0000-4000-8000-000000000001',
        hostname: 'demo-n1',
        name: 'demo-n1',
        public_keys: { demo: publicKey },
      },
    }),
  );

  step('registered');
  await command(
    env,
    'node',
    'create',
    '--driver',
    'ipmi',
    '--name',
    'n1',
    '--driver-info',
    `ipmi_address=${server.bmcAddress}`,
    '--driver-info',
    `ipmi_username=${server.bmcUser}`,
    '--driver-info',
    `ipmi_password=${server.bmcPassword}`,
    '--instance-info',
    `image_source=file://${image.qcow2.path}`,
    '--instance-info',
    'image_os_hash_algo=sha256',
    '--instance-info',
    `image_os_hash_value=${image.qcow2.digest.replace('sha256:', '')}`,
    // The server is new: there is nothing on its disk that cleaning would have to remove.
    '--no-automated-clean',
    '-f',
    'value',
    '-c',
    'uuid',
  );
  await command(env, 'port', 'create', server.mac, '--node', 'n1', '-f', 'value', '-c', 'uuid');
  await command(env, 'node', 'manage', 'n1', '--wait');
  await command(env, 'node', 'provide', 'n1', '--wait');

  step('deployed');
  await command(
    env,
    'node',
    'deploy',
    'n1',
    '--config-drive',
    configDrive,
    '--playbook',
    path('tools/demo/playbook.yml'),
    '--wait',
  );

  step('how long everything took, from stored events');
  await command(env, 'node', 'timeline', 'n1');

  const profile = JSON.parse(readFileSync(join(folder, 'profile.json'), 'utf8')) as {
    username?: string;
    password?: string;
  };
  const headers = {
    'X-OpenStack-Ironic-API-Version': 'latest',
    Authorization: `Basic ${btoa(`${profile.username}:${profile.password}`)}`,
  };
  const timeline = (await (await fetch(`${apiUrl}/v1/nodes/n1/timeline`, { headers })).json()) as {
    way_in: { host_key: string } | null;
  };
  const hostKey = timeline.way_in?.host_key ?? fail('the service told no host key');
  const known = join(folder, 'known_hosts');
  await writeFile(known, `n1 ${hostKey}\n`);
  const ssh = [
    '-F',
    'none',
    '-i',
    key,
    '-p',
    String(server.sshForwardPort ?? lab.nodes[0]!.sshForwardPort),
    '-o',
    `UserKnownHostsFile=${known}`,
    '-o',
    'HostKeyAlias=n1',
    '-o',
    'StrictHostKeyChecking=yes',
    'debian@127.0.0.1',
  ];
  const login = spawnSync('ssh', [...ssh, 'hostname; cat /etc/motd /srv/site/index.html'], { encoding: 'utf8' });
  if (login.status !== 0 || !login.stdout.includes('It runs'))
    fail(`logging in failed: ${login.stderr}${login.stdout}`);

  step('done: the server runs, is configured, and shows the host key that it was told');
  say(`        ssh ${ssh.join(' ')}`);
  say(`        API ${apiUrl}   (baremetal finds it by BESSEMER_PROFILE=${env['BESSEMER_PROFILE']})`);
}

const interrupted = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      resolve();
      if (current) {
        isEnding = true;
        current.kill('SIGTERM');
      }
    });
});

let code = 0;
try {
  await main();
  if (chosen.keep) {
    service?.unref();
    say(
      `\nIt stays. Away again: kill ${service?.pid}; XDG_STATE_HOME=${folder} npx bessemer lab down --name ${name}; rm -r ${folder}`,
    );
    process.exit(0);
  }
  if (!chosen.once) {
    say('\nCtrl-C ends it and takes everything away.');
    await interrupted;
  }
} catch (error) {
  code = isEnding ? 130 : 1;
  console.error(`\ndemo: ${error instanceof Failure || isEnding ? (error as Error).message : (error as Error).stack}`);
}
await takeAway();
say('demo: nothing is left running');
process.exit(code);
