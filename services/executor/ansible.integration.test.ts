/** The same tasks through Debian's ansible-playbook and through the executor, each on a fresh copy of this machine: equal results. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Json, JsonObject } from '@bessemer/executor-protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openExecutor } from './index.ts';
import { startSshd, type TestSshd } from './testing/sshd.ts';

/** One module or form each, as YAML below `- `. */
const TASKS = [
  'ping:',
  'ping: {data: hello}',
  'command: echo one two',
  'command: "false"',
  'command: touch /srv/made creates=/srv/made',
  'command: touch /srv/made creates=/srv/made',
  'command: {argv: [printf, "%s|", a b, c]}',
  'command: no-such-program',
  'shell: echo out; echo err >&2; exit 4',
  'shell: cat\n  args: {stdin: from stdin, chdir: /srv}',
  'file: {path: /srv/d, state: directory, mode: "0711"}',
  'file: {path: /srv/d, state: directory, mode: "0711"}',
  'file: {src: /srv/d, path: /srv/link, state: link}',
  'file: {path: /srv/none, state: file}',
  'copy: {content: "alpha\\nbeta\\n", dest: /srv/d/text, mode: "0640", owner: nobody}',
  'copy: {content: "alpha\\nbeta\\n", dest: /srv/d/text, mode: "0640", owner: nobody}',
  'copy: {src: sent.bin, dest: /srv/d/}',
  'copy: {src: /srv/d/text, dest: /srv/d/text2, remote_src: true}',
  'copy: {content: {b: 1, a: [true, null]}, dest: /srv/d/json}',
  'lineinfile: {path: /srv/d/text, regexp: ^alpha, line: gamma}',
  'lineinfile: path=/srv/d/text line="delta epsilon" insertafter=^gamma',
  'lineinfile: {path: /srv/d/absent, line: x}',
  'replace: {path: /srv/d/text, regexp: beta, replace: BETA}',
  'blockinfile: {path: /srv/d/text, block: "one\\ntwo"}',
  'stat: path=/srv/d/text',
  'stat: path=/srv/absent',
  'slurp: {src: /srv/d/text}',
  'find: {paths: /srv/d, patterns: "*.bin"}',
  'group: {name: crew, gid: 4321}',
  'user: {name: ada, uid: 4321, group: crew, shell: /bin/sh, create_home: false}',
  'user: {name: ada, uid: 4321, group: crew, shell: /bin/sh, create_home: false}',
  'user: {name: ada, groups: nosuchgroup}',
  'getent: {database: passwd, key: ada}',
  'hostname: {name: compared}',
  'hostname: {name: compared}',
  'apt: {name: sudo, state: present}',
  'apt: {name: no-such-package-at-all, state: present}',
  'service: {name: no-such-service, state: started}',
  'systemd: {name: no-such-service, state: started}',
  'tempfile: {path: /srv, suffix: .x}',
  'known_hosts: {name: peer.example, path: /srv/known_hosts, key: "peer.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVzdGluZ3Rlc3Rpbmd0ZXN0aW5ndGVzdGluZ3Rlc3Rp"}',
  'setup: {gather_subset: ["!all", min]}',
  'debug: {msg: hello}',
  'fail: {msg: no}',
  'assert: {that: ["1 == 2"], fail_msg: wrong}',
  'command: "{{ item }}"\n  loop: ["true", "false"]',
  'command: id -un\n  become: true\n  become_user: nobody',
  'command: id -gn\n  become: true\n  become_user: nosuchuser',
  'copy: {content: mine, dest: /srv/open/note}\n  become: true\n  become_user: nobody',
  'command: echo judged\n  register: judged\n  changed_when: "judged.stdout == \'other\'"\n  failed_when: judged.rc == 0',
  'ping:\n  when: false',
];
/** What is compared, in the result and in each item of a loop. */
const COMPARED = [
  'changed',
  'failed',
  'skipped',
  'rc',
  'stdout',
  'stdout_lines',
  'stderr',
  'msg',
  'stat',
  'mode',
  'owner',
  'group',
  'state',
  'size',
  'checksum',
  'content',
  'matched',
  'uid',
  'dest',
  'ping',
];
/** Inside `stat`: what differs between two copies of a file. */
const OF_A_COPY = ['atime', 'mtime', 'ctime', 'inode', 'dev', 'version'];

