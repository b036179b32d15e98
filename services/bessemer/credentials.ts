/** The administrator's credential of the first start, and the profile by which the command line finds the service. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hashPassword, newToken, tokenHash } from '@bessemer/api';
import type { Db } from '@bessemer/db';
import type { Random } from '@bessemer/ports';

const ADMIN = 'admin';
const settingOf = (user: string) => `password:${user}`;

/** What `baremetal` reads when no flag, no OS_* variable and no clouds.yaml says where the service is. */
export interface Profile {
  readonly auth_type: 'http_basic' | 'token' | 'none';
  readonly endpoint: string;
  readonly username?: string;
  readonly password?: string;
  /** A bearer token of ours. */
  readonly token?: string;
}

/** Looks up the stored hash of a user. */
export const passwordLookUp = (db: Db) => (user: string) => db.read.settings.get(settingOf(user));

async function writePrivate(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.part`, content, { mode: 0o600 });
  await rename(`${path}.part`, path);
}

/** The administrator's token that was kept, as long as it is valid, or a new one in its place. */
async function ownToken(db: Db, random: Random, kept: Profile | undefined): Promise<string> {
  if (kept?.token !== undefined && (await db.read.tokens.findOpen(tokenHash(kept.token)))) return kept.token;
  const token = newToken(random);
  await db.write('administrator', async (tx) => {
    const old = await tx.tokens.find(ADMIN);
    if (old) await tx.tokens.remove(old.uuid);
    await tx.tokens.create({
      uuid: random.uuid(),
      name: ADMIN,
      sha256: tokenHash(token),
      role: 'admin',
      project: null,
      createdBy: 'the first start',
      expiresAt: null,
    });
  });
  return token;
}

/**
 * Makes the administrator when there is none, and writes the profile (mode 0600) to `<data_dir>/profile.json` and to
 * `profilePath`, where the command line looks. The password itself is kept nowhere else.
 * @returns the profile written.
 */
export async function writeProfile(options: {
  db: Db;
  random: Random;
  dataDir: string;
  profilePath: string;
  endpoint: string;
  auth: 'http_basic' | 'keystone' | 'noauth';
}): Promise<Profile> {
  const { db, random, endpoint } = options;
  const own = join(options.dataDir, 'profile.json');
  let profile: Profile = { auth_type: 'none', endpoint };
  const kept = await readFile(own, 'utf8').then(
    (text) => JSON.parse(text) as Profile,
    () => undefined,
  );
  // Users and passwords are Keystone's then: the profile holds a token of ours, so that the command line works beside it.
  if (options.auth === 'keystone') profile = { auth_type: 'token', endpoint, token: await ownToken(db, random, kept) };
  if (options.auth === 'http_basic') {
    let password = kept?.password;
    if (password === undefined || (await passwordLookUp(db)(ADMIN)) === undefined) {
      const fresh = Buffer.from(random.bytes(18)).toString('base64url');
      const hash = await hashPassword(fresh, random);
      await db.write('administrator', (tx) => tx.settings.put(settingOf(ADMIN), hash));
      password = fresh;
    }
    profile = { auth_type: 'http_basic', endpoint, username: ADMIN, password };
  }
  const text = `${JSON.stringify(profile, null, 2)}\n`;
  await writePrivate(own, text);
  await writePrivate(options.profilePath, text);
  return profile;
}
