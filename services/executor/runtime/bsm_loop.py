"""A small event loop: readable descriptors, timers, ended children, and calls to make soon. Single-threaded, so that fork is safe."""
import heapq
import os
import selectors
import signal
import time


class Loop(object):
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.timers = []
        self.timer_count = 0
        self.soon = []
        self.children = {}
        self.stopped = False
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_read, False)
        os.set_blocking(self.wake_write, False)
        signal.set_wakeup_fd(self.wake_write)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self.on_readable(self.wake_read, self._drain_wakeups)

    def on_readable(self, fd, fn):
        self.selector.register(fd, selectors.EVENT_READ, fn)

    def forget(self, fd):
        try:
            self.selector.unregister(fd)
        except KeyError:
            pass

    def on_exit(self, pid, fn):
        """Calls fn(wait status) once the child is gone."""
        self.children[pid] = fn

    def call_soon(self, fn, *args):
        self.soon.append((fn, args))

    def call_later(self, seconds, fn):
        """Gives a handle for `cancel`."""
        self.timer_count += 1
        entry = [time.monotonic() + seconds, self.timer_count, fn]
        heapq.heappush(self.timers, entry)
        return entry

    def cancel(self, entry):
        if entry is not None:
            entry[2] = None

    def stop(self):
        self.stopped = True

    def leave_in_child(self):
        """In a forked child: give back what belongs to the parent."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in list(self.selector.get_map()):
            os.close(fd)
        os.close(self.wake_write)
        self.selector.close()

    def _drain_wakeups(self):
        try:
            os.read(self.wake_read, 4096)
        except BlockingIOError:
            pass
        for pid in list(self.children):
            try:
                ended, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended, status = pid, 0
            if ended:
                self.children.pop(pid)(status)

    def run(self):
        while not self.stopped:
            while self.soon and not self.stopped:
                fn, args = self.soon.pop(0)
                fn(*args)
            if self.stopped:
                return
            now = time.monotonic()
            while self.timers and (self.timers[0][2] is None or self.timers[0][0] <= now):
                fn = heapq.heappop(self.timers)[2]
                if fn is not None:
                    fn()
            if self.soon or self.stopped:
                continue
            wait = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else None
            for key, _ in self.selector.select(wait):
                # An earlier callback of this round may have forgotten the descriptor.
                if key.fd in self.selector.get_map():
                    key.data()
