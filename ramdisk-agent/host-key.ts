/** An ed25519 SSH host key in OpenSSH's private key format (PROTOCOL.key), made in memory. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { Random } from '@bessemer/ports';

export interface HostKey {
  /** `-----BEGIN OPENSSH PRIVATE KEY-----` ... with a final line feed; not encrypted. */
  readonly privatePem: string;
  /** `ssh-ed25519 AAAA...`, without comment. */
  readonly public: string;
}

const KEY_TYPE = 'ssh-ed25519';
/** RFC 8410 section 7: PKCS #8 of an Ed25519 key is this prefix and the 32 bytes of the seed. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const BLOCK_BYTES = 8;

/** Makes a key from 32 bytes of `random`. */
export function createHostKey(random: Random, comment = ''): HostKey {
  const seed = Buffer.from(random.bytes(32));
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  const publicKey = Buffer.from(x as string, 'base64url');
  const publicBlob = Buffer.concat([field(KEY_TYPE), field(publicKey)]);

  // Both check words are equal, so that a reader of an encrypted key sees a wrong passphrase.
  const check = Buffer.from(random.bytes(4));
  const secret = Buffer.concat([check, check, publicBlob, field(Buffer.concat([seed, publicKey])), field(comment)]);
  const padding = Uint8Array.from(
    { length: (BLOCK_BYTES - (secret.length % BLOCK_BYTES)) % BLOCK_BYTES },
    (_, i) => i + 1,
  );
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    field('none'),
    field('none'),
    field(''),
    uint32(1),
    field(publicBlob),
    field(Buffer.concat([secret, padding])),
  ]).toString('base64');
  const lines = body.match(/.{1,70}/g) ?? [];
  return {
    privatePem: ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n'),
    public: `${KEY_TYPE} ${publicBlob.toString('base64')}`,
  };
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** RFC 4251 section 5: a string is its length and its bytes. */
function field(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint32(bytes.length), bytes]);
}
