import type { Executor, PlayEvent, PlayRequest, PlayResult, Target } from '@bessemer/executor-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openExecutor } from './index.ts';
import { startSshd, type TestSshd } from './testing/sshd.ts';

const TEN_TASKS = `
- hosts: all
  gather_facts: false
  vars:
    greeting: {text: good morning}
    lines: [one, two]
  tasks:
    - name: answers
      ping:
    - command: echo hello chdir=/srv
      register: hello
    - shell: echo "$HOME" | tr a-z A-Z
    - file: {path: /srv/work, state: directory, mode: "0750"}
    - copy: {content: "{{ hello.stdout }}", dest: /srv/work/hello}
    - copy: {src: motd.txt, dest: /srv/work/}
    - lineinfile: {path: /srv/work/motd.txt, line: "{{ item }}"}
      loop: "{{ lines }}"
    - stat: path=/srv/work/motd.txt
      register: motd
    - set_fact: {size: "{{ motd.stat.size }}"}
    - assert:
        that: [size == 14, hello is changed, "greeting.text == 'good morning'"]
`;
const TEN = { text: TEN_TASKS, files: { 'motd.txt': Buffer.from('hello').toString('base64') } };

let sshd: TestSshd;
let executor: Executor;
let serial = 0;
beforeAll(async () => {
  sshd = await startSshd({
    surroundings: 'private',
    prepare:
      'useradd -m op; echo op:correct | chpasswd; echo "op ALL=(ALL) ALL" > /etc/sudoers.d/op; useradd -m -p x plain; useradd -m -p x free; echo "free ALL=(ALL) NOPASSWD: ALL" > /etc/sudoers.d/free',
  });
  executor = await openExecutor();
});
afterAll(async () => {
  await executor.close();
  await sshd.stop();
});

interface Ended {
  readonly events: PlayEvent[];
  readonly result: PlayResult;
}
async function play(
  text: string | PlayRequest['play'],
  target: Target = sshd.target(),
  more: Partial<PlayRequest> = {},
): Promise<Ended> {
  const run = executor.runPlay({
    requestId: `test-${serial++}`,
    target,
    play: typeof text === 'string' ? { text } : text,
    ...more,
  });
  const events: PlayEvent[] = [];
  for await (const event of run) events.push(event);
  return { events, result: await run.result };
}
const tasks = (ended: Ended) => ended.events.filter((event) => event.type === 'task');
const stdout = (ended: Ended) => tasks(ended).map((task) => task.result.stdout);

describe('a play over ssh', () => {
  it('is one login and one exec channel for ten tasks, and neither for the next play', async () => {
    const first = await play(TEN);
    expect(first.result.error).toBeUndefined();
    expect(tasks(first).map((task) => task.status)).toEqual([
      'ok',
      'changed',
      'changed',
      'changed',
      'changed',
      'changed',
      'changed',
      'ok',
      'ok',
      'ok',
    ]);
    expect(first.events[0]).toMatchObject({
      type: 'connected',
      reused: false,
      hostKeyFingerprint: expect.stringMatching(/^SHA256:/),
    });
    expect(first.result.recap).toMatchObject({ ok: 10, changed: 6, failed: 0, unreachable: 0 });
    expect([sshd.logins(), sshd.channels()]).toEqual([1, 1]);

    const second = await play(TEN);
    expect(second.events[0]).toMatchObject({ type: 'connected', reused: true });
    expect(second.result.recap).toMatchObject({ ok: 10, changed: 4 });
    expect([sshd.logins(), sshd.channels()]).toEqual([1, 1]);
    // The modules are there already: only the play travels.
    expect(second.result.recap.bytesSent).toBeLessThan(first.result.recap.bytesSent / 10);
  });

  it('gives every item of a loop', async () => {
    const ended = await play('- command: echo {{\n', sshd.target());
    expect(ended.result.error?.code).toBe('PLAY_INVALID');
    const loop = await play(
      '- command: "{{ item.run }}"\n  loop: [{run: "true"}, {run: "false"}, {run: echo x}]\n  ignore_errors: true',
    );
    expect(
      loop.events.filter((event) => event.type === 'item').map((event) => [event.status, event.result.rc]),
    ).toEqual([
      ['changed', 0],
      ['failed', 1],
      ['changed', 0],
    ]);
    expect(tasks(loop)).toMatchObject([
      { status: 'failed', ignored: true, result: { msg: 'One or more items failed' } },
    ]);
    expect(loop.result).toMatchObject({ status: 'ok', recap: { ignored: 1, failed: 0 } });
  });

  it('stops at a failed task, says what it said, and goes on there when asked', async () => {
    const text = `
- command: echo kept
  register: before
- shell: test -e /srv/ready || { echo not ready >&2; exit 7; }
- command: "{{ before.stdout_lines[0] }}"
  ignore_errors: true
`;
    const failed = await play(text);
    expect(failed.result).toMatchObject({
      status: 'failed',
      failedTask: { index: 1, line: 4 },
      recap: { ok: 1, failed: 1 },
      resume: { startAt: 1 },
      error: { code: 'TASK_FAILED', message: expect.stringContaining('not ready') },
    });
    await play('- file: {path: /srv/ready, state: touch}');
    const resumed = await play(text, sshd.target(), { resume: failed.result.resume! });
    expect(resumed.result.status).toBe('ok');
    expect(tasks(resumed).map((task) => task.task.index)).toEqual([1, 2]);
    expect(tasks(resumed)[1]!.result.msg).toContain("b'kept'");
  });

  it('takes facts and gives them to tasks', async () => {
    const ended = await play(
      '- hosts: all\n  tasks:\n    - command: echo x\n    - debug: {var: ansible_facts.distribution}\n    - debug: {var: ansible_pkg_mgr}\n',
    );
    expect(tasks(ended).map((task) => task.task.name)).toEqual(['Gathering Facts', 'command', 'debug', 'debug']);
    expect(tasks(ended)[0]!.result).not.toHaveProperty('ansible_facts');
    expect(tasks(ended)[2]!.result).toEqual({ changed: false, 'ansible_facts.distribution': 'Debian' });
    expect(tasks(ended)[3]!.result).toEqual({ changed: false, ansible_pkg_mgr: 'apt' });
  });

  it('hides what no_log says, and keeps it for later tasks', async () => {
    const ended = await play(
      '- command: echo s3cret\n  no_log: true\n  register: r\n- assert: {that: "r.stdout == \'s3cret\'"}',
    );
    expect(JSON.stringify(ended.events)).not.toContain('s3cret');
    expect(ended.result.status).toBe('ok');
  });

  it('changes nothing in check mode', async () => {
    const ended = await play('- file: {path: /srv/never, state: directory}\n- stat: path=/srv/never', sshd.target(), {
      check: true,
    });
    expect(tasks(ended)).toMatchObject([{ status: 'changed' }, { result: { stat: { exists: false } } }]);
  });

  it('leaves no scratch folder behind', async () => {
    await play(
      [
        '- copy: {content: x, dest: /srv/scratch}',
        '- blockinfile: {path: /srv/scratch, block: y}',
        '- shell: kill -9 $PPID',
        '  ignore_errors: true',
      ].join('\n'),
    );
    expect(stdout(await play('- command: ls -A /dev/shm'))).toEqual(['']);
  });
});

