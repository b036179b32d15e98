/**
 * The bus of the scaled mode: RabbitMQ. Requests go to a queue per conductor host, answers come by direct reply-to, rings by a
 * fanout exchange. Everything on a channel dies with it, so channels are made in one place, again after each loss, and what was
 * pending is sent again; nothing is kept here that is not also with the caller or in the database.
 */
import { coerceError } from '@bessemer/core';
import type { Clock, Log, Random } from '@bessemer/ports';
import { Secret } from '@bessemer/ports';
import { connect } from 'amqplib';
import type { ChannelModel, ConfirmChannel } from 'amqplib';
import { openAmqpServer } from './amqp-server.ts';
import type { AmqpServer } from './amqp-server.ts';
import { createRpcClient } from './client.ts';
import type { ClientBusEvents } from './client.ts';
import type { RpcTransport } from './contract.ts';
import { createDispatcher, memoryRequestStore } from './dispatcher.ts';
import type { RequestStore } from './dispatcher.ts';

const HEARTBEAT_S = 5;
const CONNECT_TIMEOUT_MS = 10_000;
const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5_000;
/** How soon a channel that broke on a connection that lives is made again. */
const CHANNEL_RETRY_MS = 500;
const REPLY_TO = 'amq.rabbitmq.reply-to';

export interface AmqpOptions {
  /** amqp://user:password@host:port/vhost, or amqps://. */
  readonly url: Secret;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Keeps first answers (default: in memory). */
  readonly requests?: RequestStore;
  /** First part of the names of queues and exchanges. Default `bessemer`. */
  readonly prefix?: string;
}

/**
 * Connects in the background and goes on trying for ever: a broker that is away delays, and a call that is not answered in its
 * time fails with TEMPORARY_FAILURE.
 * @throws Error when the URL is none.
 */
