/** The event stream as lines. */
import { type Run, textOption } from '../command.ts';
import { duration } from '../clock.ts';
import { namesOf } from '../over-nodes.ts';
import { describeEvent } from '../watch/describe.ts';
import { openStream } from '../watch/stream.ts';

export const showEvents: Run = async ({ args, options, api, io, clock }) => {
  const isJson = options['json'] === true;
  // A range is the service's to read; here it only tells whether a line must name its node.
  const isOfOne = args[0] !== undefined && namesOf(args[0]).length === 1;
  const stream = await openStream({
    api,
    clock,
    query: {
      node: args[0],
      type: textOption(options, 'type'),
      severity: textOption(options, 'severity'),
      after: textOption(options, 'after'),
      follow: options['follow'] === false ? 'false' : undefined,
    },
    signal: io.signal,
    onEvent(event) {
      if (isJson) {
        io.out(`${JSON.stringify(event)}\n`);
        return;
      }
      const subject = event.nodeUuid === undefined || isOfOne ? '' : `${event.nodeUuid} `;
      io.out(`${event.at} ${subject}${describeEvent(event)}\n`);
    },
    onLost: () => io.err('The service does not answer; waiting for it.\n'),
    onBack: (awayMs) => io.err(`The service is back after ${duration(awayMs)}.\n`),
  });
  await stream.done;
  return undefined;
};
