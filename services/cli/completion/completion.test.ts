import { describe, expect, it } from 'vitest';
import { allCommands } from '../catalogue/index.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { tableOf } from './table.ts';
import { zshScript } from './zsh.ts';

const commands = await allCommands();
const table = tableOf(commands);
const wordsAfter = (path: string) => table.next.get(path)?.map((e) => e.word);

describe('what may follow', () => {
  it('is the next word of a command, or its options', () => {
    expect(wordsAfter('node power')).toEqual(['on', 'off']);
    expect(wordsAfter('')).toContain('allocation');
    expect(wordsAfter('node list')).toEqual(
      expect.arrayContaining(['--limit', '--provision-state', '--format', '--os-cloud']),
    );
    for (const { name } of commands) expect(wordsAfter(name), name).toBeDefined();
  });

  it('is a value where an option takes one', () => {
    expect(table.valueOf.get('--limit')).toBe('any');
    expect(table.valueOf.has('--debug')).toBe(false);
    expect(table.valueOfCommand.get('node list --format')).toEqual(['csv', 'json', 'table', 'value', 'yaml']);
    expect(table.valueOfCommand.get('node show -f')).toContain('shell');
    expect(table.valueOf.get('--node')).toBe('node');
    expect(table.positional.get('node show')).toBe('node');
    expect(table.positional.get('node boot mode set')).toEqual(['uefi', 'bios']);
    expect(table.variadic).toEqual(expect.arrayContaining(['--fields', '--shards']));
  });
});

describe('the scripts', () => {
  it.each([
    ['bash', bashScript(table)],
    ['zsh', zshScript(table)],
    ['fish', fishScript(table)],
  ])('%s knows every command and every option', (_shell, script) => {
    for (const { name, options } of commands) {
      expect(script).toContain(`'${name}'`);
      for (const option of options ?? []) expect(script).toContain(/--[a-z-]+/.exec(option.flags)![0]);
    }
  });
});
