import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RecordingServer, recordingServer, runOn } from '../testing.ts';

let server: RecordingServer;
beforeAll(async () => {
  server = await recordingServer((method, path) => {
    if (method === 'DELETE') return { status: 204 };
    if (path.endsWith('/redeliver')) return { status: 202, body: { redelivering: 2 } };
    if (path.endsWith('/delivery')) return { status: 200, body: { cursor: '7', attempts: 0 } };
    if (path.includes('/dead_letters'))
      return {
        status: 200,
        body: {
          dead_letters: [
            {
              id: 3,
              event: { type: 'node.created' },
              attempts: 9,
              status: 500,
              error: 'e',
              at: 'T',
              redelivering: false,
            },
          ],
        },
      };
    if (path.startsWith('/v1/tokens'))
      return { status: 201, body: { token: 'bsm_x', uuid: 'u', name: 'ci', role: 'member' } };
    return { status: 200, body: { uuid: 'u', name: 'w', url: 'http://x' } };
  });
});
afterAll(() => server.close());
beforeEach(() => void (server.seen.length = 0));

const run = (...argv: string[]) => runOn(server, argv);

describe('webhooks and tokens', () => {
  it('are made, changed and shown', async () => {
    await run(
      'webhook',
      'create',
      'http://x',
      '--event',
      'node.*',
      '--event',
      'run.*',
      '--nodes',
      'r[1-2]',
      '--disable',
    );
    await run('webhook', 'set', 'w', '--severity', 'error', '--event', 'a', '--secret', '1234567890123456', '--enable');
    await run('webhook', 'unset', 'w', '--nodes', '--secret');
    expect(
      (await run('token', 'create', 'ci', '--role', 'member', '--endless', '-f', 'value', '-c', 'token')).out,
    ).toBe('bsm_x\n');
    await run('token', 'create', 'ci', '--role', 'reader', '--project', 'p', '--expires-in', '60');
    expect(server.seen).toEqual([
      ['POST', '/v1/webhooks', { url: 'http://x', events: ['node.*', 'run.*'], nodes: 'r[1-2]', enabled: false }],
      [
        'PATCH',
        '/v1/webhooks/w',
        [
          { op: 'add', path: '/events', value: ['a'] },
          { op: 'add', path: '/severity', value: 'error' },
          { op: 'add', path: '/secret', value: '1234567890123456' },
          { op: 'add', path: '/enabled', value: 'True' },
        ],
      ],
      [
        'PATCH',
        '/v1/webhooks/w',
        [
          { op: 'remove', path: '/nodes' },
          { op: 'remove', path: '/secret' },
        ],
      ],
      ['POST', '/v1/tokens', { name: 'ci', role: 'member', expires_in: null }],
      ['POST', '/v1/tokens', { name: 'ci', role: 'reader', project: 'p', expires_in: 60 }],
    ]);
  });

  it('what was given up is listed, sent again and dropped', async () => {
    expect((await run('webhook', 'delivery', 'show', 'w', '-f', 'value', '-c', 'cursor')).out).toBe('7\n');
    expect((await run('webhook', 'letter', 'list', 'w', '-f', 'value')).out).toBe('3 node.created 9 500 e T False\n');
    expect((await run('webhook', 'letter', 'send', 'w', '3', '4')).out).toBe('Sending 2 again\n');
    await run('webhook', 'letter', 'send', 'w');
    await run('webhook', 'letter', 'delete', 'w', '3');
    await run('webhook', 'letter', 'delete', 'w', '--all');
    expect(server.seen.slice(2)).toEqual([
      ['POST', '/v1/webhooks/w/redeliver', { ids: [3, 4] }],
      ['POST', '/v1/webhooks/w/redeliver', {}],
      ['DELETE', '/v1/webhooks/w/dead_letters/3', null],
      ['DELETE', '/v1/webhooks/w/dead_letters', null],
    ]);
    expect(await run('webhook', 'letter', 'delete', 'w')).toMatchObject({ code: 2 });
    expect(await run('webhook', 'letter', 'send', 'w', 'x')).toMatchObject({ code: 2 });
  });
});
