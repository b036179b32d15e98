"""
Ironic's clients as a servant of the tests: one request as a JSON line in, one answer as a JSON line out, all in one process, for
their start takes seconds. Runs under the system's Python, which has Debian's python3-ironicclient and python3-openstacksdk.

{"cli": [argument, ...]}                               -> {"code", "out", "err"} of the command `baremetal`
{"commands": true}                                     -> {"value": names of all its commands}
{"library": {option: value}, "call", "args", "kwargs"} -> of ironicclient.client.get_client(1, **options)
{"sdk": {option: value}, "call", "args", "kwargs"}     -> of openstack.connect(**options)

A call is a dotted path such as `node.list` and answers {"value"} or {"error": {"type", "message", "status"}}. With "keep": NAME
its value is kept; "@NAME" among the arguments stands for it.
"""
import contextlib
import inspect
import io
import json
import logging
import sys
import traceback

kept = {}
opened = {}


def cli(argv):
    from ironicclient import shell

    out, err = io.StringIO(), io.StringIO()
    # Each run adds handlers of its own, which write to what was standard error then.
    logging.getLogger().handlers.clear()
    sys.argv = ["baremetal", *argv]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = shell.main(argv)
        except SystemExit as end:
            code = end.code
        except BaseException:
            code = 70
            traceback.print_exc()
    return {"code": code or 0, "out": out.getvalue(), "err": err.getvalue()}


def commands():
    from importlib.metadata import entry_points

    return sorted(e.name.removeprefix("baremetal_").replace("_", " ") for e in entry_points(group="openstack.baremetal.v1"))


def library(options):
    from ironicclient import client

    return client.get_client(1, **options)


def sdk(options):
    import openstack

    return openstack.connect(load_yaml_config=False, load_envvars=False, **options)


def plain(value):
    """What JSON can say of a value."""
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, dict) and not hasattr(value, "to_dict"):
        return {str(key): plain(of) for key, of in value.items()}
    if isinstance(value, (list, tuple, set)) or inspect.isgenerator(value):
        return [plain(one) for one in value]
    if hasattr(value, "_body_mapping"):
        return plain(dict(value.to_dict(computed=False)))
    if hasattr(value, "to_dict"):
        return plain(dict(value.to_dict()))
    if hasattr(value, "status_code"):
        return value.status_code
    if hasattr(value, "reason") and hasattr(value, "result"):
        return {"result": value.result, "reason": value.reason}
    return str(value)


def named(value):
    if isinstance(value, str) and value[:1] == "@" and value[1:] in kept:
        return kept[value[1:]]
    return [named(one) for one in value] if isinstance(value, list) else value


def call(make, options, request):
    key = json.dumps([make.__name__, options], sort_keys=True)
    try:
        if key not in opened:
            opened[key] = make(options)
        target = opened[key]
        for name in request["call"].split("."):
            target = getattr(target, name)
        if callable(target):
            kwargs = {name: named(of) for name, of in request.get("kwargs", {}).items()}
            target = target(*named(request.get("args", [])), **kwargs)
        if inspect.isgenerator(target):
            target = list(target)
        if "keep" in request:
            kept[request["keep"]] = target
        return {"value": plain(target)}
    except Exception as error:
        status = getattr(error, "http_status", None) or getattr(error, "status_code", None)
        return {"error": {"type": type(error).__name__, "message": str(error), "status": status}}


def answer(request):
    if "cli" in request:
        return cli(request["cli"])
    if "commands" in request:
        return {"value": commands()}
    if "library" in request:
        return call(library, request["library"], request)
    return call(sdk, request["sdk"], request)


replies = sys.stdout
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), file=replies, flush=True)
