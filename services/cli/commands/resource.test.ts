/** Names of nodes where the service takes UUIDs. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type RecordingServer, recordingServer, runOn } from '../testing.ts';

const NODE = '11111111-1111-4111-8111-111111111111';
const PORT = '22222222-2222-4222-8222-222222222222';

let server: RecordingServer;
beforeAll(async () => {
  server = await recordingServer((_method, path) =>
    path.startsWith('/v1/nodes/n1')
      ? { status: 200, body: { uuid: NODE } }
      : path.startsWith('/v1/nodes/')
        ? { status: 404, body: { error_message: JSON.stringify({ faultstring: 'Node n9 could not be found.' }) } }
        : { status: 200, body: { uuid: PORT } },
  );
});
afterAll(() => server.close());
beforeEach(() => void (server.seen.length = 0));

const run = (...argv: string[]) => runOn(server, argv);

it('are looked up once, for what is created and for what is changed', async () => {
  expect((await run('port', 'create', '52:54:00:00:00:01', '--node', 'n1')).code).toBe(0);
  expect((await run('port', 'set', PORT, '--node', 'n1')).code).toBe(0);
  expect(server.seen).toEqual([
    ['GET', '/v1/nodes/n1?fields=uuid', null],
    ['POST', '/v1/ports', { address: '52:54:00:00:00:01', node_uuid: NODE }],
    ['GET', '/v1/nodes/n1?fields=uuid', null],
    ['PATCH', `/v1/ports/${PORT}`, [{ op: 'add', path: '/node_uuid', value: NODE }]],
  ]);
});

it('that are none are told before anything is made', async () => {
  const { code, err } = await run('port', 'create', '52:54:00:00:00:01', '--node', 'n9');
  expect([code, err]).toEqual([1, expect.stringContaining('Node n9 could not be found.')]);
  expect(server.seen.map(([method]) => method)).toEqual(['GET']);
});

it('are not looked up where a UUID is given', async () => {
  await run('port', 'create', '52:54:00:00:00:01', '--node', NODE);
  expect(server.seen.map(([method]) => method)).toEqual(['POST']);
});
