/** A conductor's queue and its channel. */
import { coerceError } from '@bessemer/core';
import type { Log } from '@bessemer/ports';
import type { ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import type { Dispatcher } from './dispatcher.ts';

/** How many requests a conductor works on at once; the rest wait in the queue, each until its own end. */
const PREFETCH = 100;
/** A queue that nobody has used for so long goes away, with the host that it was for. */
const QUEUE_EXPIRES_MS = 3_600_000;

export interface AmqpServer {
  /** Begins to serve on a connection; `onLost` is called when its channel is gone. @throws Error when it cannot. */
  open(model: ChannelModel, onLost: () => void): Promise<void>;
  readonly isClosed: boolean;
  /** Takes no more requests, answers those that are under way, and ends. */
  close(): Promise<void>;
}

export function openAmqpServer(options: {
  readonly queue: string;
  readonly dispatcher: Dispatcher;
  readonly log: Log;
}): AmqpServer {
  const { queue, dispatcher, log } = options;
  let current: { channel: ConfirmChannel; consumerTag: string } | undefined;
  let isClosed = false;

  async function serve(channel: ConfirmChannel, message: ConsumeMessage): Promise<void> {
    const answer = await dispatcher.handle(message.content.toString('utf8'));
    const { replyTo, correlationId } = message.properties;
    try {
      if (answer !== undefined && typeof replyTo === 'string')
        channel.publish('', replyTo, Buffer.from(answer), { correlationId, contentType: 'application/json' });
      channel.ack(message);
    } catch (error) {
      // The channel is gone: the caller asks again and gets this answer.
      log.debug('an answer could not be sent', { error: coerceError(error).message });
    }
  }

  return {
    async open(model, onLost) {
      const channel = await model.createConfirmChannel();
      channel.on('error', (error) => log.warn('the channel to the bus broke', { error: error.message }));
      channel.on('handler-error', (error) => log.error('handling a message failed', { error: error.stack }));
      channel.on('close', () => {
        if (current?.channel === channel) current = undefined;
        onLost();
      });
      await channel.assertQueue(queue, { durable: true, expires: QUEUE_EXPIRES_MS });
      await channel.prefetch(PREFETCH);
      const { consumerTag } = await channel.consume(queue, (message) => {
        if (message) void serve(channel, message);
        // The broker cancelled the consumer, for instance because the queue was deleted: begin again.
        else void channel.close().catch(() => {});
      });
      current = { channel, consumerTag };
    },
    get isClosed() {
      return isClosed;
    },
    async close() {
      isClosed = true;
      const open = current;
      try {
        await open?.channel.cancel(open.consumerTag);
        await dispatcher.idle();
        await open?.channel.waitForConfirms();
        await open?.channel.close();
      } catch (error) {
        log.debug('the bus was gone before its server was closed', { error: coerceError(error).message });
        await dispatcher.idle();
      }
    },
  };
}
