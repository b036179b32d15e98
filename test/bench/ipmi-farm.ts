/** Many reference BMCs in a process of their own, for the benchmark: stdin says how many as JSON, stdout when they listen. */
import { text } from 'node:stream/consumers';
import { createMemoryChassis, createReferenceBmc } from '@bessemer/ipmi/bmc';
import { Secret, silentLog } from '@bessemer/ports';
import { systemClock, systemDatagrams, systemRandom } from '@bessemer/ports/node';

interface Order {
  /** One BMC each. */
  readonly addresses: readonly string[];
  readonly port: number;
}

const order = JSON.parse(await text(process.stdin)) as Order;
for (const address of order.addresses)
  await createReferenceBmc({
    datagrams: systemDatagrams,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    address,
    port: order.port,
    users: [{ name: 'admin', password: new Secret('password'), privilege: 'ADMINISTRATOR' }],
    chassis: createMemoryChassis(systemClock),
  }).start();
console.log('listening');
