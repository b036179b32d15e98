import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectExecutor, type Executor, type PlayEvent } from '@bessemer/executor-protocol';
import { isRunning } from '@bessemer/ports/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ManagerProcess, startManagerProcess } from './index.ts';
import { childrenOf, until } from './testing/conditions.ts';
import { startSshd, type TestSshd } from './testing/sshd.ts';

let sshd: TestSshd;
let folder: string;
let manager: ManagerProcess;
const clients: Executor[] = [];
let serial = 0;

beforeAll(async () => {
  sshd = await startSshd();
  folder = mkdtempSync(join(tmpdir(), 'bessemer-manager-'));
  manager = await start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
afterAll(async () => {
  await manager.stop();
  await sshd.stop();
  rmSync(folder, { recursive: true, force: true });
});

const socketPath = () => join(folder, 'run', 'executor.sock');
const start = () => startManagerProcess({ socketPath: socketPath() });
async function connect(): Promise<Executor> {
  const client = await connectExecutor({ socketPath: socketPath() });
  clients.push(client);
  return client;
}
const request = (text: string) => ({ requestId: `manager-${serial++}`, target: sshd.target(), play: { text } });

describe('the manager', () => {
  it('keeps its socket where only its account can reach it', async () => {
    expect(statSync(join(folder, 'run')).mode & 0o777).toBe(0o700);
    expect(await (await connect()).ping()).toMatchObject({ pid: manager.pid, protocol: 1 });
    await expect(startManagerProcess({ socketPath: join(tmpdir(), 'bessemer-open.sock') })).rejects.toMatchObject({
      code: 'MANAGER_LOST',
      transportText: expect.stringContaining('mode 0700'),
    });
    await expect(start()).rejects.toMatchObject({ transportText: expect.stringContaining('another executor manager') });
  });

  it('shares one connection between callers, at the same time too', async () => {
    const [one, two] = [await connect(), await connect()];
    const [first, second] = await Promise.all([
      one.runPlay(request('- command: echo one')).result,
      two.runPlay(request('- command: echo two')).result,
    ]);
    expect([first.status, second.status]).toEqual(['ok', 'ok']);
    expect([sshd.logins(), sshd.channels()]).toEqual([1, 1]);
    expect(await one.list()).toMatchObject([{ transport: 'ssh', state: 'idle', plays: 2, waiting: 0 }]);
    expect(await two.stacks()).toMatchObject([{ stacks: { uid: 0, runtime: expect.stringContaining('bsm_main') } }]);
    // Nothing of the login stays behind: neither the key nor the known host.
    expect(await one.closeConnections()).toBe(1);
    expect(await two.list()).toEqual([]);
  });

  it('tells the stack of a running task', async () => {
    const client = await connect();
    const run = client.runPlay(request('- wait_for: {timeout: 600}'));
    for await (const event of run) {
      if (event.type !== 'task-started') continue;
      let task = '';
      while (!task.includes('wait_for.py')) task = String((await client.stacks())[0]?.stacks.task);
      run.cancel();
    }
    expect((await run.result).error?.code).toBe('CANCELLED');
  });

  it('goes on with a play when its caller leaves, and gives the repeat all its events', async () => {
    const gate = join(folder, 'gate');
    const play = request(`- ping:\n- wait_for: {path: ${gate}, sleep: 1}\n- command: echo done`);
    const first = await connect();
    for await (const event of first.runPlay(play)) if (event.type === 'task' && event.task.index === 0) break;
    await first.close();
    const run = (await connect()).runPlay(play);
    writeFileSync(gate, '');
    const events: PlayEvent[] = [];
    for await (const event of run) events.push(event);
    expect(events.filter((event) => event.type === 'task').map((event) => event.task.index)).toEqual([0, 1, 2]);
    expect((await run.result).status).toBe('ok');
  });

  it('refuses what is no frame, and unknown operations', async () => {
    const answer = (text: string) =>
      new Promise<string>((resolve) => {
        const socket = createConnection(socketPath(), () => socket.end(text));
        let all = '';
        socket.on('data', (bytes: Buffer) => (all += bytes.toString('utf8')));
        socket.on('close', () => resolve(all));
      });
    expect(await answer('hello\n')).toContain('BAD_REQUEST');
    expect(await answer('{"id":1,"op":"format"}\n')).toContain("no operation 'format'");
    expect(
      await answer(
        '{"id":1,"op":"runPlay","request":{"requestId":"x","target":{"transport":"ssh","address":"-oProxyCommand=x"}}}\n',
      ),
    ).toContain('target.address');
    const client = await connect();
    await expect(client.runPlay({ ...request('- ping:'), requestId: '' }).result).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
    await expect(client.checkPlay({ text: '- nothing_like_this:' })).rejects.toMatchObject({
      code: 'MODULE_NOT_FOUND',
      at: { line: 1 },
    });
    expect(await client.checkPlay({ text: '- ping:' })).toMatchObject({ tasks: [{ module: 'ping' }] });
  });

  it('stopped in the middle of a play, leaves the task to finish, and says so', async () => {
    const mark = join(folder, 'stopped');
    const run = (await connect()).runPlay(
      request(`- shell: "sleep 1 && touch ${mark}"\n- file: {path: ${mark}-2, state: touch}`),
    );
    for await (const event of run) {
      if (event.type === 'task-started') await Promise.all([manager.stop(), run.result.catch(() => {})]);
    }
    expect((await run.result).error).toMatchObject({ code: 'MANAGER_LOST' });
    await until(() => existsSync(mark));
    expect(existsSync(`${mark}-2`)).toBe(false);
    manager = await start();
  });

  it('killed in the middle of a play, takes its ssh along and is told of; the next one works', async () => {
    const client = await connect();
    const mark = join(folder, 'mark');
    const run = client.runPlay(
      request(`- ping:\n- shell: "sleep 1 && touch ${mark}"\n- file: {path: ${mark}-2, state: touch}`),
    );
    let children: number[] = [];
    const events: PlayEvent[] = [];
    await expect(async () => {
      for await (const event of run) {
        events.push(event);
        if (event.type !== 'task-started' || event.task.index !== 1) continue;
        children = childrenOf(manager.pid);
        process.kill(manager.pid, 'SIGKILL');
      }
    }).rejects.toMatchObject({ code: 'MANAGER_LOST', message: expect.stringContaining('is gone') });
    await expect(run.result).rejects.toMatchObject({ code: 'MANAGER_LOST' });
    expect(children.length).toBeGreaterThan(0);
    expect(await manager.ended).toMatchObject({ signal: 'SIGKILL' });
    await until(() => !children.some(isRunning));
    await expect(connect()).rejects.toMatchObject({ code: 'MANAGER_LOST' });

    manager = await start();
    // The killed one's folder for keys is gone as well.
    expect(readdirSync(join(folder, 'run')).sort()).toEqual(['executor.sock', `keys-${manager.pid}`]);
    const result = await (await connect()).runPlay(request('- ping:')).result;
    expect(result.status).toBe('ok');
    // The task that ran is left to end by itself; none after it begins.
    await until(() => existsSync(mark));
    const runtimes = () =>
      readFileSync(sshd.logPath, 'utf8').match(/^Disconnected from user|^Connection closed by/gm)?.length ?? 0;
    await until(() => runtimes() > 0);
    expect(existsSync(`${mark}-2`)).toBe(false);
  });
});
