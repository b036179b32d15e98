"""Python sources kept in memory and the import hook that serves them: nothing is written to the target's disk."""
import importlib.util
import sys

ROOTS = ('ansible', 'ansible_collections')


class SourceStore(object):
    """Sources by content digest, and which dotted name stands for which of them."""

    def __init__(self):
        self.sources = {}
        self.names = {}

    def add_sources(self, sources):
        self.sources.update(sources)

    def add_names(self, names):
        """names: {dotted name: [digest, is package, path shown in tracebacks]}"""
        self.names.update(names)

    def source(self, name):
        return self.sources[self.names[name][0]]


class MemoryFinder(object):
    """A sys.meta_path finder. It owns the names below ROOTS: a copy installed on the target is never mixed in."""

    def __init__(self, store):
        self.store = store
        self.codes = {}

    def find_spec(self, name, path=None, target=None):
        entry = self.store.names.get(name)
        if entry is None:
            if name in ROOTS:
                raise ModuleNotFoundError('No module named %r' % name, name=name)
            # Below a served package nothing else is found either, since its __path__ is empty.
            return None
        spec = importlib.util.spec_from_loader(name, self, origin=entry[2], is_package=entry[1])
        spec.has_location = True
        if entry[1]:
            spec.submodule_search_locations = []
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__spec__.name
        code = self.codes.get(name)
        if code is None:
            code = compile(self.store.source(name), self.store.names[name][2], 'exec', dont_inherit=True)
            self.codes[name] = code
        exec(code, module.__dict__)

    def get_source(self, name):
        """For linecache: tracebacks of served code show their lines."""
        return self.store.source(name)

    def is_package(self, name):
        return self.store.names[name][1]

    def get_filename(self, name):
        return self.store.names[name][2]


def install(store):
    sys.meta_path.insert(0, MemoryFinder(store))