export async function createAmqpTransport(options: AmqpOptions): Promise<RpcTransport> {
  const { clock, random, log, requests = memoryRequestStore(), prefix = 'bessemer' } = options;
  const ringExchange = `${prefix}.ring`;
  const queueOf = (host: string) => `${prefix}.conductor.${host}`;
  const clients = new Set<ClientBusEvents>();
  const servers = new Map<string, AmqpServer>();
  /** The connection that is up, and the one channel on which this process asks and rings. */
  let model: ChannelModel | undefined;
  let asking: ConfirmChannel | undefined;
  /** Correlation ids of messages that came back, until they are confirmed. */
  const returned = new Set<string>();
  let isClosed = false;

  async function openAsking(on: ChannelModel): Promise<void> {
    const channel = await on.createConfirmChannel();
    channel.on('error', (error) => log.warn('the channel to the bus broke', { error: error.message }));
    channel.on('handler-error', (error) => log.error('handling a message failed', { error: error.stack }));
    channel.on('close', () => {
      if (asking === channel) asking = undefined;
      retryChannel(on, () => openAsking(on));
    });
    channel.on('return', (message) => {
      const id: unknown = message.properties.correlationId;
      // Comes before the confirmation.
      if (typeof id === 'string') returned.add(id);
    });
    await channel.assertExchange(ringExchange, 'fanout', { durable: false });
    const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
    await channel.bindQueue(queue, ringExchange, '');
    await channel.consume(
      queue,
      () => {
        for (const client of clients) client.onRing('events');
      },
      { noAck: true },
    );
    // Answers come on the very channel that asked.
    await channel.consume(
      REPLY_TO,
      (message) => {
        const id: unknown = message?.properties.correlationId;
        if (!message || typeof id !== 'string') return;
        const text = message.content.toString('utf8');
        for (const client of clients) client.onAnswer(id, text);
      },
      { noAck: true },
    );
    asking = channel;
    for (const client of clients) client.onUp();
  }

  /** A channel may break while its connection lives; when the connection is gone its successor makes new channels. */
  function retryChannel(on: ChannelModel, open: () => Promise<void>): void {
    clock.setTimer(
      CHANNEL_RETRY_MS,
      () => {
        if (isClosed || model !== on) return;
        open().catch((error: unknown) => {
          log.warn('a channel to the bus could not be opened', { error: coerceError(error).message });
          retryChannel(on, open);
        });
      },
      { background: true },
    );
  }

  async function setup(opened: ChannelModel): Promise<void> {
    // Until the set-up is done nobody else listens, and an error without a listener would end the process.
    opened.on('error', (error) => log.warn('the connection to the bus broke', { error: error.message }));
    opened.on('close', () => {
      if (model === opened) model = asking = undefined;
    });
    model = opened;
    for (const server of servers.values()) await openServer(opened, server);
    await openAsking(opened);
  }

  async function openServer(on: ChannelModel, server: AmqpServer): Promise<void> {
    await server.open(on, () => {
      if (!server.isClosed) retryChannel(on, () => openServer(on, server));
    });
  }

  const connection = await connect(address(options.url), {
    noDelay: true,
    timeout: CONNECT_TIMEOUT_MS,
    recovery: { waitForConnect: false, initialDelay: FIRST_RETRY_MS, maxDelay: LAST_RETRY_MS, setup },
  });
  // A listener of these that threw would count as a failed connection.
  connection.on('connect', () => log.info('the bus is up'));
  connection.on('disconnect', (error) => log.warn('the bus is away', { error: error.message }));
  connection.on('connect-failed', (error) => log.warn('the bus could not be reached', { error: error.message }));
  connection.on('blocked', (reason) => log.warn('the broker takes no messages for now', { reason }));
  connection.on('unblocked', () => log.info('the broker takes messages again'));
  connection.on('error', (error) => log.warn('the bus broke', { error: error.message }));

  return {
    async serve(host, handlers) {
      if (servers.has(host)) throw new Error(`a conductor named ${host} is already on this bus`);
      const server = openAmqpServer({
        queue: queueOf(host),
        dispatcher: createDispatcher({ handlers, requests, random, log }),
        log,
      });
      servers.set(host, server);
      const current = model;
      if (current) {
        try {
          await openServer(current, server);
        } catch (error) {
          log.warn('a channel to the bus could not be opened', { error: coerceError(error).message });
          retryChannel(current, () => openServer(current, server));
        }
      }
      return {
        async close() {
          servers.delete(host);
          await server.close();
        },
      };
    },

    async client() {
      return createRpcClient(options, (events) => {
        clients.add(events);
        return {
          send(host, text, { correlationId, wantsAnswer, ttlMs }, done) {
            const properties = {
              mandatory: true,
              correlationId,
              expiration: String(ttlMs),
              contentType: 'application/json',
              ...(wantsAnswer ? { replyTo: REPLY_TO } : {}),
            };
            return publish(asking, '', queueOf(host), text, properties, (isConfirmed) => {
              const isReturned = returned.delete(correlationId);
              // Refused on a channel that lives: nothing else would have it sent again.
              const isRefused = !isConfirmed && asking !== undefined;
              done(isReturned || isRefused ? 'unroutable' : isConfirmed ? 'taken' : 'lost');
            });
          },
          ring: (topic) => void publish(asking, ringExchange, '', topic, {}, () => {}),
          async close() {
            clients.delete(events);
          },
        };
      });
    },

    async close() {
      if (isClosed) return;
      for (const server of servers.values()) await server.close();
      servers.clear();
      isClosed = true;
      await connection.close();
    },
  };
}

/** False when there is no channel; otherwise `done` tells whether the broker has confirmed. */
function publish(
  channel: ConfirmChannel | undefined,
  exchange: string,
  key: string,
  text: string,
  properties: Parameters<ConfirmChannel['publish']>[3],
  done: (isConfirmed: boolean) => void,
): boolean {
  if (!channel) return false;
  try {
    channel.publish(exchange, key, Buffer.from(text), properties, (error: unknown) => done(!error));
    return true;
  } catch {
    // The channel has been closed and its event has not come yet.
    return false;
  }
}

/** The URL with our heartbeat, unless it has its own. */
function address(url: Secret): string {
  const parsed = URL.parse(url.reveal());
  if (!parsed || !/^amqps?:$/.test(parsed.protocol))
    throw new Error('amqp.url must be of the form amqp://user:password@host:port/vhost');
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_S));
  return parsed.href;
}
