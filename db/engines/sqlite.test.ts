import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { afterAll } from 'vitest';
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
