/** Checks what came from outside before anything uses it. None of these throws; each says what is wrong and where. */
import { isAbsolute } from 'node:path';
import type { PlayRequest } from './types.ts';

export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

const HOST_KEY =
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]{20,4096}={0,2}$/;
const ADDRESS = /^[0-9A-Za-z][0-9A-Za-z.:%_-]{0,254}$|^::[0-9A-Fa-f:.]{0,60}$/;
const ACCOUNT = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?$/;
const PYTHON = /^[A-Za-z0-9_./+-]{1,256}$/;
const REQUEST_ID = /^[\x21-\x7e]{1,200}$/;
const MAX_PLAY_BYTES = 1024 * 1024;
export const MAX_FILES_BYTES = 32 * 1024 * 1024;

type Fields = Record<string, unknown>;
const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** True for a name that an account on a target may have. */
export function isAccountName(text: string): boolean {
  return ACCOUNT.test(text);
}

function targetProblem(target: unknown): string | undefined {
  if (!isObject(target)) return 'target must be an object';
  if (target.python !== undefined && !(typeof target.python === 'string' && PYTHON.test(target.python)))
    return 'target.python must be the path or name of a Python interpreter';
  if (target.become !== undefined) {
    const become = target.become;
    if (!isObject(become) || become.method !== 'sudo') return "target.become.method must be 'sudo'";
    if (become.user !== undefined && !(typeof become.user === 'string' && ACCOUNT.test(become.user)))
      return 'target.become.user must be an account name';
    if (become.password !== undefined && !(typeof become.password === 'string' && !/[\r\n\0]/.test(become.password)))
      return 'target.become.password must be one line of text';
    if (become.always !== undefined && typeof become.always !== 'boolean')
      return 'target.become.always must be true or false';
  }
  if (target.transport === 'local') return undefined;
  if (target.transport !== 'ssh') return "target.transport must be 'ssh' or 'local'";
  if (typeof target.address !== 'string' || !ADDRESS.test(target.address))
    return 'target.address must be a host name or an IP address';
  if (
    target.port !== undefined &&
    !(Number.isInteger(target.port) && Number(target.port) > 0 && Number(target.port) < 65_536)
  )
    return 'target.port must be a whole number from 1 to 65535';
  if (typeof target.user !== 'string' || !ACCOUNT.test(target.user)) return 'target.user must be an account name';
  if (typeof target.knownHostKey !== 'string' || !HOST_KEY.test(target.knownHostKey))
    return "target.knownHostKey must be a key type and the key in base64, as in known_hosts: 'ssh-ed25519 AAAA...'";
  const key = target.privateKey;
  if (!isObject(key)) return 'target.privateKey must be {path} or {pem}';
  if (typeof key.path === 'string') return isAbsolute(key.path) ? undefined : 'target.privateKey.path must be absolute';
  if (typeof key.pem !== 'string' || !/^-----BEGIN [A-Z ]*PRIVATE KEY-----\n/.test(key.pem) || key.pem.length > 65_536)
    return "target.privateKey.pem must be a private key's text, beginning with -----BEGIN";
  return undefined;
}

/** What is wrong with a play as it came in, or undefined. */
export function playProblem(play: unknown): string | undefined {
  if (!isObject(play) || typeof play.text !== 'string') return 'play.text must be the playbook as text';
  if (play.text.length > MAX_PLAY_BYTES) return `play.text is longer than ${MAX_PLAY_BYTES} bytes`;
  if (play.file !== undefined && typeof play.file !== 'string') return 'play.file must be a file name';
  if (play.filesRoot !== undefined && !(typeof play.filesRoot === 'string' && isAbsolute(play.filesRoot)))
    return 'play.filesRoot must be an absolute path';
  if (play.files === undefined) return undefined;
  if (!isObject(play.files)) return 'play.files must be an object of base64 texts';
  let total = 0;
  for (const [path, text] of Object.entries(play.files)) {
    if (typeof text !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return `play.files[${path}] must be base64`;
    total += text.length * 0.75;
  }
  return total > MAX_FILES_BYTES ? `play.files are more than ${MAX_FILES_BYTES} bytes together` : undefined;
}

function limitProblem(request: Fields): string | undefined {
  for (const name of ['connectTimeoutMs', 'taskTimeoutMs', 'playTimeoutMs'])
    if (request[name] !== undefined && !(Number.isFinite(request[name]) && Number(request[name]) > 0))
      return `${name} must be a positive number of milliseconds`;
  if (request.check !== undefined && typeof request.check !== 'boolean') return 'check must be true or false';
  if (request.vars !== undefined && !isObject(request.vars)) return 'vars must be an object';
  if (request.resume === undefined) return undefined;
  if (!isObject(request.resume) || !Number.isInteger(request.resume.startAt) || Number(request.resume.startAt) < 0)
    return 'resume.startAt must be the index of a task';
  if (request.resume.registered !== undefined && !isObject(request.resume.registered))
    return 'resume.registered must be an object';
  return undefined;
}

/** A request as it came over the socket. */
export function checkPlayRequest(value: unknown): Checked<PlayRequest> {
  if (!isObject(value)) return { ok: false, error: 'the request must be an object' };
  if (typeof value.requestId !== 'string' || !REQUEST_ID.test(value.requestId))
    return { ok: false, error: 'requestId must be 1 to 200 visible ASCII characters' };
  const problem = targetProblem(value.target) ?? playProblem(value.play) ?? limitProblem(value);
  if (problem !== undefined) return { ok: false, error: problem };
  return { ok: true, value: value as unknown as PlayRequest };
}
