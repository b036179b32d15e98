/** SHA-256 on libuv's threads: without the processor's own instructions for it, it costs as much as receiving and writing. */
import { webcrypto } from 'node:crypto';

/** Lower-case hex. The data is copied first: its buffer may be used again at once. */
export async function threadedSha256(data: Uint8Array): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', data as Uint8Array<ArrayBuffer>)).toString('hex');
}
