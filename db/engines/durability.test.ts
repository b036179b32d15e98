/** What holds when the process is killed, and what lies on the disk. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDatabase } from '../open.ts';
import type { Db } from '../repositories.ts';
import { addNode, heartbeat, newRun, newSession } from '../suite/fixtures.ts';
import { testSecrets } from '../testing.ts';
import { lockDataDir } from './data-lock.ts';

let dataDir: string;
beforeEach(() => void (dataDir = mkdtempSync(join(tmpdir(), 'bessemer-data-'))));
afterEach(() => rmSync(dataDir, { recursive: true }));

const open = (): Promise<Db> =>
  openDatabase({
    url: '',
    dataDir,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    secrets: testSecrets,
  });

/** Starts the writing child, and calls `onLines` with all complete lines so far whenever there are more. */
function startWriter(life: number, onLines: (lines: string[]) => void) {
  const script = new URL('../suite/writer-child.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, dataDir, String(life)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stderr.on('data', (chunk) => (errors += chunk));
  child.stdout.on('data', (chunk) => {
    output += chunk;
    onLines(output.split('\n').slice(0, -1));
  });
  const ended = new Promise<string[]>((resolve, reject) =>
    child.on('close', (_code, signal) =>
      signal === 'SIGKILL' ? resolve(output.split('\n').slice(0, -1)) : reject(new Error(errors)),
    ),
  );
  return { child, ended };
}

it('loses no acknowledged write when the process is killed, and the next one starts at once', async () => {
  const acknowledged: string[] = [];
  for (let life = 0; life < 3; life++) {
    const { child, ended } = startWriter(life, (lines) => {
      if (lines.length >= 60) child.kill('SIGKILL');
    });
    const lines = await ended;
    expect(lines.shift()).toBe('open');
    acknowledged.push(...lines);
  }
  const db = await open();
  const missing: string[] = [];
  for (const name of acknowledged) if ((await db.read.settings.get(name)) !== 'written') missing.push(name);
  await db.close();
  expect(acknowledged.length).toBeGreaterThan(150);
  expect(missing).toEqual([]);
});

it('keeps a second service out, naming the process that has the directory', async () => {
  const isOpen = Promise.withResolvers<void>();
  const { child, ended } = startWriter(0, () => isOpen.resolve());
  await isOpen.promise;
  await expect(open()).rejects.toThrow(
    new RegExp(`${dataDir} is in use by another service \\(process ${child.pid}\\)`),
  );
  child.kill('SIGKILL');
  await ended;
  const db = await open();
  expect(() => lockDataDir(dataDir)).toThrow(`process ${process.pid}`);
  await db.close();
  lockDataDir(dataDir).release();
});

it('lets nobody else read its files', async () => {
  const inner = join(dataDir, 'made');
  const db = await openDatabase({
    url: '',
    dataDir: inner,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    secrets: testSecrets,
  });
  expect(statSync(inner).mode & 0o777).toBe(0o700);
  const files = readdirSync(inner);
  expect(files).toContain('bessemer.sqlite-wal');
  for (const file of files) expect(statSync(join(inner, file)).mode & 0o077, file).toBe(0);
  await db.close();
});

it('has no secret in any file', async () => {
  const db = await open();
  const node = await addNode(db, {
    driverInfo: {
      ipmi_address: '192.0.2.7',
      ipmi_password: 'PLAINTEXT-1',
      ipmi_hex_kg_key: 'PLAINTEXT-2',
      redfish_password: 'PLAINTEXT-3',
      snmp_auth_key: 'PLAINTEXT-4',
      inner: { api_token: ['PLAINTEXT-5'] },
    },
    driverInternalInfo: { agent_secret_token: 'PLAINTEXT-6' },
  });
  const session = newSession();
  await heartbeat(db, session);
  await db.write('test', async (tx) => {
    const lease = await tx.nodes.reserve(node, session, 'c', 'p');
    await tx.nodes.setConfigDrive(node, { user_data: 'PLAINTEXT-7' });
    await tx.runs.create({
      ...newRun(node, lease!.fence),
      input: { rescuePassword: 'PLAINTEXT-8', variables: { anything: 'PLAINTEXT-9' } },
    });
    await tx.settings.put('key', 'PLAINTEXT-10', { secret: true });
  });
  const files = () => readdirSync(dataDir).map((file) => [file, readFileSync(join(dataDir, file), 'latin1')] as const);
  expect(files().some(([, text]) => text.includes('192.0.2.7'))).toBe(true);
  for (const [file, text] of files()) expect(text.includes('PLAINTEXT-'), file).toBe(false);
  expect((await db.read.nodes.get(node))?.driverInfo).toMatchObject({ ipmi_password: 'PLAINTEXT-1' });
  await db.close();
  for (const [file, text] of files()) expect(text.includes('PLAINTEXT-'), file).toBe(false);
});

it('says what is wrong with a URL it does not know', async () => {
  const options = { dataDir, clock: systemClock, random: systemRandom, log: silentLog, secrets: testSecrets };
  await expect(openDatabase({ ...options, url: 'mysql://user:hunter2@x' })).rejects.toThrow(
    /^(?!.*hunter2).*postgresql:/,
  );
});
