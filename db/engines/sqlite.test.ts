import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { afterAll, expect, it } from 'vitest';
import { describeRepositories } from '../suite/index.ts';
import { memoryDb, testSecrets } from '../testing.ts';
import { openSqlite } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'bessemer-db-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

describeRepositories('SQLite in memory', async () => {
  const clock = new ManualClock();
  return { db: await memoryDb({ clock }), passTime: (ms) => clock.advance(ms) };
});

describeRepositories('SQLite in a file', async () => {
  const clock = new ManualClock();
  const file = join(folder, `${++files}.sqlite`);
  const db = await openSqlite({ file, clock, random: seededRandom(1), log: silentLog, secrets: testSecrets });
  return { db, passTime: (ms) => clock.advance(ms) };
});

it('a full disk is told as what passes when somebody sees to it', async () => {
  const db = await memoryDb({ clock: new ManualClock() });
  const full = () => Promise.reject(Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' }));
  await expect(db.write('test', full)).rejects.toMatchObject({
    code: 'TEMPORARY_FAILURE',
    publicMessage: expect.stringContaining('database or disk is full'),
  });
  await db.close();
});
