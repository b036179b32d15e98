import { describe, expect, it } from 'vitest';
import { allCommands } from './catalogue/index.ts';
import { readConfigDrive } from './commands/config-drive.ts';
import { keyValue } from './commands/values.ts';
import { assignWords, parseCommand } from './parser.ts';
import { runProgram } from './program.ts';
import { memoryIo } from './testing.ts';
import { normaliseWait, spellOut, splitArguments } from './words.ts';

const clock = { now: () => 0, sleep: async () => {} };
const run = async (...argv: string[]) => {
  const { io, written } = memoryIo();
  const code = await runProgram({ argv, env: { HOME: '/none' }, io, clock, newKey: () => 'k', version: '9' });
  return { code, ...written };
};
const parse = async (...argv: string[]) => {
  const { command, rest } = await splitArguments(argv);
  return parseCommand(command!, rest, memoryIo().io);
};

describe('arguments', () => {
  it('finds the longest command, with connection options before and after it', async () => {
    const found = await splitArguments([
      '--os-endpoint',
      'http://x',
      '--debug',
      'node',
      'boot',
      'device',
      'set',
      'n1',
      'pxe',
    ]);
    expect(found.command?.name).toBe('node boot device set');
    expect(found.rest).toEqual(['--os-endpoint', 'http://x', '--debug', 'n1', 'pxe']);
    expect(await parse('node', 'show', 'n1', '--os-endpoint=http://y')).toMatchObject({
      values: [['n1']],
      options: { osEndpoint: 'http://y' },
    });
  });

  it('--wait takes a following number, not a following name', async () => {
    expect(normaliseWait(['--wait', 'n1'])).toEqual(['--wait=0', 'n1']);
    expect(normaliseWait(['n1', '--wait', '60'])).toEqual(['n1', '--wait=60']);
    expect(normaliseWait(['n1', '--wait'])).toEqual(['n1', '--wait=0']);
    expect(normaliseWait(['--', '--wait'])).toEqual(['--', '--wait']);
    expect(await parse('node', 'deploy', '--wait', 'n1')).toMatchObject({ values: [['n1']], options: { wait: 0 } });
    expect(await parse('node', 'deploy', 'n1', '--wait=5')).toMatchObject({ options: { wait: 5 } });
    await expect(parse('node', 'deploy', 'n1', '--wait=x')).rejects.toThrow(/integer/);
  });

  it('collects repeated options, and several fields behind one flag', async () => {
    expect(
      await parse('node', 'show', 'n1', '--fields', 'uuid', 'name', '--fields', 'extra', '-c', 'a', '-c', 'b'),
    ).toMatchObject({
      options: { fields: ['uuid', 'name', 'extra'], column: ['a', 'b'] },
    });
    expect(await parse('node', 'list', '--no-maintenance')).toMatchObject({ options: { maintenance: false } });
    expect(((await parse('node', 'list')) as { options: object }).options).not.toHaveProperty('maintenance');
  });

  it.each([
    [['node', 'create']],
    [['node', 'list', '--nope']],
    [['node', 'list', '-f', 'xml']],
    [['node', 'list', '--long', '--fields', 'uuid']],
    [['node', 'list', '--fields', 'nope']],
    [['node', 'show']],
    [['node', 'show', 'a', 'b']],
    [['node', 'clean', 'n1']],
    [['node', 'clean', 'n1', '--clean-steps', '[]', '--runbook', 'r']],
    [['node', 'clean', 'n1', '--runbook', 'r', '--disable-ramdisk']],
    [['node', 'boot', 'device', 'set', 'pxe']],
    [['node', 'list', '--p', 'x']],
    [['node', 'boot', 'device', 'set', 'n1', 'floppy']],
  ])('%j is called wrongly: exit code 2, one line and a hint', async (argv) => {
    const { code, err } = await run(...argv);
    expect(code).toBe(2);
    expect(err).toMatch(/^baremetal .*\nSee: baremetal .* --help\n$/);
  });

  it('takes options that are written short', async () => {
    expect(await parse('node', 'list', '--prov', 'active', '--maint')).toMatchObject({
      options: { provisionState: 'active', maintenance: true },
    });
    const { command } = await splitArguments(['node', 'list']);
    expect(spellOut(command!, ['--lim=5', '--', '--lim=5'])).toEqual(['--limit=5', '--', '--lim=5']);
    expect(() => spellOut(command!, ['--shard'])).toThrow(/--shard could be --sharded or --shards/);
  });

  it('deals words out to arguments, several to one that may stand before others', () => {
    const node = { name: '<node...>', help: '' };
    const device = { name: '<device>', help: '', choices: ['pxe'] };
    expect(assignWords([node, device], ['a', 'b', 'pxe'])).toEqual([['a', 'b'], ['pxe']]);
    expect(
      assignWords(
        [
          { name: '<node>', help: '' },
          { name: '[trait...]', help: '' },
        ],
        ['a'],
      ),
    ).toEqual([['a'], []]);
    expect(assignWords([{ name: '[node]', help: '' }], [])).toEqual([[]]);
    expect(() => assignWords([node, device], ['a'])).toThrow(/missing required argument 'node'/);
    expect(() => assignWords([node, device], ['a', 'disk'])).toThrow(/'device' is one of pxe, not 'disk'/);
    expect(() => assignWords([device], ['pxe', 'x'])).toThrow(/too many arguments: x/);
  });

  it('reads key=value as JSON where it is JSON', () => {
    expect(keyValue('a=1')).toEqual(['a', 1]);
    expect(keyValue('a=b=c')).toEqual(['a', 'b=c']);
    expect(keyValue('a={"x":[]}')).toEqual(['a', { x: [] }]);
    expect(() => keyValue('a')).toThrow(/PATH=VALUE/);
  });
});

