/** The event stream as lines. */
import { type Run, textOption } from '../command.ts';
import { duration } from '../clock.ts';
import { describeEvent } from '../watch/describe.ts';
import { openStream } from '../watch/stream.ts';

export const showEvents: Run = async ({ args, options, api, io, clock }) => {
  const isJson = options['json'] === true;
  const stream = await openStream({
    api,
    clock,
    query: {
      node: args[0],
      type: textOption(options, 'type'),
      after: textOption(options, 'after'),
      follow: options['follow'] === false ? 'false' : undefined,
    },
    signal: io.signal,
    onEvent(event) {
      if (isJson) {
        io.out(`${JSON.stringify(event)}\n`);
        return;
      }
      const subject = event.nodeUuid === undefined || args[0] !== undefined ? '' : `${event.nodeUuid} `;
      io.out(`${event.at} ${subject}${describeEvent(event)}\n`);
    },
    onLost: () => io.err('The service does not answer; waiting for it.\n'),
    onBack: (awayMs) => io.err(`The service is back after ${duration(awayMs)}.\n`),
  });
  await stream.done;
  return undefined;
};
