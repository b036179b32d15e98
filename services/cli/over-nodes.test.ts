import { describe, expect, it } from 'vitest';
import { findCommand } from './catalogue/index.ts';
import type { Invocation, Run } from './command.ts';
import { CliError } from './errors.ts';
import { inParallel } from './in-parallel.ts';
import { joined, namesOf, runOverNodes, turnsOf } from './over-nodes.ts';
import { parseCommand } from './parser.ts';
import { memoryIo, recordingServer, runOn } from './testing.ts';

async function turns(...argv: string[]) {
  const { command, length } = (await findCommand(argv))!;
  const parsed = parseCommand(command, argv.slice(length), memoryIo().io);
  return turnsOf(command, parsed as Exclude<typeof parsed, 0>);
}
const args = async (...argv: string[]) => (await turns(...argv)).map((t) => t.args);

describe('for which nodes a command runs', () => {
  it('reads ranges, several words, and keeps the other arguments', async () => {
    expect(await args('node', 'show', 'n1')).toEqual([['n1']]);
    expect(await args('node', 'show', 'n[1-2]')).toEqual([['n1'], ['n2']]);
    expect(await args('node', 'reboot', 'n[1-3],-n2', 'm1', 'n1')).toEqual([['n1'], ['n3'], ['m1']]);
    expect(await args('node', 'boot', 'device', 'set', 'n[1-2]', 'pxe')).toEqual([
      ['n1', 'pxe'],
      ['n2', 'pxe'],
    ]);
    expect(await args('node', 'add', 'trait', 'n[1-2]', 'CUSTOM_A', 'CUSTOM_B')).toEqual([
      ['n1', 'CUSTOM_A', 'CUSTOM_B'],
      ['n2', 'CUSTOM_A', 'CUSTOM_B'],
    ]);
    expect(await args('node', 'events')).toEqual([[]]);
  });

  it('leaves words that are no names of nodes alone', async () => {
    expect(await args('chassis', 'show', 'a[1-2]')).toEqual([['a[1-2]']]);
    expect(namesOf('bad name')).toEqual(['bad name']);
  });

  it('reads ranges in options that name nodes', async () => {
    const [one] = await turns('allocation', 'create', '--candidate-node', 'n[1-2]', '--candidate-node', 'm1');
    expect(one!.options['candidateNode']).toEqual(['n1', 'n2', 'm1']);
    const ports = await turns('port', 'list', '--node', 'n[1-2]');
    expect(ports.map((t) => [t.node, t.options['node']])).toEqual([
      ['n1', 'n1'],
      ['n2', 'n2'],
    ]);
    expect((await turns('port', 'create', 'aa', '--node', 'n[1-1]'))[0]!.options['node']).toBe('n1');
  });

  it.each([
    [['node', 'set', 'n[1-2]', '--name', 'x'], /--name cannot be used with more than one node, and this names 2/],
    [['port', 'create', 'aa', '--node', 'n[1-2]'], /--node takes one node, and this names 2/],
    [['node', 'inventory', 'save', 'n1,n2'], /takes one node, and this names 2/],
    [['node', 'show', 'n[3-1]'], /runs backwards\.\n {2}n\[3-1\]\n {4}\^/],
    [['node', 'show', 'n[1-3],-n7'], /takes away what the names before it do not have/],
  ])('%j is called wrongly', async (argv, message) => {
    await expect(turns(...argv)).rejects.toThrow(message);
    await expect(turns(...argv)).rejects.toMatchObject({ exitCode: 2 });
  });
});

