"""Private scratch folders for modules that ask for one: made when asked, in memory where the target has a RAM file system, gone after the task."""
import os
import shutil

PREFIX = 'bessemer-'


def base():
    # Not tempfile.gettempdir(): that writes a file to find out.
    for path in ('/dev/shm', os.environ.get('XDG_RUNTIME_DIR'), os.environ.get('TMPDIR')):
        if path and os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK):
            return path
    return '/tmp'


def path_for(pid):
    """Where the task with this process id has its scratch folder, if it made one."""
    return os.path.join(base(), '%s%d-%d' % (PREFIX, os.getuid(), pid))


def make(pid):
    path = path_for(pid)
    os.mkdir(path, 0o700)
    return path


def remove(pid):
    shutil.rmtree(path_for(pid), ignore_errors=True)


def prune():
    """Removes what a killed runtime of this account left behind."""
    mine = '%s%d-' % (PREFIX, os.getuid())
    try:
        names = os.listdir(base())
    except OSError:
        return
    for name in names:
        pid = name[len(mine):]
        if name.startswith(mine) and pid.isdigit() and not os.path.exists('/proc/' + pid):
            shutil.rmtree(os.path.join(base(), name), ignore_errors=True)
