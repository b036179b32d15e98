/** A TFTP server as a process of its own, for the benchmark: stdin says which as JSON, stdout says when it listens. */
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { silentLog } from '@bessemer/ports';
import { systemClock, systemDatagrams } from '@bessemer/ports/node';
import { createTftpServer, openFromFolder } from '@bessemer/tftp';

interface Order {
  readonly peer: 'ours' | 'npm tftp';
  readonly root: string;
  readonly port: number;
  /** Where npm's package was installed. */
  readonly prefix: string;
}

const order = JSON.parse(await text(process.stdin)) as Order;
if (order.peer === 'ours') {
  await createTftpServer({
    datagrams: systemDatagrams,
    clock: systemClock,
    log: silentLog,
    address: '127.0.0.1',
    port: order.port,
    open: openFromFolder(order.root),
  });
  console.log('listening');
} else {
  const tftp = createRequire(`${order.prefix}/`)('tftp');
  const server = tftp.createServer({ host: '127.0.0.1', port: order.port, root: order.root, denyPUT: true });
  server.on('listening', () => console.log('listening'));
  server.on('error', (error: Error) => console.error(error.message));
  // A transfer that fails must not end the process; what it means shows in the client.
  server.on('request', (req: { on(event: string, listener: () => void): void }) => req.on('error', () => {}));
  server.listen();
}