describe('a command over several nodes', () => {
  const base = (io: Invocation['io']) => ({ options: {}, args: [], io }) as unknown as Invocation;
  const turn = (node: string) => ({ node, args: [node], options: {} });

  it('keeps what one writes together, in the order of the nodes, and goes on after a failure', async () => {
    const { io, written } = memoryIo();
    const release: Array<() => void> = [];
    const run: Run = async ({ args: [node], io: own }) => {
      own.out(`${node} begins\n`);
      if (node === 'n1') await new Promise<void>((resolve) => release.push(resolve));
      if (node === 'n2') throw new CliError('it is broken');
      own.out(`${node} ends\n`);
      if (node === 'n3') release[0]!();
      return { kind: 'one', pairs: [['name', node!]] };
    };
    const { outputs, code } = await runOverNodes(run, base(io), ['n1', 'n2', 'n3'].map(turn));
    expect(written.out).toBe('n1 begins\nn1 ends\nn2 begins\nn3 begins\nn3 ends\n');
    expect(written.err).toBe('n2: it is broken\n1 of 3 nodes failed.\n');
    expect(code).toBe(1);
    expect(outputs.map((o) => o.node)).toEqual(['n1', 'n3']);
  });

  it('reads standard input once', async () => {
    const { io } = memoryIo();
    let reads = 0;
    const counting = { ...io, readInput: async () => `read ${++reads}` };
    const seen: string[] = [];
    const run: Run = async ({ io: own }) => {
      seen.push(await own.readInput());
      return undefined;
    };
    await runOverNodes(run, base(counting), ['n1', 'n2'].map(turn));
    expect(seen).toEqual(['read 1', 'read 1']);
  });

  it('has few under way at once', async () => {
    let now = 0;
    let most = 0;
    const done = await inParallel(
      Array.from({ length: 30 }, (_, i) => i),
      async (i) => {
        most = Math.max(most, ++now);
        await Promise.resolve();
        now -= 1;
        return i;
      },
    );
    expect(most).toBe(8);
    expect(done).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  it('joins lists and objects, with the node in front', () => {
    const list = { kind: 'list', heads: ['Traits'], fields: ['traits'], rows: [['A'], ['B']] } as const;
    expect(
      joined([
        { node: 'n1', output: list },
        { node: 'n2', output: { ...list, rows: [['C']] } },
      ]),
    ).toEqual({
      kind: 'list',
      heads: ['Node', 'Traits'],
      fields: ['node', 'traits'],
      rows: [
        ['n1', 'A'],
        ['n1', 'B'],
        ['n2', 'C'],
      ],
    });
    expect(
      joined([
        { node: 'n1', output: { kind: 'one', pairs: [['a', 1]] } },
        { node: 'n2', output: { kind: 'one', pairs: [['b', 2]] } },
      ]),
    ).toMatchObject({
      heads: ['Node', 'a', 'b'],
      rows: [
        ['n1', 1, null],
        ['n2', null, 2],
      ],
    });
    expect(joined([])).toBeUndefined();
  });

  it('asks for each node and shows all', async () => {
    const server = await recordingServer((method, path) => {
      const name = path.split(/[/?]/)[3]!;
      if (name === 'n2' && method === 'PUT')
        return { status: 409, body: { error_message: '{"faultstring": "Node n2 is associated"}' } };
      return method === 'PUT'
        ? { status: 202 }
        : { status: 200, body: { uuid: `u-${name}`, provision_state: 'active' } };
    });
    try {
      const run = (...argv: string[]) => runOn(server, argv);
      expect(await run('node', 'show', 'n[1-2]', '-c', 'provision_state', '-f', 'value')).toEqual({
        code: 0,
        out: 'n1 active\nn2 active\n',
        err: '',
      });
      expect((await run('node', 'show', 'n[1-2]', '-f', 'json', '--noindent')).out).toBe(
        '[{"Node": "n1", "chassis_uuid": "", "provision_state": "active", "uuid": "u-n1"}, {"Node": "n2", "chassis_uuid": "", "provision_state": "active", "uuid": "u-n2"}]\n',
      );
      expect((await run('node', 'show', 'n[1-2]', '-c', 'uuid')).out).toMatch(
        /^n1:\n\+-+\+-+\+\n[\s\S]*u-n1[\s\S]*\nn2:\n[\s\S]*u-n2/,
      );
      expect(await run('node', 'show', 'n[1-2]', '-f', 'shell')).toMatchObject({ code: 2 });
      server.seen.length = 0;
      const ran = await run('node', 'power', 'on', 'n[1-3]');
      expect(ran).toEqual({
        code: 1,
        out: '',
        err: 'n2: Node n2 is associated (HTTP 409)\n1 of 3 nodes failed.\n',
      });
      expect(server.seen.map(([method, path]) => `${method} ${path}`).toSorted()).toEqual([
        'PUT /v1/nodes/n1/states/power',
        'PUT /v1/nodes/n2/states/power',
        'PUT /v1/nodes/n3/states/power',
      ]);
    } finally {
      await server.close();
    }
  });
});