describe('accounts', () => {
  const become = (user: string) => `- command: id -un\n  become: true\n  become_user: ${user}\n`;

  it('become another one by sudo, in an interpreter that is kept', async () => {
    const ended = await play(
      `${become('nobody')}- shell: echo $PPID\n  become: true\n  become_user: nobody\n- command: id -un\n${become('plain')}`,
    );
    expect(stdout(ended)).toMatchObject(['nobody', expect.anything(), 'root', 'plain']);
    expect(sshd.logins()).toBe(1);
    const stacks = await executor.stacks();
    expect(stacks[0]?.stacks).toMatchObject({
      accounts: expect.arrayContaining([
        expect.objectContaining({ user: 'nobody' }),
        expect.objectContaining({ user: 'plain' }),
      ]),
    });
  });

  it('use the password that was told, and say when it is wrong or missing', async () => {
    const as = (user: string, password?: string) =>
      sshd.target({ user, become: { method: 'sudo', ...(password === undefined ? {} : { password }) } });
    const root = '- command: id -un\n  become: true';
    expect(stdout(await play(root, as('op', 'correct')))).toEqual(['root']);
    expect(stdout(await play(root, as('free')))).toEqual(['root']);
    // A password that is not asked for does no harm.
    expect(stdout(await play(root, as('free', 'unused')))).toEqual(['root']);
    for (const [target, words] of [
      [as('op', 'wrong'), /password was refused/],
      [as('op'), /password is required/],
      [as('plain'), /password is required|not in the sudoers/],
    ] as const) {
      const { result } = await play(root, target);
      expect(result.error).toMatchObject({ code: 'BECOME_FAILED', message: expect.stringMatching(words) });
    }
    expect((await play(become('nosuch'))).result.error?.code).toBe('BECOME_FAILED');
  });

  it('see the groups that a task gave them', async () => {
    const ended = await play(
      `${become('plain')}- group: {name: crew}\n- user: {name: plain, groups: crew, append: true}\n- command: id -Gn\n  become: true\n  become_user: plain\n`,
    );
    expect(stdout(ended).at(-1)).toBe('plain crew');
  });

  it('get files without others seeing them', async () => {
    const ended = await play(
      '- copy: {content: for plain, dest: /home/plain/note, mode: "0600"}\n  become: true\n  become_user: plain\n- stat: path=/home/plain/note\n  register: note\n- assert: {that: "note.stat.pw_name == \'plain\'"}',
    );
    expect(ended.result.error).toBeUndefined();
  });
});

