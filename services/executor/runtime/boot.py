# Second stage: run by the first stage (one line on the command line), which leaves `i`, a buffered reader of the channel,
# and `o`, a duplicate of standard output. Reads the runtime's files from the channel and starts it. Python 3.6 and later.
import json
import sys
import types
import zlib


def boot(reader, output):
    bundle = json.loads(zlib.decompress(reader.read(int(reader.readline()))).decode('utf-8'))
    for name, source in bundle['files']:
        module = types.ModuleType(name)
        module.__file__ = '<bessemer>/' + name + '.py'
        sys.modules[name] = module
        exec(compile(source, module.__file__, 'exec'), module.__dict__)
    sys.modules['bsm_main'].main(reader, output, bundle)


boot(i, o)  # noqa: F821
