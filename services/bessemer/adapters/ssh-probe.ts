/** Looks whether something answers as an SSH server does (RFC 4253 section 4.2: it sends `SSH-2.0-...` first). */
import { connect } from 'node:net';
import type { Clock } from '@bessemer/ports';

const BANNER = 'SSH-2.0-';
/** A machine that is there accepts at once; while it boots nobody answers, and a long wait would be the time by which its first answer is missed. */
const CONNECT_BUDGET_MS = 1_000;
const BANNER_BUDGET_MS = 3_000;

/** True when `address:port` accepts within a second and then sends an SSH banner within three. Never throws. */
export function probeSsh(clock: Clock, address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let seen = '';
    const end = (answered: boolean) => {
      timer.cancel();
      socket.destroy();
      resolve(answered);
    };
    let timer = clock.setTimer(CONNECT_BUDGET_MS, () => end(false), { background: true });
    socket.on('connect', () => {
      timer.cancel();
      timer = clock.setTimer(BANNER_BUDGET_MS, () => end(false), { background: true });
    });
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.toString('latin1');
      if (seen.startsWith(BANNER)) end(true);
      else if (seen.length >= BANNER.length) end(false);
    });
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
  });
}
