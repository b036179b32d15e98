/** A process to be killed: writes settings one after the other, several at once, and prints the name of each that was acknowledged. */
import { writeSync } from 'node:fs';
import { silentLog } from '@bessemer/ports';
import { systemClock, systemRandom } from '@bessemer/ports/node';
import { openDatabase } from '../open.ts';
import { testSecrets } from '../testing.ts';

const [dataDir = '', life = ''] = process.argv.slice(2);
const db = await openDatabase({
  url: '',
  dataDir,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  secrets: testSecrets,
});
writeSync(1, 'open\n');
const writer = async (lane: number): Promise<void> => {
  for (let i = 0; ; i++) {
    const name = `${life}.${lane}.${i}`;
    await db.write('test', (tx) => tx.settings.put(name, 'written'));
    writeSync(1, `${name}\n`);
  }
};
await Promise.all([0, 1, 2, 3].map(writer));
