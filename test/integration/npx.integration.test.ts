/** `npx bessemer up` is ended by ending npx, however that is done: nothing stays behind that holds the port and the data directory. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startRole } from './service-process.ts';

test.each(['stop', 'kill'] as const)('%s', { timeout: 120_000 }, async (end) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'bessemer-npx-'));
  try {
    const service = await startRole({ role: 'up', argv: ['npx', 'bessemer'], dataDir });
    // Resolves when nobody holds its output any more: that is when the service itself has ended.
    await service[end]();
    await expect(fetch(service.apiUrl!)).rejects.toThrow();
    const next = await startRole({ role: 'up', dataDir });
    await next.stop();
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
