/**
 * A small TFTP client for tests, with its own way of making and reading bytes, so that the server's codec is never its
 * own judge. It follows RFC 7440's receiver: it acknowledges each full window, and the last block in order at a gap.
 */
import type { Clock, DatagramPeer, Datagrams, Timer } from '@bessemer/ports';

export interface FetchOptions {
  readonly server: DatagramPeer;
  readonly address: string;
  readonly port?: number;
  readonly path: string;
  /** In the order given: `['blksize', '1024', 'windowsize', '8']`. */
  readonly options?: readonly string[];
  readonly timeoutMs?: number;
  readonly tries?: number;
}

export interface Fetched {
  readonly bytes: Uint8Array;
  readonly optionAck: string[] | undefined;
  readonly error: string | undefined;
  /** Data packets that brought nothing. */
  readonly duplicates: number;
}

export function requestBytes(opcode: number, ...strings: readonly string[]): Uint8Array {
  return Buffer.concat([Buffer.from([0, opcode]), ...strings.map((s) => Buffer.from(`${s}\0`))]);
}

export async function fetchFile(datagrams: Datagrams, clock: Clock, ask: FetchOptions): Promise<Fetched> {
  const socket = await datagrams.bind({ address: ask.address, port: ask.port ?? 0 });
  const request = requestBytes(1, ask.path, 'octet', ...(ask.options ?? []));
  const blocks: Buffer[] = [];
  let tid: DatagramPeer | undefined;
  let optionAck: string[] | undefined;
  let blockSize = 512;
  let window = 1;
  let sinceAck = 0;
  let duplicates = 0;
  let ackedForGap = -1;
  let tries = ask.tries ?? 40;
  let timer: Timer | undefined;

  return new Promise<Fetched>((resolve) => {
    const finish = (error?: string) => {
      timer?.cancel();
      void socket.close().then(() => resolve({ bytes: Buffer.concat(blocks), optionAck, error, duplicates }));
    };
    const ack = () => {
      sinceAck = 0;
      socket.send(Buffer.from([0, 4, (blocks.length >> 8) & 0xff, blocks.length & 0xff]), tid!);
    };
    const arm = () => {
      timer?.cancel();
      timer = clock.setTimer(ask.timeoutMs ?? 1000, () => {
        if (--tries === 0) return finish('gave up');
        if (tid) ack();
        else socket.send(request, ask.server);
        arm();
      });
    };
    socket.onMessage((data, from) => {
      const packet = Buffer.from(data);
      const opcode = packet.readUInt16BE(0);
      if (tid && from.port !== tid.port) return;
      if (opcode === 5) return finish(`${packet.readUInt16BE(2)} ${packet.subarray(4, -1).toString()}`);
      tid = from;
      if (opcode === 6) {
        if (blocks.length > 0) return;
        optionAck = packet.subarray(2, -1).toString().split('\0');
        const value = (name: string) => Number(optionAck![optionAck!.indexOf(name) + 1]);
        if (optionAck.includes('blksize')) blockSize = value('blksize');
        if (optionAck.includes('windowsize')) window = value('windowsize');
        arm();
        return ack();
      }
      const number = packet.readUInt16BE(2);
      if (number !== ((blocks.length + 1) & 0xffff)) {
        duplicates++;
        if (ackedForGap === blocks.length) return;
        ackedForGap = blocks.length;
        return ack();
      }
      blocks.push(packet.subarray(4));
      arm();
      if (packet.length - 4 < blockSize) {
        ack();
        return finish();
      }
      if (++sinceAck >= window) ack();
    });
    socket.send(request, ask.server);
    arm();
  });
}
