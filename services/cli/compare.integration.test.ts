import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInstallation, type Installation } from './testing.ts';

const N1 = 'f0000000-0000-4000-8000-000000000001';
const N2 = 'f0000000-0000-4000-8000-000000000002';
const PORT = 'f0000000-0000-4000-8000-00000000000a';
const GROUP = 'f0000000-0000-4000-8000-00000000000b';
const CONNECTOR = 'f0000000-0000-4000-8000-00000000000d';
const TARGET = 'f0000000-0000-4000-8000-00000000000e';
const CHASSIS = 'f0000000-0000-4000-8000-00000000000c';

let bed: Installation;
const ok = async (...args: string[]) => {
  const ran = await bed.ours(...args);
  expect(ran.code, ran.err).toBe(0);
  return ran.out;
};

beforeAll(async () => {
  bed = await createInstallation();
  await ok('chassis', 'create', '--uuid', CHASSIS, '--description', 'Schrank «drei»', '--extra', 'floor=2');
  const extra = [
    '--extra',
    `word=it's "so"`,
    '--extra',
    'deep={"b":[1,2.5,1e20,null,true],"a":{"ü":"日本\\n\\u0007"}}',
  ];
  await ok(
    'node',
    'create',
    '--driver',
    'fake-hardware',
    '--name',
    'n1',
    '--uuid',
    N1,
    '--chassis-uuid',
    CHASSIS,
    '--resource-class',
    'large',
    '--property',
    'cpus=8',
    '--property',
    'cpu_arch=x86_64',
    '--description',
    '服务器 wide\nsecond line',
    ...extra,
  );
  await ok(
    'node',
    'create',
    '--driver',
    'fake-hardware',
    '--uuid',
    N2,
    '--driver-info',
    'ipmi_password=secret',
    '--owner',
    'me',
  );
  await ok(
    'port',
    'create',
    '52:54:00:aa:bb:cc',
    '--node',
    N1,
    '--uuid',
    PORT,
    '--local-link-connection',
    'port_id=Eth1',
    '--local-link-connection',
    'switch_id=00:11:22:33:44:55',
  );
  await ok('port', 'group', 'create', '--node', N1, '--uuid', GROUP, '--name', 'bond0', '--property', 'miimon=100');
  await ok('node', 'trait', 'add', 'n1', 'CUSTOM_GOLD', 'HW_CPU_X86_VMX');
  await ok('node', 'vif', 'attach', 'n1', 'f0000000-0000-4000-8000-00000000000f');
  const volume = ['--node', N1, '--extra', 'a=[1,2]'];
  await ok(
    'volume',
    'connector',
    'create',
    ...volume,
    '--uuid',
    CONNECTOR,
    '--type',
    'iqn',
    '--connector-id',
    'iqn.x:1',
  );
  await ok(
    ...['volume', 'target', 'create', ...volume, '--uuid', TARGET, '--type', 'iscsi', '--boot-index', '0'],
    ...['--volume-id', 'v', '--property', 'k=v'],
  );
  const steps = '[{"interface":"bios","step":"apply_configuration","args":{"settings":[]},"priority":50}]';
  await ok('deploy', 'template', 'create', 'CUSTOM_GOLD', '--steps', steps, '--extra', 'x=1');
  await ok('allocation', 'create', '--resource-class', 'none-such', '--name', 'a1', '--trait', 'CUSTOM_GOLD');
  await ok('node', 'manage', 'n1', '--wait');
}, 60_000);
afterAll(() => bed.end());