function compared(result: JsonObject, module: string): Json {
  const kept = Object.fromEntries(
    COMPARED.filter((key) => key in result).map((key) => {
      const value = result[key] ?? null;
      if (key === 'stat')
        return [
          key,
          Object.fromEntries(Object.entries(value as JsonObject).filter(([name]) => !OF_A_COPY.includes(name))),
        ];
      return [key, value];
    }),
  );
  kept.failed ??= false;
  kept.changed ??= false;
  // sudo is run differently, and only the sentence around what it said tells so.
  if ('module_stderr' in result || JSON.stringify(result.msg ?? '').includes('become')) delete kept.msg;
  if (module === 'tempfile') delete kept.dest;
  const results = Array.isArray(result.results) ? (result.results as JsonObject[]) : [];
  return results.length > 0 && typeof results[0] === 'object'
    ? { ...kept, results: results.map((each) => compared(each, module)) }
    : kept;
}

const prepare = 'mkdir -m 0777 /srv/open';
let theirs: TestSshd;
let ours: TestSshd;
beforeAll(async () => {
  theirs = await startSshd({ surroundings: 'private', prepare });
  ours = await startSshd({ surroundings: 'private', prepare });
});
afterAll(async () => {
  await theirs.stop();
  await ours.stop();
});

async function throughAnsible(): Promise<JsonObject[]> {
  const { folder } = theirs;
  const playbook = TASKS.map((task, index) => {
    // A task may register its own name for its conditions.
    const register = /register: (\w+)/.exec(task)?.[1] ?? `result_${index}`;
    const own = task.includes('register:') ? '' : `  register: ${register}\n`;
    return `- ${task}\n${own}  ignore_errors: true\n- debug: {msg: "RESULT {{ ${register} | to_json | b64encode }}"}\n`;
  }).join('');
  mkdirSync(join(folder, 'files'));
  writeFileSync(join(folder, 'files', 'sent.bin'), Buffer.from([0, 1, 2, 255]));
  writeFileSync(
    join(folder, 'play.yml'),
    `- hosts: all\n  gather_facts: false\n  tasks:\n${playbook.replace(/^/gm, '    ')}`,
  );
  writeFileSync(join(folder, 'known_hosts'), `[127.0.0.1]:${theirs.port} ${theirs.hostKey}\n`);
  writeFileSync(
    join(folder, 'inventory'),
    `t ansible_host=127.0.0.1 ansible_port=${theirs.port} ansible_user=root ansible_ssh_private_key_file=${theirs.keyPath} ansible_python_interpreter=/usr/bin/python3 ansible_ssh_common_args='-F none -o UserKnownHostsFile=${folder}/known_hosts'\n`,
  );
  const { stdout } = await promisify(execFile)(
    'ansible-playbook',
    ['-i', join(folder, 'inventory'), join(folder, 'play.yml')],
    {
      cwd: folder,
      maxBuffer: 1 << 26,
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        LANG: 'C.UTF-8',
        ANSIBLE_STDOUT_CALLBACK: 'minimal',
        ANSIBLE_PIPELINING: '1',
        ANSIBLE_SSH_ARGS: `-o ControlMaster=auto -o ControlPersist=60s -o ControlPath=${folder}/mux`,
        ANSIBLE_NOCOLOR: '1',
      },
    },
  );
  await promisify(execFile)('ssh', ['-F', 'none', '-o', `ControlPath=${folder}/mux`, '-O', 'exit', '127.0.0.1']);
  return [...stdout.matchAll(/RESULT ([A-Za-z0-9+/=]+)/g)].map((match) =>
    JSON.parse(Buffer.from(match[1]!, 'base64').toString('utf8')),
  );
}

async function throughExecutor(): Promise<JsonObject[]> {
  const executor = await openExecutor();
  try {
    const run = executor.runPlay({
      requestId: 'compare',
      target: ours.target(),
      play: {
        text: TASKS.map((task) => `- ${task}\n  ignore_errors: true\n`).join(''),
        files: { 'sent.bin': Buffer.from([0, 1, 2, 255]).toString('base64') },
      },
    });
    const results: JsonObject[] = [];
    let items: JsonObject[] = [];
    for await (const event of run) {
      if (event.type === 'item') items.push(event.result);
      if (event.type !== 'task') continue;
      results.push(items.length > 0 ? { ...event.result, results: items } : event.result);
      items = [];
    }
    expect((await run.result).error).toBeUndefined();
    return results;
  } finally {
    await executor.close();
  }
}

it('gives the results that ansible-playbook gives', async () => {
  const [expected, actual] = [await throughAnsible(), await throughExecutor()];
  expect(expected.length).toBe(TASKS.length);
  expect(actual.length).toBe(TASKS.length);
  const table = (results: JsonObject[]) =>
    results.map((result, index) => ({ task: TASKS[index]!, result: compared(result, /^\w+/.exec(TASKS[index]!)![0]) }));
  expect(table(actual)).toEqual(table(expected));
});
