/** What every transport does: the same tests run over the bus in process and over RabbitMQ. */
import { isServiceError, ServiceError } from '@bessemer/core';
import { afterEach, describe, expect, it } from 'vitest';
import type { RpcClient, RpcTransport } from './contract.ts';
import type { RequestStore } from './dispatcher.ts';
import { testHandlers } from './testing.ts';

const NODE = '11111111-2222-4333-8444-555555555555';
const RUN = '21111111-2222-4333-8444-555555555555';

export interface TransportUnderTest {
  readonly transport: RpcTransport;
  /** Makes the clock of a test that waits for a timeout go on; a real clock needs no help. */
  passTime(ms: number): Promise<void>;
}

export function describeTransport(
  name: string,
  make: (options?: { requests?: RequestStore }) => Promise<TransportUnderTest>,
): void {
  describe(`the bus ${name}`, () => {
    const open: Array<{ close(): Promise<void> }> = [];
    afterEach(async () => {
      for (const one of open.splice(0).reverse()) await one.close();
    });
    const start = async (options?: { requests?: RequestStore }) => {
      const made = await make(options);
      open.push(made.transport);
      return made;
    };
    const clientOf = async (transport: RpcTransport): Promise<RpcClient> => {
      const client = await transport.client();
      open.push(client);
      return client;
    };
    const serve = async (transport: RpcTransport, host: string, given: Parameters<typeof testHandlers>[0]) => {
      const server = await transport.serve(host, testHandlers(given));
      open.push(server);
      return server;
    };

    it('carries a call to the conductor it names, and its answer back', async () => {
      const { transport } = await start();
      await serve(transport, 'one', { getBootDevice: async () => ({ boot_device: 'pxe', persistent: false }) });
      await serve(transport, 'two', { getBootDevice: async () => ({ boot_device: 'disk', persistent: null }) });
      const client = await clientOf(transport);
      const ask = (host: string) => client.call(host, 'getBootDevice', { nodeUuid: NODE }, { requestId: `r-${host}` });
      expect(await Promise.all([ask('one'), ask('two')])).toEqual([
        { boot_device: 'pxe', persistent: false },
        { boot_device: 'disk', persistent: null },
      ]);
    });

    it('tells the handler the request id, and hands over arguments unchanged', async () => {
      const { transport } = await start();
      const seen: unknown[] = [];
      await serve(transport, 'one', {
        doNodeDeploy: async (args, context) => {
          seen.push(args, context);
          return { runId: RUN };
        },
      });
      const client = await clientOf(transport);
      const args = { nodeUuid: NODE, rebuild: false, configDrive: { user_data: 'ünï\u0000' }, deploySteps: null };
      expect(await client.call('one', 'doNodeDeploy', args, { requestId: 'req-1' })).toEqual({ runId: RUN });
      expect(seen).toEqual([args, { requestId: 'req-1' }]);
    });

    it('answers null where there is nothing to say', async () => {
      const { transport } = await start();
      await serve(transport, 'one', { injectNmi: async () => null });
      const client = await clientOf(transport);
      expect(await client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'r' })).toBeNull();
    });

    it('carries an error with code, message and context, and nothing of its cause', async () => {
      const { transport } = await start();
      await serve(transport, 'one', {
        injectNmi: async () => {
          throw new ServiceError('NODE_LOCKED', 'Node is locked.', {
            context: { by: 'c1' },
            cause: new Error('password hunter2'),
          });
        },
        setBootDevice: async () => {
          throw new Error('hunter2');
        },
      });
      const client = await clientOf(transport);
      const locked = await client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'a' }).catch((e) => e);
      expect(isServiceError(locked, 'NODE_LOCKED')).toBe(true);
      expect(locked).toMatchObject({ publicMessage: 'Node is locked.', context: { by: 'c1' } });
      expect(locked.cause).toBeUndefined();
      const args = { nodeUuid: NODE, device: 'pxe', persistent: true };
      const internal = await client.call('one', 'setBootDevice', args, { requestId: 'b' }).catch((e) => e);
      expect(isServiceError(internal, 'INTERNAL')).toBe(true);
      expect(JSON.stringify(internal) + internal.message).not.toContain('hunter2');
    });

    it('gives the first answer to a repeat, also when the first is still under way', async () => {
      const { transport } = await start();
      let runs = 0;
      const gate = Promise.withResolvers<void>();
      const entered = Promise.withResolvers<void>();
      await serve(transport, 'one', {
        inspectHardware: async () => {
          runs++;
          entered.resolve();
          await gate.promise;
          return { runId: RUN };
        },
      });
      const [first, second] = [await clientOf(transport), await clientOf(transport)];
      const ask = (client: RpcClient) =>
        client.call('one', 'inspectHardware', { nodeUuid: NODE }, { requestId: 'same' });
      const one = ask(first);
      await entered.promise;
      const two = ask(second);
      gate.resolve();
      expect(await one).toEqual({ runId: RUN });
      expect(await two).toEqual({ runId: RUN });
      expect(await ask(first)).toEqual({ runId: RUN });
      expect(runs).toBe(1);
      await first.call('one', 'inspectHardware', { nodeUuid: NODE }, { requestId: 'another' });
      expect(runs).toBe(2);
    });

    it('repeats a refusal, but asks again after a fault on our side', async () => {
      const { transport } = await start();
      const codes: Array<'NODE_LOCKED' | 'TEMPORARY_FAILURE'> = ['TEMPORARY_FAILURE', 'NODE_LOCKED'];
      await serve(transport, 'one', {
        injectNmi: async () => {
          const code = codes.shift();
          if (code) throw new ServiceError(code, code);
          return null;
        },
      });
      const client = await clientOf(transport);
      const ask = () =>
        client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'same' }).then(
          () => 'done',
          (e: ServiceError) => e.code,
        );
      expect([await ask(), await ask(), await ask()]).toEqual(['TEMPORARY_FAILURE', 'NODE_LOCKED', 'NODE_LOCKED']);
    });

    it('keeps first answers in the store it was given', async () => {
      const kept = new Map<string, object>();
      const requests: RequestStore = {
        get: async (id) => kept.get(id) as never,
        put: async (id, answer) => void kept.set(id, answer),
      };
      const { transport } = await start({ requests });
      await serve(transport, 'one', { injectNmi: async () => null });
      const client = await clientOf(transport);
      await client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'req-7' });
      expect([...kept]).toEqual([[expect.stringMatching(/^req-7 injectNmi [\w-]{43}$/), { ok: true, result: null }]]);
    });

    it('does what is asked under one request id with other arguments', async () => {
      const { transport } = await start();
      const asked: string[] = [];
      await serve(transport, 'one', {
        setBootDevice: async ({ device }) => {
          asked.push(device);
          return null;
        },
      });
      const client = await clientOf(transport);
      for (const device of ['pxe', 'disk', 'pxe'])
        await client.call('one', 'setBootDevice', { nodeUuid: NODE, device, persistent: true }, { requestId: 'same' });
      expect(asked).toEqual(['pxe', 'disk']);
    });

    it('refuses wrong arguments before they leave, saying which', async () => {
      const { transport } = await start();
      const client = await clientOf(transport);
      const wrong = { nodeUuid: NODE, device: 7 as unknown as string, persistent: true };
      const error = await client.call('one', 'setBootDevice', wrong, { requestId: 'r' }).catch((e) => e);
      expect(isServiceError(error, 'INVALID_PARAMETER')).toBe(true);
      expect(error.message).toContain('/device must be string');
    });

    it('refuses an answer that is against the contract', async () => {
      const { transport } = await start();
      await serve(transport, 'one', { getBootDevice: async () => ({ boot_device: 1 }) as never });
      const client = await clientOf(transport);
      const error = await client.call('one', 'getBootDevice', { nodeUuid: NODE }, { requestId: 'r' }).catch((e) => e);
      expect(isServiceError(error, 'INTERNAL')).toBe(true);
    });

    it('fails with TEMPORARY_FAILURE when nobody answers in time', async () => {
      const { transport, passTime } = await start();
      const client = await clientOf(transport);
      const asked = client
        .call('nobody', 'injectNmi', { nodeUuid: NODE }, { requestId: 'r', timeoutMs: 600 })
        .catch((e) => e);
      await passTime(700);
      const error = await asked;
      expect(isServiceError(error, 'TEMPORARY_FAILURE')).toBe(true);
      expect(error.message).toContain('nobody did not answer within 0.6 s');
    });

    it('delivers a call to a conductor that comes while it is waited for', async () => {
      const { transport, passTime } = await start();
      const client = await clientOf(transport);
      const asked = client.call('late', 'injectNmi', { nodeUuid: NODE }, { requestId: 'r', timeoutMs: 20_000 });
      await passTime(100);
      await serve(transport, 'late', { injectNmi: async () => null });
      await passTime(600);
      expect(await asked).toBeNull();
    });

    it('rings on every client, and stops when told', async () => {
      const { transport } = await start();
      const [one, two] = [await clientOf(transport), await clientOf(transport)];
      const rung = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      one.onRing('events', () => rung[0]!.resolve());
      const stop = two.onRing('events', () => rung[1]!.resolve());
      one.ring('events');
      await Promise.all(rung.map((r) => r.promise));
      let late = 0;
      stop();
      two.onRing('events', () => {
        throw new Error('a listener that throws hurts nobody else');
      });
      const again = Promise.withResolvers<void>();
      two.onRing('events', () => {
        late++;
        again.resolve();
      });
      one.ring('events');
      await again.promise;
      expect(late).toBeGreaterThan(0);
    });

    it('delivers a cast without an answer', async () => {
      const { transport } = await start();
      const woken = Promise.withResolvers<string>();
      await serve(transport, 'one', { wakeRun: async ({ runId }) => woken.resolve(runId) });
      (await clientOf(transport)).cast('one', 'wakeRun', { runId: RUN });
      expect(await woken.promise).toBe(RUN);
    });

    it('delivers a cast to a conductor that comes later, once', async () => {
      const { transport, passTime } = await start();
      const client = await clientOf(transport);
      client.cast('late', 'wakeRun', { runId: RUN });
      await passTime(100);
      const woken: string[] = [];
      const isWoken = Promise.withResolvers<void>();
      await serve(transport, 'late', {
        wakeRun: async ({ runId }) => {
          woken.push(runId);
          isWoken.resolve();
        },
        injectNmi: async () => null,
      });
      await passTime(1_000);
      await isWoken.promise;
      await client.call('late', 'injectNmi', { nodeUuid: NODE }, { requestId: 'r' });
      expect(woken).toEqual([RUN]);
    });

    it('finishes what is under way before a server is closed, and fails what is pending when a client is', async () => {
      const { transport } = await start();
      const gate = Promise.withResolvers<void>();
      const entered = Promise.withResolvers<void>();
      const server = await serve(transport, 'one', {
        injectNmi: async () => {
          entered.resolve();
          await gate.promise;
          return null;
        },
      });
      const client = await clientOf(transport);
      const asked = client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'r' });
      await entered.promise;
      const closed = server.close();
      gate.resolve();
      await closed;
      expect(await asked).toBeNull();

      const left = client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'r2' }).catch((e) => e);
      await client.close();
      expect(isServiceError(await left, 'TEMPORARY_FAILURE')).toBe(true);
    });
  });
}
