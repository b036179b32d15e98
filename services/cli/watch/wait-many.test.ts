import { describe, expect, it } from 'vitest';
import type { Departure } from '../command.ts';
import type { Api } from '../connection/http.ts';
import { HttpError } from '../errors.ts';
import type { Value } from '../output/python.ts';
import { memoryIo } from '../testing.ts';
import { startAndWaitAll } from './wait-many.ts';

type States = Record<string, Record<string, Value>>;

/** A service with nodes whose states are set by the test; without an event stream unless one is given. */
function serviceOf(states: States, stream?: AsyncIterable<string>) {
  const looks: string[] = [];
  const answer = async (path: string, query: { fields?: unknown } = {}): Promise<Value> => {
    const name = decodeURIComponent(path.split('/')[3]!);
    const state = states[name];
    if (!state) throw new HttpError(404, `Node ${name} could not be found.`);
    if (query.fields === 'uuid') return { uuid: `u-${name}` };
    looks.push(name);
    return state as Value;
  };
  const api: Api = {
    endpoint: 'http://x',
    get: (path, query) => answer(path, query as never),
    request: (_method, path) => answer(path),
    once: (_method, path, options) => answer(path, options?.query as never),
    async stream() {
      if (!stream) throw new HttpError(404, 'There is no stream.');
      return stream;
    },
  };
  return { api, looks };
}

const goal = { kind: 'provision', state: 'available' } as const;
const going = { provision_state: 'cleaning', target_provision_state: 'available', last_error: null };
const there = { provision_state: 'available', target_provision_state: null, last_error: null };

describe('waiting for several nodes', () => {
  it('looks at them until each is there or has failed', async () => {
    const states: States = { n1: going, n2: going, n3: there };
    const { api, looks } = serviceOf(states);
    const { io, written } = memoryIo();
    let nowMs = 0;
    const clock = {
      now: () => nowMs,
      async sleep(ms: number) {
        nowMs += ms;
        states['n1'] = there;
        if (nowMs > 5000)
          states['n2'] = { ...going, provision_state: 'clean failed', last_error: 'the disk is broken' };
      },
    };
    const departures: Departure[] = ['n1', 'n2', 'n3', 'n4'].map((node) => ({ node, goal, start: async () => {} }));
    await expect(startAndWaitAll({ api, io, clock, departures, timeoutS: 0 })).rejects.toThrow(
      '2 of 4 nodes did not come where they were sent.',
    );
    expect(written.out).toBe(
      'Waiting for provision state available on node(s) n1, n2, n3\nn3: available after 0 s\nn1: available after 5 s\n',
    );
    expect(written.err).toBe(
      'n4: Node n4 could not be found. (HTTP 404)\nn2: did not reach available: clean failed: the disk is broken\n',
    );
    expect(looks.filter((name) => name === 'n3')).toHaveLength(1);
  });

  it('gives up when the time is over', async () => {
    const { api } = serviceOf({ n1: going });
    const { io, written } = memoryIo();
    let nowMs = 0;
    const clock = { now: () => nowMs, sleep: async (ms: number) => void (nowMs += ms) };
    const departures: Departure[] = [{ node: 'n1', goal, start: async () => {} }];
    await expect(startAndWaitAll({ api, io, clock, departures, timeoutS: 12 })).rejects.toMatchObject({ exitCode: 1 });
    expect(written.err).toBe('n1: did not reach available in 12 seconds\n');
    expect(nowMs).toBe(12_000);
  });

  it('is woken by the event stream, and looks at the node of the event only', async () => {
    const states: States = { n1: going, n2: going };
    let push: (text: string) => void = () => {};
    let next = new Promise<string>((resolve) => (push = resolve));
    async function* stream() {
      for (;;) {
        const text = await next;
        next = new Promise<string>((resolve) => (push = resolve));
        yield text;
      }
    }
    const { api, looks } = serviceOf(states, stream());
    const { io, written } = memoryIo();
    const events = ['n1', 'n2'];
    const clock = {
      now: () => 0,
      // The time stands still: only an event can wake.
      sleep(_ms: number, signal?: AbortSignal) {
        const node = events.shift();
        if (node !== undefined) {
          states[node] = there;
          const data = {
            type: 'node.provision_state',
            node_uuid: `u-${node}`,
            at: '2026-01-01T00:00:07.250000+00:00',
            data: { from: 'cleaning', to: 'available' },
          };
          push(`id: 1\ndata: ${JSON.stringify(data)}\n\n`);
        }
        return new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
      },
    };
    const departures: Departure[] = ['n1', 'n2'].map((node) => ({ node, goal, start: async () => {} }));
    expect(await startAndWaitAll({ api, io, clock, departures, timeoutS: 0 })).toBe(0);
    expect(looks).toEqual(['n1', 'n2', 'n1', 'n2']);
    expect(written.out).toContain('2026-01-01T00:00:07Z n1: cleaning -> available\nn1: available after 0 s\n');
  });
});