describe('what goes wrong', () => {
  const ping = '- ping:';

  it.each([
    ['another host key', () => sshd.target({ knownHostKey: sshd.otherHostKey }), 'HOST_KEY_CHANGED', /CHANGED/],
    [
      'a key nobody accepts',
      () => sshd.target({ privateKey: { path: sshd.otherKeyPath } }),
      'AUTHENTICATION_FAILED',
      /Permission denied/,
    ],
    ['a port nobody listens on', () => sshd.target({ port: 1 }), 'UNREACHABLE', /refused/],
    ['no Python', () => sshd.target({ python: '/nowhere/python3' }), 'PYTHON_MISSING', /not found/],
    ['what calls itself Python and is none', () => sshd.target({ python: '/bin/true' }), 'PYTHON_MISSING', undefined],
  ] as const)('%s is its own error, with what ssh said', async (_name, target, code, text) => {
    const channels = sshd.channels();
    const { result, events } = await play(ping, target());
    expect(result.error?.code).toBe(code);
    if (text) expect(result.error?.transportText).toMatch(text);
    expect(result.recap.unreachable).toBe(1);
    expect(events.map((event) => event.type)).toEqual(['recap']);
    if (code !== 'PYTHON_MISSING') expect(sshd.channels()).toBe(channels);
  });

  it('a task over its time is ended with all it started', async () => {
    const { result } = await play('- shell: sleep 1000 & sleep 1000', sshd.target(), { taskTimeoutMs: 300 });
    expect(result.error?.code).toBe('TIMEOUT');
    expect((await play(ping)).result.status).toBe('ok');
    expect(stdout(await play('- shell: pgrep -fxc "sleep 1000" || true'))).toEqual(['0']);
  });

  it('a cancelled play ends its task; the connection stays', async () => {
    const logins = sshd.logins();
    const run = executor.runPlay({
      requestId: 'to-cancel',
      target: sshd.target(),
      play: { text: '- command: sleep 1001\n- ping:' },
    });
    for await (const event of run) if (event.type === 'task-started') run.cancel();
    expect(await run.result).toMatchObject({ error: { code: 'CANCELLED' }, resume: { startAt: 0 } });
    expect((await play(ping)).result.status).toBe('ok');
    expect(sshd.logins()).toBe(logins);
  });

  it('a play over its time ends', async () => {
    const { result } = await play('- command: sleep 1002', sshd.target(), { playTimeoutMs: 400 });
    expect(result.error?.code).toBe('TIMEOUT');
  });

  it('a connection that breaks is unreachable, and the next play connects again', async () => {
    const { result, events } = await play(
      '- ping:\n- shell: kill -9 $(ps -o ppid= -p $(ps -o ppid= -p $PPID))\n- ping:',
    );
    expect(result).toMatchObject({
      status: 'failed',
      error: { code: 'UNREACHABLE' },
      failedTask: { index: 1 },
      recap: { ok: 1, unreachable: 1 },
    });
    expect(events.at(-2)).toMatchObject({ type: 'task', status: 'unreachable' });
    expect((await play(ping)).result.status).toBe('ok');
  });

  it('a module that is nowhere is named with its line before anything is sent', async () => {
    const { result } = await play({
      text: '- ping:\n- ansible.posix.authorized_key: {user: root, key: x}',
      file: 'site.yml',
    });
    expect(result.error).toMatchObject({ code: 'MODULE_NOT_FOUND', at: { file: 'site.yml', line: 2 } });
  });
});

describe('one connection', () => {
  it('is opened once for many callers at once, who each get their turn', async () => {
    const target = sshd.target({ user: 'free' });
    await executor.closeConnections();
    const logins = sshd.logins();
    const ended = await Promise.all(Array.from({ length: 20 }, (_, index) => play(`- command: echo ${index}`, target)));
    expect(ended.map((each) => stdout(each)[0])).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
    expect(sshd.logins()).toBe(logins + 1);
  });

  it('serves the same request id once', async () => {
    const request: PlayRequest = {
      requestId: 'once',
      target: sshd.target(),
      play: { text: '- shell: echo x >> /srv/once' },
    };
    const runs = [executor.runPlay(request), executor.runPlay(request)];
    const [first, second] = await Promise.all(runs.map((run) => run.result));
    expect(second).toEqual(first);
    await executor.runPlay(request).result;
    expect(stdout(await play('- command: wc -l /srv/once'))).toEqual(['1 /srv/once']);
    await expect(executor.runPlay({ ...request, check: true }).result).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});

describe('a target that may not be written', () => {
  it('runs command, stat and setup: the runtime writes no file', async () => {
    const readOnly = await startSshd({ surroundings: 'read-only' });
    try {
      const probes = ['/tmp', '/var/tmp', '/root', '/dev/shm', '/run', '/etc', '/home']
        .map((folder) => `! touch ${folder}/x`)
        .join(' && ');
      const ended = await play(
        `- shell: '${probes}'\n- command: echo hello\n- stat: path=/etc/passwd\n- setup:\n- ping:\n`,
        readOnly.target(),
      );
      expect(ended.result.error).toBeUndefined();
      expect(ended.result.recap.ok).toBe(5);
      expect(stdout(ended)[1]).toBe('hello');
    } finally {
      await readOnly.stop();
    }
  });
});
