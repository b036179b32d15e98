"""Applies a config drive: hostname, authorised keys, SSH host keys; leaves a script of user_data to be run."""
import json
import os
import sys

DRIVE = sys.argv[1] + "/openstack/latest/"


def read(name):
    try:
        with open(DRIVE + name) as file:
            return file.read()
    except OSError:
        return ""


def read_json(name):
    text = read(name)
    try:
        value = json.loads(text) if text else {}
    except ValueError as error:
        print("configdrive: %s is not JSON: %s" % (name, error))
        return {}
    return value if isinstance(value, dict) else {}


def write(path, text, mode, owner=(0, 0)):
    part = path + ".part"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    os.fchown(handle, *owner)
    os.fchmod(handle, mode)
    os.write(handle, text.encode())
    os.close(handle)
    os.rename(part, path)


def set_hostname(meta):
    name = str(meta.get("hostname") or meta.get("name") or "").strip()
    if not name:
        return
    short = name.split(".")[0]
    write("/etc/hostname", short + "\n", 0o644)
    names = short if short == name else name + " " + short
    write("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 %s\n" % names, 0o644)
    with open("/proc/sys/kernel/hostname", "w") as file:
        file.write(short)
    print("configdrive: hostname", short)


def authorised_keys(meta):
    found = []
    public_keys = meta.get("public_keys")
    if isinstance(public_keys, dict):
        found += list(public_keys.values())
    elif isinstance(public_keys, list):
        found += public_keys
    for key in meta.get("keys") or []:
        if isinstance(key, dict) and key.get("type", "ssh") == "ssh":
            found.append(key.get("data"))
    lines = [line.strip() for key in found if isinstance(key, str) for line in key.splitlines()]
    return list(dict.fromkeys(line for line in lines if line))


def install_keys(keys):
    """The same keys for the image's user and for root."""
    text = "".join(key + "\n" for key in keys)
    for home in ("/home/debian", "/root"):
        status = os.stat(home)
        owner = (status.st_uid, status.st_gid)
        os.makedirs(home + "/.ssh", exist_ok=True)
        os.chown(home + "/.ssh", *owner)
        os.chmod(home + "/.ssh", 0o700)
        write(home + "/.ssh/authorized_keys", text, 0o600, owner)
    print("configdrive: %d authorised keys" % len(keys))


def block_map(text, key):
    """`KEY:` of a cloud-config, one level deep, with plain and block (`|`) values: all that host keys take of YAML."""
    body = text.split("\n", 1)[1] if text.startswith("#cloud-config\n") else text
    try:
        value = json.loads(body)
        return value.get(key, {}) if isinstance(value, dict) else {}
    except ValueError:
        pass
    result, name, inside, block_indent = {}, None, False, None
    for line in body.splitlines():
        bare = line.strip()
        indent = len(line) - len(line.lstrip())
        if bare and indent == 0:
            inside, name = bare == key + ":", None
        elif inside and name and bare and (block_indent is None or indent >= block_indent):
            block_indent = indent if block_indent is None else block_indent
            result[name] += line[block_indent:] + "\n"
        elif inside and bare and ":" in bare and not bare.startswith("#"):
            name, value = bare.split(":", 1)
            value = value.strip()
            if value[:1] == "|":
                result[name], block_indent = "", None
            else:
                result[name], name = value.strip("'\""), None
    return result


def install_host_keys():
    for file in ("vendor_data.json", "vendor_data2.json"):
        data = read_json(file).get("cloud-init")
        for text in data if isinstance(data, list) else [data]:
            if not isinstance(text, str):
                continue
            for name, value in block_map(text, "ssh_keys").items():
                kind, _, half = name.partition("_")
                if kind not in ("ed25519", "ecdsa", "rsa") or half not in ("private", "public"):
                    continue
                path = "/etc/ssh/ssh_host_%s_key" % kind
                private = half == "private"
                write(path + ("" if private else ".pub"), value.strip() + "\n", 0o600 if private else 0o644)
                print("configdrive: ssh host key", kind, half)


def keep_script():
    text = read("user_data")
    if text.startswith("#!"):
        os.makedirs("/var/lib/configdrive", mode=0o700, exist_ok=True)
        write("/var/lib/configdrive/user-data", text, 0o700)
    elif text.strip():
        print("configdrive: user_data is no script (#!): this image runs nothing else")


meta_data = read_json("meta_data.json")
set_hostname(meta_data)
install_keys(authorised_keys(meta_data))
install_host_keys()
keep_script()
