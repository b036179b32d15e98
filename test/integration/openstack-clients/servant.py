"""
Ironic's clients as a servant of the tests: one request as a JSON line in, one answer as a JSON line out, all in one process, for
their start takes seconds. Runs under the system's Python, which has Debian's python3-ironicclient and python3-openstacksdk.

{"cli": [argument, ...]}                               -> {"code", "out", "err"} of the command `baremetal`
{"options": true}                                      -> {"value": of each of its commands, of each option its choices or null}
{"methods": "library" or "sdk"}                        -> {"value": paths of all calls}
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


def options():
    """Hidden options and those that only format what is printed are left out. An option's names are joined by `|`."""
    import argparse
    from importlib.metadata import entry_points
    from types import SimpleNamespace

    app = SimpleNamespace(command_manager=SimpleNamespace(namespace=""), interactive_mode=False)
    found = {}
    for entry in entry_points(group="openstack.baremetal.v1"):
        name = entry.name.removeprefix("baremetal_").replace("_", " ")
        parser = entry.load()(app, None, cmd_name=name).get_parser(name)
        actions = [one for group in parser._action_groups if "formatter" not in (group.title or "").lower() for one in group._group_actions]
        found[name] = {
            "|".join(action.option_strings): list(action.choices) if action.choices else None
            for action in actions
            if action.option_strings and action.dest != "help" and action.help != argparse.SUPPRESS
        }
    return found


def methods(client):
    if client == "library":
        managers = vars(library({"auth_type": "none", "endpoint": "http://127.0.0.1:9"}))
        return sorted(
            f"{name}.{method}"
            for name, manager in managers.items()
            for method, of in inspect.getmembers(manager, inspect.ismethod)
            if name != "http_client" and method[0] != "_"
        )
    from openstack.baremetal.v1 import _proxy
    from openstack.cloud import _baremetal

    public = lambda of: [name for name, value in vars(of).items() if inspect.isfunction(value) and name[0] != "_"]
    return sorted(public(_baremetal.BaremetalCloudMixin) + [f"baremetal.{name}" for name in public(_proxy.Proxy)])


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
    if "options" in request:
        return {"value": options()}
    if "methods" in request:
        return {"value": methods(request["methods"])}
    if "library" in request:
        return call(library, request["library"], request)
    return call(sdk, request["sdk"], request)


replies = sys.stdout
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), file=replies, flush=True)
