import { describe, expect, it } from 'vitest';
import { COMMANDS } from './catalogue.ts';
import type { Io } from './command.ts';
import { readConfigDrive } from './commands/config-drive.ts';
import { keyValue } from './commands/values.ts';
import { normaliseWait, parseCommand, runProgram, splitArguments } from './program.ts';

/** Input and output in memory; folders by their files. */
function memoryIo(files: Record<string, string> = {}) {
  const written = { out: '', err: '' };
  const io: Io = {
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    readFile: (path) => files[path]!,
    isFile: (path) => Object.hasOwn(files, path),
    listFolder(path) {
      const below = Object.keys(files).filter((f) => f.startsWith(`${path}/`));
      return below.length === 0 ? undefined : [...new Set(below.map((f) => f.slice(path.length + 1).split('/')[0]!))];
    },
    readInput: async () => '',
    writeFile: () => {},
    terminalWidth: () => undefined,
    hasColour: false,
    signal: new AbortController().signal,
    runProgram: ([program]) => (program === 'mkisofs' ? { code: 0, out: Buffer.from('iso'), err: '' } : undefined),
  };
  return { io, written };
}
const clock = { now: () => 0, sleep: async () => {} };
const run = async (...argv: string[]) => {
  const { io, written } = memoryIo();
  const code = await runProgram({ argv, env: { HOME: '/none' }, io, clock, version: '9' });
  return { code, ...written };
};
const parse = (...argv: string[]) => {
  const { command, rest } = splitArguments(argv);
  return parseCommand(command!, rest, memoryIo().io);
};

describe('arguments', () => {
  it('finds the longest command, with connection options before and after it', () => {
    const found = splitArguments([
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
    expect(parse('node', 'show', 'n1', '--os-endpoint=http://y')).toMatchObject({
      args: ['n1'],
      options: { osEndpoint: 'http://y' },
    });
  });

  it('--wait takes a following number, not a following name', () => {
    expect(normaliseWait(['--wait', 'n1'])).toEqual(['--wait=0', 'n1']);
    expect(normaliseWait(['n1', '--wait', '60'])).toEqual(['n1', '--wait=60']);
    expect(normaliseWait(['n1', '--wait'])).toEqual(['n1', '--wait=0']);
    expect(normaliseWait(['--', '--wait'])).toEqual(['--', '--wait']);
    expect(parse('node', 'deploy', '--wait', 'n1')).toMatchObject({ args: ['n1'], options: { wait: 0 } });
    expect(parse('node', 'deploy', 'n1', '--wait=5')).toMatchObject({ options: { wait: 5 } });
    expect(() => parse('node', 'deploy', 'n1', '--wait=x')).toThrow(/integer/);
  });

  it('collects repeated options, and several fields behind one flag', () => {
    expect(
      parse('node', 'show', 'n1', '--fields', 'uuid', 'name', '--fields', 'extra', '-c', 'a', '-c', 'b'),
    ).toMatchObject({
      options: { fields: ['uuid', 'name', 'extra'], column: ['a', 'b'] },
    });
    expect(parse('node', 'list', '--no-maintenance')).toMatchObject({ options: { maintenance: false } });
    expect((parse('node', 'list') as { options: object }).options).not.toHaveProperty('maintenance');
  });

  it.each([
    [['node', 'create']],
    [['node', 'list', '--nope']],
    [['node', 'list', '-f', 'xml']],
    [['node', 'list', '--long', '--fields', 'uuid']],
    [['node', 'list', '--fields', 'nope']],
    [['node', 'show']],
    [['node', 'show', 'a', 'b']],
    [['node', 'boot', 'device', 'set', 'n1', 'floppy']],
  ])('%j is called wrongly: exit code 2, one line and a hint', async (argv) => {
    const { code, err } = await run(...argv);
    expect(code).toBe(2);
    expect(err).toMatch(/^baremetal .*\nSee: baremetal .* --help\n$/);
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
    for (const command of COMMANDS) {
      const { code, out } = await run(...command.name.split(' '), '--help');
      expect(code, command.name).toBe(0);
      expect(out).toContain(command.summary);
    }
    expect((await run('help', 'node', 'deploy')).out).toContain('Examples:\n  baremetal node deploy n1 --wait');
    expect((await run('--help')).out).toContain('node timeline');
    expect((await run('node', '--help')).out).toContain('node list');
    expect(await run('--version')).toMatchObject({ code: 0, out: 'baremetal 9\n' });
  });

  it('has functions behind all commands', async () => {
    for (const command of COMMANDS) expect(await command.load(), command.name).toBeTypeOf('function');
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

  it.each(['bash', 'zsh', 'fish'])('prints a completion script for %s', async (shell) => {
    const { code, out } = await run('completion', shell);
    expect(code).toBe(0);
    expect(out).toContain('--config-drive'.replace('--', shell === 'fish' ? '-l ' : '--'));
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
  it.each(['nope', 'bad.json', 'bad.bin', '{'])('says what is wrong with %s', (given) => {
    expect(() => read(given)).toThrow(given === '{' ? /not JSON/ : given);
  });
});
