import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutorError } from '@bessemer/executor-protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compilePlay } from './compile.ts';
import { REFERENCE } from './references.ts';

const KNOWN = ['command', 'ping', 'file', 'copy', 'setup', 'service', 'systemd', 'apt', 'user'];
const library = {
  canonicalName: (name: string) => name.replace(/^ansible\.builtin\./, ''),
  has: (name: string) => KNOWN.includes(name),
  check(name: string) {
    if (!KNOWN.includes(name)) throw new Error(`The module '${name}' is nowhere.`);
  },
};
const compile = (text: string, more: object = {}) => compilePlay({ text, file: 'site.yml', ...more }, { library });
const first = (text: string, more?: object) => compile(text, more).tasks[0]!;
const ref = (...path: (string | number)[]) => ({ [REFERENCE]: path });

describe('a playbook', () => {
  it('is plays with tasks, in order, with the facts before them', () => {
    const { tasks, summaries, plays, modules } = compile(`
- hosts: all
  vars: {a: 1}
  tasks: [{ping: }]
- name: second
  hosts: web
  gather_facts: no
  become: yes
  become_user: app
  tasks:
    - name: as app
      ansible.builtin.command: id
    - {ping: , become: false}
    - {service: name=x state=started, become_user: other}
`);
    expect(summaries.map(({ name, line }) => [name, line])).toEqual([
      ['Gathering Facts', 2],
      ['ping', 4],
      ['as app', 11],
      ['ping', 13],
      ['service', 14],
    ]);
    expect(tasks.map((task) => [task.play, task.becomeUser, task.facts])).toEqual([
      [0, null, true],
      [0, null, false],
      [1, 'app', false],
      [1, null, false],
      [1, 'other', false],
    ]);
    expect(plays).toEqual([{ vars: { a: 1 } }, { vars: {} }]);
    expect([...modules].sort()).toEqual(['command', 'ping', 'service', 'setup', 'systemd']);
  });

  it('may be a list of tasks, whose facts are not gathered', () => {
    expect(compile('- ping:\n- ping:').summaries).toHaveLength(2);
  });

  it.each([
    ['command: echo a  b chdir=/x creates="/y z"', { _raw_params: 'echo a  b', chdir: '/x', creates: '/y z' }],
    ['command: chdir=/x ls -l', { _raw_params: 'ls -l', chdir: '/x' }],
    ["command: sh -c 'a chdir=/no' FOO=1", { _raw_params: "sh -c 'a chdir=/no' FOO=1" }],
    ['command: {cmd: ls, chdir: /x}', { _raw_params: 'ls', chdir: '/x' }],
    ['command: ls\n  args: {chdir: /x}', { _raw_params: 'ls', chdir: '/x' }],
    ['command: {argv: [a, "b c"]}', { argv: ['a', 'b c'] }],
    ['command: "{{ cmd }}"', { _raw_params: ref('cmd') }],
    ['shell: a | b', { _raw_params: 'a | b', _uses_shell: true }],
    [
      'file: path=/a mode=0644 owner="a b" src={{ x.y }}',
      { path: '/a', mode: '0644', owner: 'a b', src: ref('x', 'y') },
    ],
    ['file: {mode: 0644, recurse: yes}', { mode: 420, recurse: true }],
    [
      'user: {name: "{{ u[\'n-m\'][0].name }}", groups: ["{{ g }}", wheel]}',
      { name: ref('u', 'n-m', 0, 'name'), groups: [ref('g'), 'wheel'] },
    ],
    ['ping:', {}],
  ])('takes arguments as Ansible does: %s', (text, args) => {
    expect(first(`- ${text}`).args).toEqual(args);
  });

  it.each([
    ['x', ['var', ['x']]],
    ['not x.y or z is defined', ['or', ['not', ['var', ['x', 'y']]], ['defined', ['var', ['z']]]]],
    [
      "a == 'b c' and (c != 3 or d in ['x', -1.5])",
      [
        'and',
        ['==', ['var', ['a']], ['lit', 'b c']],
        ['or', ['!=', ['var', ['c']], ['lit', 3]], ['in', ['var', ['d']], ['list', ['lit', 'x'], ['lit', -1.5]]]],
      ],
    ],
    ['r is not changed', ['not', ['test', 'changed', ['var', ['r']]]]],
    ['a not in b', ['not in', ['var', ['a']], ['var', ['b']]]],
    ['x is undefined', ['not', ['defined', ['var', ['x']]]]],
    ['r.results[0].rc >= 1', ['>=', ['var', ['r', 'results', 0, 'rc']], ['lit', 1]]],
  ])('compiles the condition %s', (text, compiled) => {
    expect(first(`- ping:\n  when: ${JSON.stringify(text)}`).when).toEqual(compiled);
  });

  it.each([
    ['- ping:\n  when: a | length', 2, 'condition'],
    ['- ping:\n  when: a is match("x")', 2, "'is match'"],
    ['- ping:\n  when: "(a"', 2, "')' is missing"],
    ['- ping:\n  when: a b', 2, 'not understood'],
    ['- command: echo {{ x }}', 1, 'template'],
    ['- copy:\n    dest: /x\n    content: "a {{ x }}"', 3, 'template'],
    ['- file: {path: "{{ x | default(1) }}"}', 1, 'template'],
    ['- file:\n    path: "{% if x %}a{% endif %}"', 2, 'template'],
    ['- set_fact: {"{{ x }}": 1}', 1, 'no name for a variable'],
    ['- file: {"{{ x }}": 1}', 1, 'key'],
    ['- ping:\n  notify: restart', 2, "'notify' is not supported in a task"],
    ['- ping:\n  with_dict: {a: 1}', 2, "'with_dict'"],
    ['- ping:\n  delegate_to: x', 2, "'delegate_to'"],
    ['- name: none', 1, 'names no module'],
    ['- ping:\n  pign:', 2, "'ping' and 'pign'"],
    ['- hosts: all\n  serial: 1\n  tasks: []', 2, "'serial' is not supported in a play"],
    ['- hosts: all\n  roles: [x]', 2, "'roles'"],
    ['- hosts: all\n  gather_facts: false\n  tasks: []', 1, 'no tasks'],
    ['- template: {src: a, dest: b}', 1, 'no template engine'],
    ['- ping:\n  become_method: su', 2, 'sudo'],
    ['- ping:\n  become_user: "a b"', 2, 'account name'],
    ['- ping:\n  register: a-b', 2, 'no name for a variable'],
    ['- ping:\n  loop: abc', 2, 'must be a list'],
    ['- ping:\n  loop: [1]\n  with_items: [1]', 1, 'one loop'],
    ['- ping:\n  loop_control: {index_var: i}', 2, 'index_var'],
    ['- ping:\n  ignore_errors: maybe', 2, 'true or false'],
    ['- ping:\n  tags: [never]', 2, 'never'],
    ['- command:', 1, 'no command'],
    ['- file: just text', 1, 'key=value'],
    ['- copy: {dest: /x}', 1, "'src' or 'content'"],
    ['- copy: {src: absent, dest: /x}', 1, 'was not given'],
    ['- copy: {src: "{{ later.path }}", dest: /x}', 1, 'known before the play runs'],
    ['- assert: {msg: x}', 1, "needs 'that'"],
    ['a: [', 1, 'no valid YAML'],
    ['- ping:\n- a: 1\n  a: 2', 3, 'no valid YAML'],
    ['- ping: !vault x', 1, 'no valid YAML'],
    ['', 1, 'empty'],
    ['hosts: all', 1, 'list of plays'],
  ])('refuses %j at its line, saying what is wrong', (text, line, words) => {
    let thrown: ExecutorError | undefined;
    try {
      compile(text);
    } catch (error) {
      thrown = error as ExecutorError;
    }
    expect(thrown).toMatchObject({ code: 'PLAY_INVALID', at: { file: 'site.yml', line } });
    expect(thrown!.message).toContain(`site.yml:${line}: `);
    expect(thrown!.message).toContain(words);
  });

  it('names a module that is nowhere with its line', () => {
    expect(() => compile('- ping:\n- nowhere: {}')).toThrow(
      expect.objectContaining({ code: 'MODULE_NOT_FOUND', at: { file: 'site.yml', line: 2 } }),
    );
  });

  it('bounds what aliases multiply', () => {
    const bomb = [
      '- &a [x, x, x, x, x, x, x, x, x, x]',
      ...'bcdefgh'.split('').map((name, index) => `- &${name} [${Array(10).fill(`*${'abcdefg'[index]}`).join(', ')}]`),
    ].join('\n');
    expect(() => compile(bomb)).toThrow(expect.objectContaining({ code: 'PLAY_INVALID' }));
    expect(() => compile(`- ping: ${'['.repeat(500)}${']'.repeat(500)}`)).toThrow(
      expect.objectContaining({ code: 'PLAY_INVALID' }),
    );
  });

  it('is refused or compiled, never anything else', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            '- ',
            'ping:',
            'command: ',
            '{{ x }}',
            '\n',
            '  ',
            'loop: ',
            '[a]',
            'when: ',
            'not ',
            '"',
            ':',
            'hosts: all',
            'tasks:',
            '&a ',
            '*a',
            '!!',
            '<<: ',
          ),
          { maxLength: 30 },
        ),
        (parts) => {
          try {
            compile(parts.join(''));
          } catch (error) {
            expect(error).toMatchObject({ name: 'ExecutorError' });
          }
        },
      ),
    );
  });
});

