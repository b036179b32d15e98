import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseGrants } from '@bessemer/core';
import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { createPasswordCheck, hashPassword } from './passwords.ts';
import { createUsers, parseUserFile } from './users.ts';

const folder = mkdtempSync(join(tmpdir(), 'bessemer-users-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** `secret`, as glibc's crypt(3) hashes it with bcrypt. */
const SECRET = '$2b$04$uZ6DHcufL8X.wKfQX4GPmeieEoaSbN15mUgfbZ6HNeaRq1emMHGBG';

describe('the file of users', () => {
  it('holds bcrypt hashes; other lines are named with what is wrong', () => {
    const { hashes, problems } = parseUserFile(
      [
        '# who',
        `ann:${SECRET}`,
        `ann:${SECRET.replace('$04$', '$05$')}`,
        `old:${SECRET.replace('$2b$', '$2y$')}`,
        '',
        'md5:$apr1$x$y',
        'no colon',
        `slow:${SECRET.replace('$04$', '$20$')}`,
      ].join('\r\n'),
    );
    expect([...hashes]).toEqual([
      ['ann', SECRET],
      ['old', SECRET.replace('$2b$', '$2y$')],
    ]);
    expect(problems).toEqual([
      'line 6 (md5) is no bcrypt hash; make it with: htpasswd -nB USER',
      'line 7 is not user:hash',
      'line 8 (slow) has a cost of 20; 4 to 14 are taken: htpasswd -nB -C 10 USER',
    ]);
  });

  it('is read again when it changes, and has nobody when it cannot be read', async () => {
    const file = join(folder, 'htpasswd');
    const clock = new ManualClock();
    writeFileSync(file, `ann:${SECRET}\n`);
    const users = createUsers({ file, grants: new Map(), builtIn: async () => undefined, clock, log: silentLog });
    expect(await users.find('ann')).toEqual({ role: 'admin', project: null, hash: SECRET });
    expect(users.decoy()).toBe(SECRET);
    writeFileSync(file, `bob:${SECRET}\nann:${SECRET}\n`);
    expect(await users.find('bob')).toBeUndefined();
    await clock.advance(1_000);
    expect(await users.find('bob')).toBeDefined();
    rmSync(file);
    await clock.advance(1_000);
    expect(await users.find('ann')).toBeUndefined();
  });

  it('gives roles and projects; who is not named may not log in; the administrator is not in it', async () => {
    const file = join(folder, 'roles');
    writeFileSync(file, `ann:${SECRET}\nbob:${SECRET}\n`);
    const { grants } = parseGrants(['ann:member:p']);
    let looks = 0;
    const builtIn = async (name: string) => (looks++, name === 'admin' ? 'scrypt:x' : undefined);
    const users = createUsers({ file, grants, builtIn, clock: new ManualClock(), log: silentLog });
    expect(await users.find('ann')).toEqual({ role: 'member', project: 'p', hash: SECRET });
    expect(await users.find('bob')).toBeUndefined();
    expect(looks).toBe(0);
    expect(await users.find('admin')).toEqual({ role: 'admin', project: null, hash: 'scrypt:x' });
    await users.find('admin');
    expect(looks).toBe(1);
  });

  it('takes its grants from user:role:project', () => {
    const { grants, problems } = parseGrants(['a:admin', 'b:reader:x:y', 'c', 'd:boss', 'a:member', 'e:member:']);
    expect([...grants]).toEqual([
      ['a', { role: 'admin', project: null }],
      ['b', { role: 'reader', project: 'x:y' }],
    ]);
    expect(problems).toHaveLength(4);
  });
});

it('passwords are compared with bcrypt in its thread and with scrypt', async () => {
  const check = createPasswordCheck();
  expect(await check('secret', SECRET)).toBe(true);
  expect(await check('secret', SECRET.replace('$2b$', '$2y$'))).toBe(true);
  expect(await check('Secret', SECRET)).toBe(false);
  const own = await hashPassword('secret', seededRandom(1));
  expect(await check('secret', own)).toBe(true);
  expect(await check('secret ', own)).toBe(false);
  expect(await check('', 'scrypt::')).toBe(false);
});
