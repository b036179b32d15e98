"""One runtime per account: started through sudo the first time a task asks for the account, kept for the next ones."""
import os
import subprocess
import sys
import zlib

import bsm_frames

BANNER = b'BESSEMER-RUNTIME 1\n'
PROMPT = 'BESSEMER-SUDO-PASSWORD:'
MAX_ACCOUNTS = 20
START_TIMEOUT_S = 30.0


def failure(user, reason):
    # 1 is what sudo itself ends with.
    return {'failed': True, 'rc': 1, 'msg': 'cannot become %s with sudo: %s' % (user, reason), '_code': 'BECOME_FAILED'}


class Account(object):
    """A runtime under another account, spoken to by the same frames as the one above it."""

    def __init__(self, accounts, user, password):
        self.accounts = accounts
        self.loop = accounts.loop
        self.user = user
        self.password = password
        self.password_sent = False
        self.ready = False
        self.dead = None
        self.errors = bytearray()
        self.start = bytearray()
        self.frames = bsm_frames.FrameReader()
        self.sent = set()
        self.pending = None
        self.on_stacks = None
        self.last_used = 0
        command = ['sudo', '-H', '-u', user]
        command += ['-S', '-p', PROMPT] if password else ['-n']
        command += ['--', sys.executable, '-c', accounts.bundle['firstStage']]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, cwd='/')
        self.in_fd = self.process.stdin.fileno()
        self.out_fd = self.process.stdout.fileno()
        self.err_fd = self.process.stderr.fileno()
        self.loop.on_readable(self.out_fd, self._output)
        self.loop.on_readable(self.err_fd, self._error)
        self.loop.on_exit(self.process.pid, self._ended)
        self.timer = self.loop.call_later(START_TIMEOUT_S, lambda: self.close('it did not answer in %d s' % START_TIMEOUT_S))

    def fds(self):
        return [] if self.dead else [self.in_fd, self.out_fd, self.err_fd]

    def _write(self, data):
        try:
            bsm_frames.write_all(self.in_fd, data)
        except OSError:
            pass  # its end is seen by _ended, with the reason

    def _error(self):
        data = os.read(self.err_fd, 65536)
        if not data:
            return self.loop.forget(self.err_fd)
        self.errors += data
        del self.errors[:-65536]
        if not self.ready and self.password and PROMPT.encode() in self.errors:
            self.errors[:] = self.errors.replace(PROMPT.encode(), b'')
            if self.password_sent:
                return self.close('the password was refused')
            self.password_sent = True
            self._write(self.password.encode('utf-8') + b'\n')

    def _output(self):
        data = os.read(self.out_fd, 65536)
        if not data:
            return self.loop.forget(self.out_fd)
        if not self.ready:
            self.start += data
            at = self.start.find(BANNER)
            if at < 0:
                return
            data = bytes(self.start[at + len(BANNER):])
            self.ready = True
            self.loop.cancel(self.timer)
            self._write(self.accounts.bundle['boot'])
            if self.pending:
                self._send_pending()
        for header, payload in self.frames.feed(data):
            self._frame(header)

    def _frame(self, header):
        if header['event'] == 'result' and self.pending:
            done = self.pending['done']
            self.pending = None
            done(header['result'])
        elif header['event'] == 'stacks' and self.on_stacks:
            self.on_stacks(header)

    def _ended(self, status):
        if self.dead is None:
            lines = [l for l in self.errors.decode('utf-8', 'replace').splitlines() if l.strip()]
            self.close(' / '.join(lines[-3:]) or 'sudo ended with status %d' % (status >> 8))

    def close(self, reason):
        if self.dead is not None:
            return
        self.dead = reason
        self.loop.cancel(self.timer)
        self.accounts.forget(self.user)
        for fd in (self.out_fd, self.err_fd):
            self.loop.forget(fd)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()
        if self.pending:
            done = self.pending['done']
            self.pending = None
            done(failure(self.user, reason) if not self.ready else {
                'failed': True, 'msg': 'the runtime of account %s ended: %s' % (self.user, reason), '_code': 'BECOME_FAILED'})

    def run(self, request, done):
        self.pending = dict(request, done=done)
        if self.ready:
            self._send_pending()

    def _send_pending(self):
        request = self.pending
        store = self.accounts.store
        names = store.names
        missing = {entry[0]: store.sources[entry[0]].decode('utf-8')
                   for entry in names.values() if entry[0] in store.sources and entry[0] not in self.sent}
        self.sent.update(missing)
        if missing:
            self._write(bsm_frames_bytes({'op': 'load', 'names': names}, zlib.compress(bsm_json(missing), 1)))
        staged = request['staged']
        header = {'op': 'run', 'name': request['name'], 'arguments': request['arguments'], 'timeoutS': request['timeout_s']}
        if staged is not None:
            header['staged'] = {'name': staged['name'], 'given': staged['given']}
        self._write(bsm_frames_bytes(header, staged['data'] if staged is not None else b''))

    def request(self, header):
        if self.ready and not self.dead:
            self._write(bsm_frames_bytes(header))


def bsm_json(value):
    import json
    return json.dumps(value).encode('ascii')


def bsm_frames_bytes(header, payload=b''):
    text = bsm_json(header)
    return bsm_frames.LENGTHS.pack(len(text), len(payload)) + text + payload


class Accounts(object):
    """All of them; at most MAX_ACCOUNTS, the least recently used one gives way."""

    def __init__(self, loop, store, bundle):
        self.loop = loop
        self.store = store
        self.bundle = bundle
        self.by_user = {}
        self.uses = 0

    def fds(self):
        return [fd for account in self.by_user.values() for fd in account.fds()]

    def forget(self, user):
        self.by_user.pop(user, None)

    def run(self, user, password, request, done):
        account = self.by_user.get(user)
        if account is None:
            if len(self.by_user) >= MAX_ACCOUNTS:
                min(self.by_user.values(), key=lambda a: a.last_used).close('another account needed its place')
            try:
                account = Account(self, user, password)
            except OSError as error:
                return self.loop.call_soon(done, failure(user, 'sudo does not start on the target: %s' % error))
            self.by_user[user] = account
        self.uses += 1
        account.last_used = self.uses
        account.run(request, done)

    def cancel(self):
        for account in list(self.by_user.values()):
            if account.pending and not account.ready:
                account.close('it was cancelled')
            else:
                account.request({'op': 'cancel'})

    def close_all(self, reason):
        """Ends every account's runtime, so that the next task starts with the groups and limits the account has then."""
        for account in list(self.by_user.values()):
            account.close(reason)
