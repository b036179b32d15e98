import { isServiceError } from '@bessemer/core';
import { Secret, silentLog } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAmqpTransport } from './amqp.ts';
import type { AmqpOptions } from './amqp.ts';
import type { RpcTransport } from './contract.ts';
import { startRabbit, testHandlers } from './testing.ts';
import type { TestRabbit } from './testing.ts';
import { describeTransport } from './transport-suite.ts';

const NODE = '11111111-2222-4333-8444-555555555555';
const RUN = '21111111-2222-4333-8444-555555555555';

let rabbit: TestRabbit;
beforeAll(async () => void (rabbit = await startRabbit()));
afterAll(() => rabbit?.stop());

let prefixes = 0;
const newPrefix = () => `test${++prefixes}`;
const transportOn = (options: Partial<AmqpOptions> = {}): Promise<RpcTransport> =>
  createAmqpTransport({
    url: rabbit.url,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    prefix: newPrefix(),
    ...options,
  });

describeTransport('over RabbitMQ', async (options = {}) => ({
  transport: await transportOn(options),
  // A real clock needs no help.
  passTime: async () => {},
}));

describe('RabbitMQ', () => {
  it('answers one call after the other at once: nothing waits for a delayed acknowledgement', async () => {
    const prefix = newPrefix();
    const [api, conductor] = [await transportOn({ prefix }), await transportOn({ prefix })];
    await conductor.serve('one', testHandlers({ injectNmi: async () => null }));
    const client = await api.client();
    await client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'warm-up' });
    const tookMs: number[] = [];
    for (let i = 0; i < 50; i++) {
      const begun = systemClock.monotonicMs();
      await client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: `r${i}` });
      tookMs.push(systemClock.monotonicMs() - begun);
    }
    // With Nagle's algorithm each takes 40 ms or more, and no other work on the machine makes one quicker: so the quickest ones tell.
    expect(tookMs.toSorted((a, b) => a - b)[10]).toBeLessThan(20);
    await client.close();
    await api.close();
    await conductor.close();
  });

  it.each(['stop', 'kill'] as const)('delays and loses nothing when the broker is away (%s)', async (how) => {
    const prefix = newPrefix();
    const [api, conductor] = [await transportOn({ prefix }), await transportOn({ prefix })];
    let runs = 0;
    const entered = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const woken = new Set<string>();
    const isWoken = Promise.withResolvers<void>();
    await conductor.serve(
      'one',
      testHandlers({
        injectNmi: async () => null,
        inspectHardware: async () => {
          runs++;
          entered.resolve();
          await gate.promise;
          return { runId: RUN };
        },
        wakeRun: async ({ runId }) => {
          woken.add(runId);
          isWoken.resolve();
        },
      }),
    );
    const client = await api.client();
    await client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'before' });
    const pending = client.call(
      'one',
      'inspectHardware',
      { nodeUuid: NODE },
      { requestId: 'pending', timeoutMs: 120_000 },
    );
    await entered.promise;

    await rabbit.halt(how);
    gate.resolve();
    const impatient = client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'impatient', timeoutMs: 300 });
    const error: unknown = await impatient.then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(isServiceError(error, 'TEMPORARY_FAILURE')).toBe(true);
    const rung = Promise.withResolvers<void>();
    client.onRing('events', () => rung.resolve());
    client.cast('one', 'wakeRun', { runId: RUN });
    client.cast('one', 'wakeRun', { runId: RUN });
    const patient = client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'patient', timeoutMs: 120_000 });

    await rabbit.resume();
    expect(await patient).toBeNull();
    expect(await pending).toEqual({ runId: RUN });
    expect(runs).toBe(1);
    await isWoken.promise;
    await rung.promise;
    await client.close();
    await api.close();
    await conductor.close();
  });

  it('makes a channel again that broke alone', async () => {
    const prefix = newPrefix();
    const transport = await transportOn({ prefix });
    await transport.serve('one', testHandlers({ injectNmi: async () => null }));
    const client = await transport.client();
    await client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'a' });
    // Somebody deletes the queue: the broker cancels the consumer.
    const { connect } = await import('amqplib');
    const other = await connect(rabbit.url.reveal());
    const channel = await other.createChannel();
    await channel.deleteQueue(`${prefix}.conductor.one`);
    await other.close();
    expect(await client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'b' })).toBeNull();
    await client.close();
    await transport.close();
  });

  it('starts without a broker, and says what is wrong with a URL', async () => {
    const transport = await transportOn({ url: new Secret('amqp://guest:guest@127.0.0.1:1') });
    const server = await transport.serve('one', testHandlers({}));
    const client = await transport.client();
    const call = client.call('one', 'injectNmi', { nodeUuid: NODE }, { requestId: 'r', timeoutMs: 50 });
    await expect(call).rejects.toThrow(/did not answer within/);
    await server.close();
    await transport.close();
    await expect(transportOn({ url: new Secret('http://user:hunter2@x') })).rejects.toThrow(/^(?!.*hunter2).*amqp:/);
  });
});
