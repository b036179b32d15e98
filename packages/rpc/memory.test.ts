import { silentLog } from '@bessemer/ports';
import { ManualClock, seededRandom } from '@bessemer/ports/testing';
import { createMemoryTransport } from './memory.ts';
import { describeTransport } from './transport-suite.ts';

describeTransport('in process', async (options = {}) => {
  const clock = new ManualClock();
  const transport = createMemoryTransport({ clock, random: seededRandom(1), log: silentLog, ...options });
  return { transport, passTime: (ms) => clock.advance(ms) };
});
