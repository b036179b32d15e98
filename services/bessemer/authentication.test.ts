import { resolveConfig } from '@bessemer/core';
import { memoryDb } from '@bessemer/db/testing';
import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { expect, it } from 'vitest';
import { createAuthenticator } from './authentication.ts';

it('says all that is missing or wrong in the configuration of the log-in', async () => {
  const db = await memoryDb();
  const make = (set: Record<string, string>) =>
    createAuthenticator({
      config: resolveConfig([set]),
      db,
      clock: new ManualClock(),
      random: seededRandom(1),
      log: silentLog,
    });
  expect(() => make({ 'api.auth': 'keystone', 'access.users': 'ann:boss' })).toThrow(
    /ann:boss" must be user:role.*; keystone\.url must be the URL of an Identity API; keystone\.password is missing/,
  );
  expect(make({}).strategy).toBe('http_basic');
  expect(make({ 'api.auth': 'noauth' }).strategy).toBe('noauth');
  expect(make({ 'api.auth': 'keystone', 'keystone.url': 'https://k/v3', 'keystone.password': 'p' }).strategy).toBe(
    'keystone',
  );
  await db.close();
});
