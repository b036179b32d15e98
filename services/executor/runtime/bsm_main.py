"""The runtime: answers frames until its channel closes. One play, or one task for the runtime above, at a time."""
import faulthandler
import json
import os
import sys
import zlib

import bsm_accounts
import bsm_frames
import bsm_imports
import bsm_loop
import bsm_modules
import bsm_play
import bsm_scratch


class Runtime(object):
    def __init__(self, in_fd, out_fd, bundle):
        self.in_fd = in_fd
        self.out_fd = out_fd
        self.loop = bsm_loop.Loop()
        self.store = bsm_imports.SourceStore()
        bsm_imports.install(self.store)
        self.library = bsm_modules.ModuleLibrary(self.store)
        self.accounts = bsm_accounts.Accounts(self.loop, self.store, bundle)
        self.modules = bsm_modules.ModuleRunner(self.loop, self.library, self._private_fds)
        self.play = None
        self.busy = False
        self.closing = False
        self.frames = bsm_frames.FrameReader()

    def _private_fds(self):
        return [fd for fd in [self.out_fd] + self.accounts.fds() if fd not in self.loop.selector.get_map()]

    def send(self, header, payload=b''):
        try:
            bsm_frames.write_frame(self.out_fd, header, payload)
        except OSError:
            self.loop.call_soon(self._channel_closed)

    def start(self, already_read):
        import platform
        bsm_scratch.prune()
        self.send({'event': 'hello', 'pid': os.getpid(), 'uid': os.getuid(), 'python': platform.python_version(),
                   'hostname': platform.node()})
        self.loop.on_readable(self.in_fd, self._readable)
        if already_read:
            self._feed(already_read)
        self.loop.run()

    def _readable(self):
        data = os.read(self.in_fd, 262144)
        if not data:
            return self._channel_closed()
        self._feed(data)

    def _feed(self, data):
        for header, payload in self.frames.feed(data):
            getattr(self, 'op_' + header['op'])(header, payload)

    def _channel_closed(self):
        """A running task is left to end by itself (half an apt transaction is worse than a whole one), then all stops."""
        self.loop.forget(self.in_fd)
        self.closing = True
        if self.play is not None:
            self.play.stop_before_next_task()
        if not self.modules.running:
            self.loop.stop()

    def op_load(self, header, payload):
        if payload:
            sources = json.loads(zlib.decompress(payload).decode('utf-8'))
            self.store.add_sources({digest: text.encode('utf-8') for digest, text in sources.items()})
        self.store.add_names({name: tuple(entry) for name, entry in header['names'].items()})

    def op_run(self, header, payload):
        """One task, asked for by the runtime of the login account."""
        staged = dict(header['staged'], data=payload) if header.get('staged') else None
        self.modules.run(header['name'], header['arguments'], staged, header['timeoutS'],
                         lambda result: self._ran({'event': 'result', 'result': result}))

    def _ran(self, header):
        self.send(header)
        if self.closing:
            self.loop.stop()

    def op_play(self, header, payload):
        if header.get('compressed'):
            payload = zlib.decompress(payload)
        self.play = bsm_play.PlayRunner(self, header, payload, self._play_ended)
        self.play.start()

    def _play_ended(self):
        self.play = None
        if self.closing:
            self.loop.stop()

    def op_cancel(self, header, payload):
        if self.play is not None:
            self.play.stop_before_next_task()
        self.modules.cancel('it was cancelled')
        self.accounts.cancel()

    def op_ping(self, header, payload):
        self.send({'event': 'pong', 'id': header.get('id')})

    def op_stacks(self, header, payload):
        answer = {'event': 'stacks', 'id': header.get('id'), 'pid': os.getpid(), 'uid': os.getuid(),
                  'runtime': own_stack(), 'task': self.modules.running.trace() if self.modules.running else '',
                  'accounts': []}
        asked = [a for a in self.accounts.by_user.values() if a.ready and not a.dead]
        waiting = {'count': len(asked), 'timer': None, 'sent': False}

        def finish():
            if not waiting['sent']:
                waiting['sent'] = True
                self.loop.cancel(waiting['timer'])
                self.send(answer)

        def heard(account, header):
            account.on_stacks = None
            answer['accounts'].append(dict(header, user=account.user))
            waiting['count'] -= 1
            if waiting['count'] == 0:
                finish()

        if not asked:
            return finish()
        waiting['timer'] = self.loop.call_later(2.0, finish)
        for account in asked:
            account.on_stacks = lambda header, account=account: heard(account, header)
            account.request({'op': 'stacks'})

    def run_module(self, request, done):
        """request: {name, arguments, staged, timeout_s, user, password}; user None is the login account."""
        if request['user'] is None:
            self.modules.run(request['name'], request['arguments'], request['staged'], request['timeout_s'], done)
        else:
            self.accounts.run(request['user'], request['password'], request, done)


def own_stack():
    read_fd, write_fd = os.pipe()
    try:
        faulthandler.dump_traceback(file=write_fd, all_threads=True)
    finally:
        os.close(write_fd)
    try:
        return os.read(read_fd, 65536).decode('utf-8', 'replace')
    finally:
        os.close(read_fd)


def main(reader, output, bundle):
    null = os.open(os.devnull, os.O_RDWR)
    # Stray prints and reads go nowhere instead of into the frames.
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    try:
        os.chdir(os.path.expanduser('~'))
    except OSError:
        os.chdir('/')
    in_fd = reader.fileno()
    os.set_blocking(in_fd, False)
    already_read = bytes(reader.peek())
    os.set_blocking(in_fd, True)
    bundle['boot'] = bundle_bytes(bundle)
    runtime = Runtime(in_fd, output, bundle)
    runtime.start(already_read)
    # Without the interpreter's clean-up: nothing is left to flush, and account runtimes end with their pipes.
    sys.stdout = sys.stderr = None
    os._exit(0)


def bundle_bytes(bundle):
    """What follows the first stage when a runtime starts another one for an account."""
    boot = zlib.compress(bundle['bootSource'].encode('utf-8'))
    rest = zlib.compress(json.dumps({k: bundle[k] for k in ('files', 'firstStage', 'bootSource')}).encode('utf-8'), 1)
    return b'%d\n' % len(boot) + boot + b'%d\n' % len(rest) + rest
