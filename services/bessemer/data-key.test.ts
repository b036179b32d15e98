import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveConfig } from '@bessemer/core';
import { silentLog } from '@bessemer/ports';
import { systemClock, systemDatagrams, systemRandom } from '@bessemer/ports/node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createService } from './service.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'bessemer-key-'))));
afterEach(() => rm(folder, { recursive: true }));

const service = () =>
  createService({
    config: resolveConfig([
      { 'service.data_dir': join(folder, 'data'), 'api.port': '0', 'api.auth': 'noauth', 'depot.port': '0' },
    ]),
    roles: ['api', 'conductor', 'boot'],
    host: 'c1',
    cacheDir: join(folder, 'cache'),
    profilePath: join(folder, 'profile.json'),
    clock: systemClock,
    random: systemRandom,
    datagrams: systemDatagrams,
    log: silentLog,
  });

it('refuses to start without the data key of its database, and with another one', async () => {
  const first = service();
  await first.start();
  await first.stop();
  const key = join(folder, 'data/keys/data.key');
  await rm(key);
  await expect(service().start()).rejects.toThrow(/data\.key is missing, and the database .* restore it from a backup/);
  await writeFile(key, `other:${Buffer.alloc(32, 1).toString('base64url')}\n`, { mode: 0o600 });
  await expect(service().start()).rejects.toThrow(/begun with another data key/);
});
