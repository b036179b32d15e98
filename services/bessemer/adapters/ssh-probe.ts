/** Looks whether something answers as an SSH server does (RFC 4253 section 4.2: it sends `SSH-2.0-...` first). */
import { connect } from 'node:net';
import type { Clock } from '@bessemer/ports';

const BANNER = 'SSH-2.0-';
const BUDGET_MS = 3_000;

/** True when `address:port` sends an SSH banner within three seconds. Never throws. */
export function probeSsh(clock: Clock, address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let seen = '';
    const end = (answered: boolean) => {
      timer.cancel();
      socket.destroy();
      resolve(answered);
    };
    const timer = clock.setTimer(BUDGET_MS, () => end(false), { background: true });
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.toString('latin1');
      if (seen.startsWith(BANNER)) end(true);
      else if (seen.length >= BANNER.length) end(false);
    });
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
  });
}
