/** Config drives by their URL: a web server that answers well and badly, and the whole service that fetches from it. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildConfigDrive } from '@bessemer/image-format';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, must, type ServiceProcess, startRole, watch, type Watcher } from './service-process.ts';

const made = buildConfigDrive({ metaData: { hostname: 'h' } }, { timeMs: 0 });
const iso = made.ok ? made.value : expect.fail();
const FILES: Readonly<Record<string, Uint8Array | string>> = {
  '/iso': iso,
  '/gzip': gzipSync(iso),
  '/base64': gzipSync(iso).toString('base64'),
  '/page': '<!DOCTYPE html><html>Log in</html>',
  '/cut': gzipSync(iso).subarray(0, 300),
};

let dataDir: string;
let web: Server;
let base: string;
let service: ServiceProcess;
let watcher: Watcher;
/** Answers instead of the files while it is set. */
let special: RequestListener | undefined;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bessemer-drive-'));
  web = createServer((request, response) => {
    if (special) return special(request, response);
    const file = FILES[new URL(request.url!, 'http://x').pathname];
    response.writeHead(file === undefined ? 404 : 200).end(file);
  }).listen(0, '127.0.0.1');
  await once(web, 'listening');
  base = `127.0.0.1:${(web.address() as AddressInfo).port}`;
  service = await startRole({ role: 'up', dataDir });
  watcher = watch(service.apiUrl!);
});
afterAll(async () => {
  await watcher?.stop();
  await service?.kill();
  web?.closeAllConnections();
  web?.close();
  await rm(dataDir, { recursive: true, force: true });
});

const cameTo = (uuid: string, state: string) =>
  watcher.until((seen) =>
    seen.some((e) => e.node_uuid === uuid && e.type === 'node.provision_state' && e.data['to'] === state),
  );
const provision = (name: string, body: object) =>
  must(service.apiUrl!, 'PUT', `/v1/nodes/${name}/states/provision`, body);
async function available(name: string): Promise<string> {
  const node = await must(service.apiUrl!, 'POST', '/v1/nodes', { name, driver: 'fake-hardware' });
  await provision(name, { target: 'manage' });
  await cameTo(node.uuid, 'manageable');
  await provision(name, { target: 'provide' });
  await cameTo(node.uuid, 'available');
  return node.uuid;
}
const urlOf = (path: string): string => `http://me:word@${base}${path}?token=word`;

test.each(['iso', 'gzip', 'base64'])('a drive that is served as %s is taken', async (name) => {
  const uuid = await available(name);
  await provision(name, { target: 'active', configdrive: urlOf(`/${name}`) });
  await cameTo(uuid, 'active');
});

test.each([
  ['absent', 'NOT_FOUND: http://HOST/absent?... does not exist (HTTP 404). Mend it there and retry'],
  ['page', 'http://HOST/page?...: the file is a page of HTML or XML, no config drive'],
  ['cut', 'http://HOST/cut?...: configdrive is no sound gzip: unexpected end of file'],
])('what is %s ends the deployment before its first step, with the reason', async (name, reason) => {
  const uuid = await available(name);
  await provision(name, { target: 'active', configdrive: urlOf(`/${name}`) });
  await cameTo(uuid, 'deploy failed');
  const node = await must(service.apiUrl!, 'GET', `/v1/nodes/${name}`);
  expect(node.last_error).toContain(`The config drive is not usable: ${reason.replace('HOST', base)}`);
  expect(node.last_error).not.toContain('word');
  const of = watcher.seen.filter((e) => e.node_uuid === uuid && e.type === 'step.started');
  expect(of.at(-1)?.data['step']).toBe('fetch_config_drive');
});

test('a service that is killed while it fetches fetches again', async () => {
  const uuid = await available('killed');
  const asked = Promise.withResolvers<void>();
  special = () => asked.resolve();
  await provision('killed', { target: 'active', configdrive: urlOf('/iso') });
  await asked.promise;
  await service.kill();
  special = undefined;
  service = await startRole({ role: 'up', dataDir });
  watcher.moveTo(service.apiUrl!);
  await cameTo(uuid, 'active');
});

test('another scheme is refused at once', async () => {
  await available('ftp');
  const configdrive = 'ftp://me:word@drives.test/x';
  const answer = await ask(service.apiUrl!, 'PUT', '/v1/nodes/ftp/states/provision', { target: 'active', configdrive });
  expect(answer.status).toBe(400);
  expect(JSON.stringify(answer.body)).toContain('is no valid http or https URL');
  expect(JSON.stringify(answer.body)).not.toContain('word');
});