describe('files of a play', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'bessemer-files-'));
    mkdirSync(join(root, 'site/files'), { recursive: true });
    writeFileSync(join(root, 'site/files/a'), 'AAA');
    writeFileSync(join(root, 'site/b'), 'BB');
    writeFileSync(join(root, 'secret'), 'S');
    symlinkSync('../secret', join(root, 'site/link'));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('travel once each, in one payload', () => {
    const text =
      '- copy: {src: "{{ item.f }}", dest: /x}\n  loop: [{f: a}, {f: b}]\n- copy: {src: a, dest: /y}\n- copy: {src: /remote, dest: /z, remote_src: yes}\n- copy: {content: hi, dest: /z}\n';
    const { tasks, payload } = compile(text, { filesRoot: join(root, 'site') });
    expect(Buffer.from(payload).toString()).toBe('AAABB');
    expect(tasks.map((task) => task.files)).toEqual([{ a: [0, 3], b: [3, 2] }, { a: [0, 3] }, null, {}]);
  });

  it.each(['../secret', 'link', '/etc/passwd', '.'])('outside their folder are not read: %s', (path) => {
    expect(() => compile(`- copy: {src: ${path}, dest: /x}`, { filesRoot: join(root, 'site') })).toThrow(
      /is not below/,
    );
  });
});
