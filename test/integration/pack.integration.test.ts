/** What `npm run pack` makes is installed in an empty folder, as an operator does, and runs a pretended deployment. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { must, ownEnvironment, type ServiceProcess, startRole, watch, type Watcher } from './service-process.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let folder: string;
let installed: string;
let dataDir: string;
let service: ServiceProcess | undefined;
let watcher: Watcher | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bessemer-pack-'));
  installed = join(folder, 'installed');
  dataDir = join(folder, 'data');
  await Promise.all([mkdir(installed), mkdir(dataDir)]);
  const out = join(folder, 'out');
  await run(process.execPath, [join(ROOT, 'tools/pack.ts'), out], { cwd: ROOT });
  const [archive] = (await readdir(out)).filter((name) => name.endsWith('.tgz'));
  await cp(join(out, archive!), join(installed, archive!));
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${archive}`], { cwd: installed });
});
afterAll(async () => {
  await watcher?.stop();
  await service?.kill();
  await rm(folder, { recursive: true, force: true });
});

const bin = (name: string) => join(installed, 'node_modules/.bin', name);
/** The packed `baremetal`, which finds the service by the profile that it wrote. */
const baremetal = async (...args: string[]) =>
  (await run(bin('baremetal'), args, { cwd: installed, env: ownEnvironment(dataDir) })).stdout;

test('both programs say their version', async () => {
  expect((await run(bin('bessemer'), ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(await baremetal('--version')).toMatch(/\d+\.\d+\.\d+\n$/);
});

test('a pretended deployment from the package alone, and an orderly end', async () => {
  service = await startRole({ role: 'up', argv: [bin('bessemer')], dataDir });
  watcher = watch(service.apiUrl!);
  const came = (state: string) => watcher!.until((seen) => seen.some((event) => event.data['to'] === state));
  await baremetal('node', 'create', '--driver', 'fake-hardware', '--name', 'n1');
  await baremetal('node', 'manage', 'n1');
  await came('manageable');
  await baremetal('node', 'provide', 'n1');
  await came('available');
  await baremetal('node', 'deploy', 'n1', '--wait');
  expect(await must(service.apiUrl!, 'GET', '/v1/nodes/n1')).toMatchObject({ provision_state: 'active' });
  expect(await baremetal('node', 'show', 'n1', '-f', 'value', '-c', 'provision_state')).toBe('active\n');
  for (const path of ['', '/nodes', '/docs.css', '/docs.js', '/openapi.json'])
    expect((await fetch(`${service.apiUrl}/docs${path}`)).status, path).toBe(200);
  await watcher.stop();
  expect(await service.stop()).toBe(0);
});
