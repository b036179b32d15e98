/** What is written for other programs, given to them: the completion script to bash, the manual page to man. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allCommands } from './catalogue/index.ts';
import { bashScript } from './completion/bash.ts';
import { tableOf } from './completion/table.ts';
import { manualPage } from './manual.ts';
import { outcome } from './testing.ts';

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bmr-shells-'));
  writeFileSync(join(folder, 'completion.bash'), bashScript(tableOf(await allCommands())));
  writeFileSync(join(folder, 'baremetal.1'), await manualPage('9'));
  writeFileSync(join(folder, 'baremetal'), '#!/bin/sh\necho n1\necho n2\n', { mode: 0o755 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (argv: readonly string[], env: Record<string, string> = {}) =>
  outcome(
    spawn(argv[0]!, argv.slice(1), {
      env: { PATH: `${folder}:${process.env['PATH']}`, LANG: 'C.UTF-8', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );

describe('completion in bash', () => {
  it.each([
    [['node', 'po'], 'power'],
    [['node', 'power', ''], 'on off'],
    [['--os-cloud', 'x', 'port', 'gr'], 'group'],
    [['node', 'list', '--sort-'], '--sort-column --sort-ascending --sort-descending'],
    [['node', 'list', '-f', ''], 'csv json table value yaml'],
    [['node', 'show', '--fields', 'uuid', 'provision_s'], 'provision_state'],
    [['node', 'show', ''], 'n1 n2'],
    [['node', 'boot', 'mode', 'set', 'n1', ''], 'uefi bios'],
    [['port', 'list', '--node', ''], 'n1 n2'],
    [['node', 'list', '--limit', ''], ''],
  ])('offers for %j: %s', async (words, offered) => {
    const script = `source "$1"; shift; COMP_WORDS=(baremetal "$@"); COMP_CWORD=$#; _baremetal; echo "\${COMPREPLY[*]}"`;
    const ran = await run(['bash', '-c', script, 'bash', join(folder, 'completion.bash'), ...words]);
    expect(ran).toEqual({ code: 0, out: `${offered}\n`, err: '' });
  });
});

describe('the manual page in man', () => {
  it('is shown without a warning', async () => {
    const ran = await run(['man', '--warnings', '-l', join(folder, 'baremetal.1')], {
      MANWIDTH: '80',
      MAN_KEEP_FORMATTING: '',
    });
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toContain('baremetal - register, power, deploy and configure physical servers');
    expect(ran.out).toContain('rack1-[01-40],-rack1-07');
  });
});
