"""Runs one of Ansible's new-style modules, unmodified, in a forked child of this warm interpreter."""
import ast
import atexit
import faulthandler
import gc
import hashlib
import importlib
import io
import json
import os
import signal
import sys
import threading
import traceback
import types
import zipfile

import bsm_scratch

STDLIB = getattr(sys, 'stdlib_module_names', None)


class ModuleLibrary(object):
    """Compiled modules, with what they import from the standard library and module_utils already loaded here, once, for every child."""

    def __init__(self, store):
        self.store = store
        self.codes = {}

    def prepare(self, name):
        if name in self.codes:
            return
        path = self.store.names[name][2]
        tree = ast.parse(self.store.source(name), path)
        for node in tree.body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._warm(alias.name)
            elif isinstance(node, ast.ImportFrom):
                # Relative ones start at the module's package, one more dot is one package up.
                above = name.split('.')[:-node.level] if node.level else []
                source = '.'.join(above + ([node.module] if node.module else []))
                self._warm(source)
                for alias in node.names:
                    if source + '.' + alias.name in self.store.names:
                        self._warm(source + '.' + alias.name)
        self.codes[name] = compile(tree, path, 'exec', dont_inherit=True)
        self._scratch_on_demand()
        if hasattr(gc, 'freeze'):
            gc.collect()
            gc.freeze()

    def _warm(self, name):
        root = name.split('.')[0]
        # Third-party packages stay out: a task may install or upgrade them between two imports.
        if name not in self.store.names and not (STDLIB and root in STDLIB or root in sys.builtin_module_names):
            return
        try:
            importlib.import_module(name)
        except Exception:
            pass  # the child meets the same error, where it belongs to a task

    def _scratch_on_demand(self):
        """AnsibleModule.tmpdir makes a folder below remote_tmp, warning when that is missing: here it is the task's own scratch folder."""
        basic = sys.modules.get('ansible.module_utils.basic')
        if basic is None or getattr(basic, '_bessemer_scratch', False):
            return
        basic._bessemer_scratch = True
        asked = basic.AnsibleModule.tmpdir

        def tmpdir(self):
            if self._tmpdir is None:
                try:
                    self._tmpdir = scratch()
                except OSError:
                    return asked.fget(self)
            return self._tmpdir

        basic.AnsibleModule.tmpdir = property(tmpdir)


def scratch():
    """This task's private folder, made at the first call."""
    path = bsm_scratch.path_for(os.getpid())
    return path if os.path.isdir(path) else bsm_scratch.make(os.getpid())


class MainModule(types.ModuleType):
    """`__main__` of a task. `_modlib_path` is read only by a module that starts itself again under another Python."""

    _bessemer_store = None

    @property
    def _modlib_path(self):
        path = os.path.join(scratch(), 'modlib.zip')
        with zipfile.ZipFile(path, 'w') as archive:
            for name, (digest, is_package, _) in self._bessemer_store.names.items():
                if digest in self._bessemer_store.sources:
                    entry = name.replace('.', '/') + ('/__init__.py' if is_package else '.py')
                    archive.writestr(entry, self._bessemer_store.sources[digest])
        return path


class Refused(Exception):
    """A task that cannot start, with the sentence for its result."""


def stage(arguments, staged):
    """Gives a file sent with the task a path in scratch, as the module's `src`. staged: {'data', 'name', 'given'}"""
    dest = arguments.get('dest')
    if staged['given'] == 'content' and isinstance(dest, str) and os.path.isdir(os.path.expanduser(dest)):
        raise Refused('can not use content with a dir as dest')
    path = os.path.join(scratch(), 'staged')
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, 'wb') as f:
        f.write(staged['data'])
    arguments['src'] = path
    arguments['_original_basename'] = staged['name']
    arguments['checksum'] = hashlib.sha1(staged['data']).hexdigest()


def exit_code(stop):
    return stop.code if isinstance(stop.code, int) else (0 if stop.code is None else 1)


def run_child(library, name, arguments, staged, output_fd, error_fd, trace_fd):
    """The body of a forked child; never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output_fd, 1)
        os.dup2(error_fd, 2)
        for fd in (null, output_fd, error_fd):
            if fd > 2:
                os.close(fd)
        sys.stdin = io.open(0, 'r', closefd=False)
        sys.stdout = io.open(1, 'w', closefd=False, encoding='utf-8', errors='surrogateescape')
        sys.stderr = io.open(2, 'w', closefd=False, encoding='utf-8', errors='backslashreplace')
        faulthandler.register(signal.SIGUSR1, file=trace_fd, all_threads=True)
        importlib.invalidate_caches()
        if 'random' in sys.modules:
            sys.modules['random'].seed()
        if staged is not None:
            stage(arguments, staged)
        main = MainModule('__main__')
        main.__file__ = library.store.names[name][2]
        main.__package__ = name.rpartition('.')[0]
        main._module_fqn = name
        MainModule._bessemer_store = library.store
        sys.modules['__main__'] = main
        sys.argv = [main.__file__]
        basic = importlib.import_module('ansible.module_utils.basic')
        basic._ANSIBLE_ARGS = json.dumps({'ANSIBLE_MODULE_ARGS': arguments}).encode('utf-8')
        try:
            exec(library.codes[name], main.__dict__)
            code = 0
        except SystemExit as stop:
            code = exit_code(stop)
        except Exception:
            # A module's own hook may turn its exception into an answer (`file` does).
            try:
                sys.excepthook(*sys.exc_info())
            except SystemExit as stop:
                code = exit_code(stop)
        atexit._run_exitfuncs()
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
    except Refused as refusal:
        os.write(1, json.dumps({'failed': True, 'msg': str(refusal)}).encode('ascii'))
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except Exception:
            pass
        os._exit(code)


def parse_result(output, errors, status):
    """The module's one JSON object, between whatever else was printed; otherwise a failure that shows what was printed."""
    text = output.decode('utf-8', 'surrogateescape')
    decoder = json.JSONDecoder()
    position = 0
    while position < len(text):
        line_end = text.find('\n', position)
        line_end = len(text) if line_end < 0 else line_end
        start = position + (len(text[position:line_end]) - len(text[position:line_end].lstrip()))
        if text.startswith('{', start):
            try:
                value, _ = decoder.raw_decode(text, start)
                if isinstance(value, dict):
                    return value
            except ValueError:
                pass
        position = line_end + 1
    code = -(status & 0x7f) if status & 0x7f else status >> 8
    return {
        'failed': True,
        'msg': 'MODULE FAILURE\nSee stdout/stderr for the exact error',
        'module_stdout': text[-16384:],
        'module_stderr': errors.decode('utf-8', 'backslashreplace')[-16384:],
        'rc': code,
    }


