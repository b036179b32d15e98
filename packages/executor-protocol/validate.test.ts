import { describe, expect, it } from 'vitest';
import { checkPlayRequest } from './validate.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVzdGluZ3Rlc3Rpbmd0ZXN0aW5ndGVzdGluZ3Rlc3Rp';
const target = {
  transport: 'ssh',
  address: '192.0.2.7',
  user: 'root',
  privateKey: { path: '/k' },
  knownHostKey: KEY,
};
const request = { requestId: 'r1', target, play: { text: '- ping:' } };

describe('a request', () => {
  it.each([
    request,
    { ...request, target: { ...target, address: '2001:db8::1', port: 2222, become: { method: 'sudo', user: 'app' } } },
    { ...request, target: { transport: 'local' } },
    {
      ...request,
      target: { ...target, address: 'n1.example', privateKey: { pem: '-----BEGIN OPENSSH PRIVATE KEY-----\nAA\n' } },
    },
    {
      ...request,
      vars: { a: 1 },
      check: true,
      resume: { startAt: 2 },
      playTimeoutMs: 5,
      play: { text: '', files: { a: 'AA==' } },
    },
  ])('that is right is taken: %#', (value) => {
    expect(checkPlayRequest(value)).toEqual({ ok: true, value });
  });

  it.each([
    [null, 'must be an object'],
    [{ ...request, requestId: 'a b' }, 'requestId'],
    [{ ...request, target: { ...target, transport: 'telnet' } }, 'target.transport'],
    // Each of these would be an option or a command to ssh or its shell.
    [{ ...request, target: { ...target, address: '-oProxyCommand=id' } }, 'target.address'],
    [{ ...request, target: { ...target, address: 'a;b' } }, 'target.address'],
    [{ ...request, target: { ...target, user: '-l' } }, 'target.user'],
    [{ ...request, target: { ...target, python: 'p; id' } }, 'target.python'],
    [{ ...request, target: { ...target, knownHostKey: `${KEY}\n* ${KEY}` } }, 'target.knownHostKey'],
    [{ ...request, target: { ...target, knownHostKey: undefined } }, 'target.knownHostKey'],
    [{ ...request, target: { ...target, privateKey: { path: 'relative' } } }, 'target.privateKey.path'],
    [{ ...request, target: { ...target, privateKey: { pem: 'text' } } }, 'target.privateKey.pem'],
    [{ ...request, target: { ...target, port: 65_536 } }, 'target.port'],
    [{ ...request, target: { ...target, become: { method: 'su' } } }, "must be 'sudo'"],
    [{ ...request, target: { ...target, become: { method: 'sudo', password: 'a\nb' } } }, 'one line'],
    [{ ...request, play: {} }, 'play.text'],
    [{ ...request, play: { text: '', files: { a: '!' } } }, 'play.files[a]'],
    [{ ...request, play: { text: '', filesRoot: 'x' } }, 'play.filesRoot'],
    [{ ...request, taskTimeoutMs: -1 }, 'taskTimeoutMs'],
    [{ ...request, resume: { startAt: 1.5 } }, 'resume.startAt'],
  ])('that is wrong is refused with what is wrong: %#', (value, words) => {
    const checked = checkPlayRequest(value);
    expect(checked).toMatchObject({ ok: false, error: expect.stringContaining(words) });
  });
});