describe('the program', () => {
  it('has help for every command, with its summary', async () => {
    for (const command of await allCommands()) {
      const { code, out } = await run(...command.name.split(' '), '--help');
      expect(code, command.name).toBe(0);
      expect(out).toContain(command.summary);
    }
    expect((await run('help', 'node', 'deploy')).out).toContain('Examples:\n  baremetal node deploy n1 --wait');
    expect((await run('--help')).out).toContain('node timeline');
    expect((await run('token', 'create', '--help')).out).toMatch(
      /--role <role> .*; needed; one of reader, member, admin\n/,
    );
    expect((await run('node', 'boot', 'mode', 'set', '--help')).out).toMatch(/boot_mode .*; one of uefi, bios\n/);
    expect((await run('node', '--help')).out).toContain('node list');
    expect(await run('--version')).toMatchObject({ code: 0, out: 'baremetal 9\n' });
  });

  it('names similar commands for one that is none', async () => {
    const { code, err } = await run('node', 'power', 'bla');
    expect(code).toBe(2);
    expect(err).toContain("'node power bla' is not a command");
    expect(err).toContain('  node power on\n  node power off');
  });

  it('says how to start the service when it is not known where it is', async () => {
    expect(await run('node', 'list')).toMatchObject({ code: 1, err: expect.stringContaining('bessemer up') as string });
  });
});

describe('--config-drive', () => {
  const files = {
    'drive.json': '{"meta_data":{"hostname":"h"}}',
    'drive.b64': 'H4sIAAAAAAAAA8tIBQAAAP//\n',
    'bad.json': '{',
    'bad.bin': '\u0001\u0002',
    'd/openstack/latest/meta_data.json': '{"hostname":"h"}',
    'd/openstack/latest/user_data': '#!/bin/sh\n',
    'other/openstack/content/0000': 'x',
  };
  const read = (given: string) => readConfigDrive(given, memoryIo(files).io);
  it('takes JSON, a JSON file, a folder in the layout of OpenStack as an object', () => {
    expect(read('{"user_data":"x"}')).toEqual({ user_data: 'x' });
    expect(read('drive.json')).toEqual({ meta_data: { hostname: 'h' } });
    expect(read('d')).toEqual({ meta_data: { hostname: 'h' }, user_data: '#!/bin/sh\n' });
  });
  it('takes a file in base64 as it is, and packs any other folder', () => {
    expect(read('drive.b64')).toBe('H4sIAAAAAAAAA8tIBQAAAP//');
    expect(Buffer.from(read('other') as string, 'base64').subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
  });
  it('leaves a URL to the service', () => {
    expect(read('https://drives.test/n1?token=x')).toBe('https://drives.test/n1?token=x');
  });
  it.each(['nope', 'bad.json', 'bad.bin', '{'])('says what is wrong with %s', (given) => {
    expect(() => read(given)).toThrow(given === '{' ? /not JSON/ : given);
  });
});