/** Commands whose output must be the same, byte for byte. */
const SAME: ReadonlyArray<readonly string[]> = [
  ['node', 'list'],
  ['node', 'list', '-f', 'json'],
  ['node', 'list', '-f', 'value', '-c', 'UUID', '-c', 'Name'],
  ['node', 'list', '--long', '--sort', 'uuid:desc'],
  ['node', 'list', '--long', '-f', 'json', '--noindent'],
  ['node', 'list', '--long', '-f', 'csv', '--quote', 'minimal'],
  ['node', 'list', '--fields', 'uuid', 'extra', 'properties', 'maintenance', '-f', 'value'],
  ['node', 'list', '--fields', 'name', 'description', 'extra', '--max-width', '60'],
  ['node', 'list', '--provision-state', 'manageable', '--limit', '1'],
  ['node', 'list', '--limit', '0', '--resource-class', 'large', '--no-maintenance', '-f', 'csv'],
  ['node', 'list', '--driver', 'ipmi'],
  ['node', 'list', '--driver', 'ipmi', '--print-empty'],
  ['node', 'list', '--driver', 'ipmi', '-f', 'json'],
  ['node', 'show', 'n1'],
  ['node', 'show', N1, '-f', 'json'],
  ['node', 'show', 'n1', '-f', 'value'],
  ['node', 'show', 'n1', '-f', 'shell', '--prefix', 'node_'],
  ['node', 'show', N2, '-f', 'json', '-c', 'driver_info', '-c', 'owner', '--noindent'],
  ['node', 'show', 'n1', '--fields', 'extra', 'properties', '--fields', 'name'],
  ['node', 'show', 'n1', '--max-width', '70'],
  ['node', 'validate', 'n1'],
  ['node', 'boot', 'device', 'show', 'n1', '--supported', '-f', 'json'],
  ['port', 'list', '--long'],
  ['port', 'list', '--node', 'n1', '-f', 'value'],
  ['port', 'show', PORT],
  ['port', 'show', '--address', '52:54:00:aa:bb:cc', '-f', 'json'],
  ['port', 'group', 'list', '--long'],
  ['port', 'group', 'list', '--node', 'n1', '--fields', 'name', 'mode', '-f', 'csv'],
  ['port', 'group', 'show', 'bond0'],
  ['port', 'group', 'show', GROUP, '--fields', 'properties', 'name', '-f', 'json'],
  ['volume', 'connector', 'list'],
  ['volume', 'connector', 'list', '--long', '-f', 'json'],
  ['volume', 'connector', 'show', CONNECTOR],
  ['volume', 'target', 'list', '--node', N1],
  ['volume', 'target', 'list', '--long'],
  ['volume', 'target', 'show', TARGET, '-f', 'yaml'],
  ['deploy', 'template', 'list', '--long'],
  ['deploy', 'template', 'show', 'CUSTOM_GOLD', '-f', 'json'],
  ['allocation', 'list'],
  ['allocation', 'list', '--long', '--state', 'error', '-f', 'json'],
  ['allocation', 'show', 'a1'],
  ['node', 'trait', 'list', 'n1'],
  ['node', 'vif', 'list', 'n1', '-f', 'value'],
  ['node', 'bios', 'setting', 'list', 'n1'],
  ['node', 'bios', 'setting', 'list', 'n1', '--long', '-f', 'json'],
  ['node', 'history', 'list', 'n1'],
  ['node', 'console', 'show', 'n1'],
  ['node', 'passthru', 'list', 'n1'],
  ['node', 'list', '--long', '-f', 'yaml'],
  ['node', 'show', 'n1', '-f', 'yaml', '-c', 'uuid', '-c', 'created_at', '-c', 'properties', '-c', 'name'],
  ['chassis', 'list', '--long', '-f', 'json'],
  ['chassis', 'show', CHASSIS],
  ['driver', 'list'],
  ['driver', 'list', '--long', '-f', 'json'],
  ['driver', 'show', 'ipmi'],
  ['driver', 'property', 'list', 'ipmi', '-f', 'json'],
  ['driver', 'raid', 'property', 'list', 'fake-hardware'],
  ['driver', 'passthru', 'list', 'fake-hardware'],
  ['conductor', 'list', '-c', 'Hostname', '-c', 'Alive'],
];

/** Commands that fail, or do nothing, and their exit codes. */
const CODES: ReadonlyArray<readonly [string, readonly string[], number]> = [
  ['a node that is not there', ['node', 'show', 'nope'], 1],
  ['a column that is not there', ['node', 'list', '-c', 'nope'], 1],
  ['a command that is not there', ['node', 'frobnicate'], 2],
  ['a missing option', ['node', 'create'], 2],
  ['a format that is not there', ['node', 'list', '-f', 'xml'], 2],
  ['a state that does not allow it', ['node', 'unrescue', 'n1'], 1],
  ['nothing to set', ['node', 'set', 'n1'], 0],
  ['a delete that fails', ['node', 'delete', 'nope'], 1],
];
const VERSION = ['--os-baremetal-api-version', '1.78'];

describe("beside Ironic's own command line, on the same service", () => {
  it('writes the same bytes', { timeout: 180_000 }, async () => {
    const theirs = await bed.theirs(SAME.map((args) => [...VERSION, ...args]));
    for (const [i, args] of SAME.entries()) {
      const ours = await bed.ours(...VERSION, ...args);
      expect(theirs[i], args.join(' ')).toMatchObject({ code: 0 });
      expect.soft(ours.out, args.join(' ')).toBe(theirs[i]!.out);
      expect.soft(ours.code, ours.err).toBe(0);
    }
  });

  it('ends with the same exit codes', { timeout: 60_000 }, async () => {
    const theirs = await bed.theirs(CODES.map(([, args]) => args));
    for (const [i, [what, args, code]] of CODES.entries()) {
      const ours = await bed.ours(...args);
      expect.soft([theirs[i]!.code, ours.code], what).toEqual([code, code]);
      expect.soft(ours.err, what).not.toMatch(/^\s+at /m);
    }
  });

  it('leaves the same node behind after create, set, unset and maintenance', { timeout: 60_000 }, async () => {
    const steps = (name: string): string[][] => [
      [
        'node',
        'create',
        '--driver',
        'fake-hardware',
        '--name',
        name,
        '--property',
        'a=1',
        '--extra',
        'x={"y":2}',
        '--no-automated-clean',
      ],
      [
        'node',
        'set',
        name,
        '--instance-info',
        'image_source=http://x/y',
        '--property',
        'b=[1,2]',
        '--owner',
        'o',
        '--retired',
        '--description',
        'd',
      ],
      ['node', 'unset', name, '--property', 'a', '--retired', '--description'],
      ['node', 'maintenance', 'set', name, '--reason', 'because'],
    ];
    for (const step of steps('a1')) await ok(...step);
    for (const ran of await bed.theirs(steps('a2'))) expect(ran).toMatchObject({ code: 0 });
    const seen = async (name: string) => {
      const node = JSON.parse(await ok('node', 'show', name, '-f', 'json')) as Record<string, unknown>;
      for (const own of ['uuid', 'name', 'created_at', 'updated_at']) delete node[own];
      return node;
    };
    expect(await seen('a1')).toEqual(await seen('a2'));
  });
});
