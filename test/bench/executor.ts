/** The executor beside ansible-playbook on the same kind of target: one sshd each, through a relay that adds delay and counts bytes. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openExecutor } from '@bessemer/executor';
import { startSshd, type TestSshd } from '@bessemer/executor/testing';
import type { Benchmark, BenchResult } from './result.ts';

const run = promisify(execFile);
const MITOGEN = '/usr/lib/python3/dist-packages/ansible_mitogen/plugins/strategy';
const ROUND_TRIPS_MS = [0, 20];

const PLAYS: Record<string, { readonly tasks: number; readonly text: string }> = {
  'hostname x 100': { tasks: 100, text: play(Array.from({ length: 100 }, () => 'command: hostname')) },
  'day-0': {
    tasks: 25,
    text: play(
      [
        `hostname: {name: ${hostname()}}`,
        'group: {name: app, gid: 4000}',
        'user: {name: app, uid: 4000, group: app, shell: /bin/bash, home: /srv/app}',
        'file: {path: /srv/app/bin, state: directory, owner: app, mode: "0755"}',
        'file: {path: /srv/app/etc, state: directory, owner: app, mode: "0750"}',
        'file: {path: /srv/app/log, state: directory, owner: app, mode: "0750"}',
        'copy: {content: "ready\\n", dest: /etc/motd}',
        'copy: {content: "[app]\\nport = 8080\\n", dest: /srv/app/etc/app.ini, owner: app, mode: "0640"}',
        'copy: {content: "#!/bin/sh\\nexec sleep 1\\n", dest: /srv/app/bin/app, mode: "0755"}',
        'lineinfile: {path: /srv/app/etc/app.ini, regexp: ^port, line: port = 8081}',
        'lineinfile: {path: /srv/app/etc/app.ini, line: workers = 4}',
        'lineinfile: {path: /etc/hosts, line: 192.0.2.10 db}',
        'blockinfile: {path: /etc/hosts, block: "192.0.2.11 cache\\n192.0.2.12 queue"}',
        'replace: {path: /srv/app/etc/app.ini, regexp: workers, replace: threads}',
        'file: {src: /srv/app/etc, path: /srv/app/conf, state: link}',
        'stat: path=/srv/app/etc/app.ini',
        'slurp: {src: /srv/app/etc/app.ini}',
        'command: id app',
        'shell: getent passwd app | cut -f6 "-d:"',
        'getent: {database: passwd, key: app}',
        'find: {paths: /srv/app}',
        'command: touch /srv/app/log/first creates=/srv/app/log/first',
        'command: "true"\n      become: true\n      become_user: nobody',
        'ping:',
      ],
      true,
    ),
  },
};

function play(tasks: readonly string[], facts = false): string {
  return `- hosts: all\n  gather_facts: ${facts}\n  tasks:\n${tasks.map((task) => `    - ${task}\n`).join('')}`;
}

interface Relay {
  readonly port: number;
  up: number;
  down: number;
  close(): Promise<void>;
}

/** A relay before the sshd: every chunk arrives half a round trip later. */
async function startRelay(toPort: number, roundTripMs: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const relay: Relay = { port: 0, up: 0, down: 0, close: async () => {} };
  const later = (fn: () => void) => (roundTripMs === 0 ? fn() : void setTimeout(fn, roundTripMs / 2));
  const server = createServer({ noDelay: true }, (near) => {
    const far = createConnection({ port: toPort, host: '127.0.0.1', noDelay: true });
    for (const [from, to, count] of [
      [near, far, 'up'],
      [far, near, 'down'],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes: Buffer) => {
        relay[count] += bytes.length;
        later(() => to.write(bytes));
      });
      from.on('end', () => later(() => to.end()));
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return Object.assign(relay, {
    port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

interface Measured {
  readonly seconds: number;
  readonly upKb: number;
  readonly downKb: number;
  readonly logins: number;
  readonly channels: number;
  /** A second play over the standing connection. */
  readonly againSeconds?: number;
}
type Runner = (
  text: string,
  sshd: TestSshd,
  relay: Relay,
) => Promise<Pick<Measured, 'seconds' | 'upKb' | 'downKb' | 'againSeconds'>>;

/** Runs on a target of its own, made for this one measurement. */
async function measure(runner: Runner, text: string, roundTripMs: number): Promise<Measured> {
  const sshd = await startSshd({ surroundings: 'private', maxSessions: 10 });
  const relay = await startRelay(sshd.port, roundTripMs);
  try {
    return {
      ...(await runner(text, sshd, relay)),
      logins: sshd.logins(),
      channels: sshd.channels(),
    };
  } finally {
    await relay.close();
    await sshd.stop();
  }
}

const timed = async (work: () => Promise<unknown>) => {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
};

const kilobytes = (relay: Relay) => ({ upKb: Math.round(relay.up / 1000), downKb: Math.round(relay.down / 1000) });

const ours: Runner = async (text, sshd, relay) => {
  const executor = await openExecutor();
  try {
    const once = (requestId: string) => async () => {
      const { error } = await executor.runPlay({ requestId, target: sshd.target({ port: relay.port }), play: { text } })
        .result;
      if (error) throw new Error(error.message);
    };
    const first = { seconds: await timed(once('first')), ...kilobytes(relay) };
    return { ...first, againSeconds: await timed(once('second')) };
  } finally {
    await executor.close();
  }
};

const ansible =
  (environment: Record<string, string>): Runner =>
  async (text, sshd, relay) => {
    const { port } = relay;
    const folder = mkdtempSync(join(tmpdir(), 'bessemer-bench-'));
    const file = (name: string) => join(folder, name);
    writeFileSync(file('play.yml'), text);
    writeFileSync(file('known_hosts'), `[127.0.0.1]:${port} ${sshd.hostKey}\n`);
    writeFileSync(
      file('inventory'),
      `t ansible_host=127.0.0.1 ansible_port=${port} ansible_user=root ansible_ssh_private_key_file=${sshd.keyPath} ansible_python_interpreter=/usr/bin/python3 ansible_ssh_common_args='-F none -o UserKnownHostsFile=${file('known_hosts')}'\n`,
    );
    try {
      const seconds = await timed(() =>
        run('ansible-playbook', ['-i', file('inventory'), file('play.yml')], {
          cwd: folder,
          maxBuffer: 1 << 26,
          env: {
            PATH: process.env.PATH,
            HOME: folder,
            LANG: 'C.UTF-8',
            ANSIBLE_PIPELINING: '1',
            ANSIBLE_SSH_ARGS: `-o ControlMaster=auto -o ControlPersist=60s -o ControlPath=${file('mux')}`,
            ...environment,
          },
        }),
      );
      return { seconds, ...kilobytes(relay) };
    } finally {
      if (existsSync(file('mux')))
        await run('ssh', ['-F', 'none', '-o', `ControlPath=${file('mux')}`, '-O', 'exit', 'x']);
      rmSync(folder, { recursive: true, force: true });
    }
  };

export const executorBench: Benchmark = {
  name: 'executor',
  summary: 'a play over one channel beside ansible-playbook: 100 commands and a day-0 play, at 0 and 20 ms round trip',
  async run({ say, args }): Promise<BenchResult> {
    const hasMitogen = existsSync(MITOGEN);
    const runners: Record<string, Runner> = {
      executor: ours,
      ansible: ansible({}),
      ...(hasMitogen
        ? { mitogen: ansible({ ANSIBLE_STRATEGY: 'mitogen_linear', ANSIBLE_STRATEGY_PLUGINS: MITOGEN }) }
        : {}),
    };
    const table: string[][] = [
      ['play', 'round trip', 'runner', 's', 'again s', 'ms/task', 'up kB', 'down kB', 'logins', 'channels'],
    ];
    const figures: Record<string, number> = {};
    const ratios: Record<string, number> = {};
    for (const [name, { text, tasks }] of Object.entries(PLAYS).filter(([name]) =>
      args.every((word) => name.includes(word)),
    ))
      for (const roundTripMs of ROUND_TRIPS_MS) {
        const key = `${name.replaceAll(' ', '')}.${roundTripMs}ms`;
        for (const [runner, start] of Object.entries(runners)) {
          const got = await measure(start, text, roundTripMs);
          say(`${name}, ${roundTripMs} ms, ${runner}: ${got.seconds.toFixed(2)} s`);
          table.push([
            name,
            `${roundTripMs} ms`,
            runner,
            got.seconds.toFixed(2),
            got.againSeconds?.toFixed(2) ?? '-',
            ((got.seconds * 1000) / tasks).toFixed(1),
            String(got.upKb),
            String(got.downKb),
            String(got.logins),
            String(got.channels),
          ]);
          figures[`${key}.${runner}.seconds`] = Number(got.seconds.toFixed(3));
          figures[`${key}.${runner}.upKb`] = got.upKb;
          if (got.againSeconds !== undefined)
            figures[`${key}.${runner}.againSeconds`] = Number(got.againSeconds.toFixed(3));
        }
        for (const peer of Object.keys(runners).slice(1))
          ratios[`${key}.executorTo${peer}`] = Number(
            (figures[`${key}.executor.seconds`]! / figures[`${key}.${peer}.seconds`]!).toFixed(3),
          );
      }
    const version = (await run('ansible', ['--version'])).stdout.split('\n')[0] ?? '';
    return {
      table,
      figures,
      ratios,
      method: `One run each, on a fresh target: an sshd on loopback in namespaces of its own (its own host name, copy of /etc, /home and /srv), behind a relay that adds the round trip and counts bytes of the ssh connection. Time runs from nothing connected to the last result; "again" is a second play over the standing connection. The executor's process is up already, as its manager is; ansible-playbook includes its own start. Ansible uses pipelining and ControlPersist.${hasMitogen ? '' : ' ansible-mitogen is not installed and left out.'}`,
      versions: { ansible: version, python: (await run('/usr/bin/python3', ['--version'])).stdout.trim() },
    };
  },
};
