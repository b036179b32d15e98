/**
 * What this installation is known by: the TLS key that agents pin, the SSH key that deployed systems accept, the key that
 * encrypts secrets at rest. Made at the first start, kept in `<data_dir>/keys` with mode 0600.
 */
import { execFile } from 'node:child_process';
import { createHash, createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Random } from '@bessemer/ports';

const run = promisify(execFile);
const DATA_KEY_BYTES = 32;

export interface Identity {
  /** PEM. */
  readonly tls: { readonly key: string; readonly cert: string };
  /** Lower-case hex of the SHA-256 of the TLS key's SPKI: what a kernel command line carries. */
  readonly pin: string;
  /** One line in authorized_keys form. */
  readonly sshPublicKey: string;
  /** File of the private SSH key, for the executor. */
  readonly sshPrivateKeyFile: string;
  readonly dataKey: { readonly keyId: string; readonly key: Uint8Array };
}

/** SHA-256 of a certificate's public key (SPKI, DER), as RFC 7469 section 2.4 pins it, in lower-case hex. */
function pinOf(certificatePem: string): string {
  const spki = createPublicKey(certificatePem).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}

async function make(program: string, args: string[], produces: string): Promise<void> {
  try {
    await run(program, args);
  } catch (error) {
    const detail = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    const hint =
      error instanceof Error && 'code' in error && error.code === 'ENOENT' ? ` (${program} is not installed)` : '';
    throw new Error(`cannot make ${produces}${hint}: ${detail}`, { cause: error });
  }
}

/**
 * Reads the identity, making what is missing. Interrupted half-way it starts that part again: files appear by rename.
 * @throws Error naming the file or the program that failed.
 */
export async function loadIdentity(dataDir: string, random: Random): Promise<Identity> {
  const folder = join(dataDir, 'keys');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const path = (name: string) => join(folder, name);

  if (!existsSync(path('agent-tls.crt')) || !existsSync(path('agent-tls.key'))) {
    // The name in it does not matter: agents pin the key and trust nothing else.
    const part = { key: path('agent-tls.key.part'), cert: path('agent-tls.crt.part') };
    await make(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '7300',
        '-subj',
        '/CN=bessemer',
        '-keyout',
        part.key,
        '-out',
        part.cert,
      ],
      'the TLS key for agents',
    );
    await chmod(part.key, 0o600);
    await rename(part.key, path('agent-tls.key'));
    await rename(part.cert, path('agent-tls.crt'));
  }
  if (!existsSync(path('service-ssh')) || !existsSync(path('service-ssh.pub'))) {
    const part = path('service-ssh.part');
    await Promise.all([part, `${part}.pub`].map((file) => rm(file, { force: true })));
    await make('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'bessemer', '-f', part], "the service's SSH key");
    await rename(`${part}.pub`, path('service-ssh.pub'));
    await rename(part, path('service-ssh'));
  }
  if (!existsSync(path('data.key'))) {
    if (existsSync(join(dataDir, 'bessemer.sqlite')))
      throw new Error(
        `${path('data.key')} is missing, and the database in ${dataDir} holds secrets that only it opens: restore it from a backup (a new key would make them unreadable for ever)`,
      );
    const keyId = Buffer.from(random.bytes(4)).toString('hex');
    const key = Buffer.from(random.bytes(DATA_KEY_BYTES)).toString('base64url');
    await writeFile(path('data.key.part'), `${keyId}:${key}\n`, { mode: 0o600 });
    await rename(path('data.key.part'), path('data.key'));
  }

  const [keyId = '', key = ''] = (await readFile(path('data.key'), 'utf8')).trim().split(':');
  const dataKey = { keyId, key: new Uint8Array(Buffer.from(key, 'base64url')) };
  if (dataKey.key.length !== DATA_KEY_BYTES)
    throw new Error(
      `${path('data.key')} holds no key of ${DATA_KEY_BYTES} bytes; without it stored secrets cannot be read: restore it from a backup`,
    );
  const cert = await readFile(path('agent-tls.crt'), 'utf8');
  return {
    tls: { key: await readFile(path('agent-tls.key'), 'utf8'), cert },
    pin: pinOf(cert),
    sshPublicKey: (await readFile(path('service-ssh.pub'), 'utf8')).trim(),
    sshPrivateKeyFile: path('service-ssh'),
    dataKey,
  };
}