class ModuleRunner(object):
    """Starts tasks in children and gives each result to a callback. `private_fds()` gives the descriptors a child must not keep."""

    MAX_OUTPUT_BYTES = 16 * 1024 * 1024
    KILL_AFTER_S = 2.0

    def __init__(self, loop, library, private_fds):
        self.loop = loop
        self.library = library
        self.private_fds = private_fds
        self.running = None

    def run(self, name, arguments, staged, timeout_s, done):
        try:
            self.library.prepare(name)
        except (KeyError, SyntaxError, ValueError) as error:
            return self.loop.call_soon(done, {
                'failed': True,
                'msg': 'the module %s cannot be loaded: %s' % (name, error),
                '_code': 'MODULE_NOT_FOUND',
            })
        self.running = Child(self, name, arguments, staged, timeout_s, done)

    def cancel(self, why):
        if self.running is not None:
            self.running.kill(why)


class Child(object):
    def __init__(self, runner, name, arguments, staged, timeout_s, done):
        self.runner = runner
        self.loop = runner.loop
        self.done = done
        self.output = bytearray()
        self.errors = bytearray()
        self.killed = None
        output_read, output_write = os.pipe()
        errors_read, errors_write = os.pipe()
        self.trace_fd, trace_write = os.pipe()
        # Not yet listening for it, the child ignores a request for its stack instead of dying of it.
        before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        private = runner.private_fds() + [output_read, errors_read, self.trace_fd]
        self.pid = os.fork()
        if self.pid == 0:
            self.loop.leave_in_child()
            for fd in private:
                os.close(fd)
            run_child(runner.library, name, arguments, staged, output_write, errors_write, trace_write)
        signal.signal(signal.SIGUSR1, before)
        for fd in (output_write, errors_write, trace_write):
            os.close(fd)
        self.sinks = {output_read: self.output, errors_read: self.errors}
        for fd in self.sinks:
            os.set_blocking(fd, False)
            self.loop.on_readable(fd, lambda fd=fd: self._read(fd))
        self.timer = self.loop.call_later(timeout_s, lambda: self.kill('timeout')) if timeout_s else None
        self.loop.on_exit(self.pid, self._ended)

    def _read(self, fd):
        """Takes what is there. False when nothing more is to come."""
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return False
        if not data:
            self.loop.forget(fd)
            return False
        sink = self.sinks[fd]
        sink += data
        if len(sink) > ModuleRunner.MAX_OUTPUT_BYTES:
            self.kill('output')
            del sink[:]
        return True

    def kill(self, why):
        if self.killed is None:
            self.killed = why
            self._signal(signal.SIGTERM)
            self.timer = self.loop.call_later(ModuleRunner.KILL_AFTER_S, lambda: self._signal(signal.SIGKILL))

    def _signal(self, number):
        for send in (os.killpg, os.kill):
            try:
                return send(self.pid, number)
            except OSError:
                continue

    def trace(self):
        """The Python stack of the running task, waited for at most half a second."""
        import select
        try:
            os.kill(self.pid, signal.SIGUSR1)
        except OSError:
            return ''
        ready, _, _ = select.select([self.trace_fd], [], [], 0.5)
        return os.read(self.trace_fd, 65536).decode('utf-8', 'replace') if ready else ''

    def _ended(self, status):
        # A daemon that the task started may hold the pipes open: what is there now is the task's output.
        for fd in self.sinks:
            while self._read(fd):
                pass
            self.loop.forget(fd)
            os.close(fd)
        os.close(self.trace_fd)
        self.loop.cancel(self.timer)
        self.runner.running = None
        bsm_scratch.remove(self.pid)
        if self.killed == 'timeout':
            result = {'failed': True, 'msg': 'the task ran longer than its limit and was ended', '_code': 'TIMEOUT'}
        elif self.killed == 'output':
            result = {'failed': True, 'msg': 'the task printed more than %d bytes and was ended' % ModuleRunner.MAX_OUTPUT_BYTES}
        elif self.killed is not None:
            result = {'failed': True, 'msg': 'the task was ended: ' + self.killed, '_code': 'CANCELLED'}
        else:
            result = parse_result(bytes(self.output), bytes(self.errors), status)
        self.done(result)
