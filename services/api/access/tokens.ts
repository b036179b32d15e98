/** Our own bearer tokens: `bsm_` and 32 random bytes. Shown once, stored as SHA-256. */
import { createHash } from 'node:crypto';
import type { Identity } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import type { Clock, Log, Random } from '@bessemer/ports';

const PREFIX = 'bsm_';
const TOKEN = /^bsm_[A-Za-z0-9_-]{43}$/;
/** The last use of a token is written this often. */
const USED_MS = 60_000;

export const isOwnToken = (text: string): boolean => text.startsWith(PREFIX);
export const newToken = (random: Random): string => `${PREFIX}${Buffer.from(random.bytes(32)).toString('base64url')}`;
/** What is stored. A token has 256 random bits: nothing slower than SHA-256 is needed. */
export const tokenHash = (token: string): string => createHash('sha256').update(token).digest('hex');

/** The identity of a token, or undefined when there is none, or it has expired. Revoked means gone: each request looks. */
export function createTokenCheck(options: {
  db: Db;
  clock: Clock;
  log: Log;
}): (token: string) => Promise<Identity | undefined> {
  const { db, clock, log } = options;
  const noted = new Map<string, number>();
  const note = (uuid: string) => {
    const now = clock.monotonicMs();
    if (now < (noted.get(uuid) ?? -Infinity) + USED_MS) return;
    if (noted.size > 10_000) noted.clear();
    noted.set(uuid, now);
    db.write('token used', (tx) => tx.tokens.used(uuid)).catch((error: unknown) =>
      log.warn('the last use of a token was not noted', { token: uuid, error: String(error) }),
    );
  };
  return async (token) => {
    if (!TOKEN.test(token)) return undefined;
    const found = await db.read.tokens.findOpen(tokenHash(token));
    if (!found) return undefined;
    note(found.uuid);
    return {
      user: `token ${found.name}`,
      role: found.role,
      project: found.project,
      ...(found.expiresAt === null ? {} : { expiresAt: found.expiresAt }),
    };
  };
}
