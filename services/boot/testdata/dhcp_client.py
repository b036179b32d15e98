"""One DHCP exchange (RFC 2131) from interface argv[1]: prints the answer as JSON. argv[2] is a JSON object of
{arch, ipxe, client_id, release, proxy}. Written for tests, apart from all code under test."""
import fcntl, json, os, socket, struct, sys

interface, asked = sys.argv[1], json.loads(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
s.bind(('', 68))
s.settimeout(5)
mac = fcntl.ioctl(s, 0x8927, struct.pack('256s', interface.encode()))[18:24]
xid = os.urandom(4)


def option(code, value):
    return bytes([code, len(value)]) + value


def message(kind, *more, ciaddr=b'\0' * 4):
    head = struct.pack('!BBBB4sHH', 1, 1, 6, 0, xid, 0, 0x8000) + ciaddr + b'\0' * 12 + mac + b'\0' * 10 + b'\0' * 192
    opts = option(53, bytes([kind])) + option(55, bytes([1, 3, 51, 54, 60, 66, 67, 43, 175]))
    if 'arch' in asked:
        name = 'HTTPClient' if asked['arch'] in (16, 19) else 'PXEClient'
        opts += option(60, b'%s:Arch:%05d:UNDI:003016' % (name.encode(), asked['arch']))
        opts += option(93, struct.pack('!H', asked['arch'])) + option(94, b'\1\3\x10') + option(97, b'\0' + b'u' * 16)
    if asked.get('ipxe'):
        opts += option(77, b'iPXE') + option(175, bytes([0xb1, 1, 1]))
    if 'client_id' in asked:
        opts += option(61, asked['client_id'].encode())
    return head + b'\x63\x82\x53\x63' + opts + b''.join(more) + b'\xff'


def receive(wanted):
    while True:
        data, sender = s.recvfrom(2048)
        if data[4:8] != xid:
            continue
        got, at = {}, 240
        while data[at] != 255:
            if data[at]:
                got.setdefault(data[at], data[at + 2:at + 2 + data[at + 1]])
                at += 1 + data[at + 1]
            at += 1
        if got.get(53) == bytes([wanted]):
            return data, got, sender[0]


def text(raw):
    return raw.split(b'\0')[0].decode()


s.sendto(message(1), ('255.255.255.255', 67))
data, got, sender = receive(2)
if not asked.get('proxy'):
    s.sendto(message(3, option(50, data[16:20]), option(54, got[54])), ('255.255.255.255', 67))
    data, got, sender = receive(5)
print(json.dumps({
    'address': socket.inet_ntoa(data[16:20]), 'next_server': socket.inet_ntoa(data[20:24]), 'server': sender,
    'file': text(got[67]) if 67 in got else text(data[108:236]), 'vendor_class': text(got.get(60, b'')),
    'options': {str(code): value.hex() for code, value in got.items()},
}))
if asked.get('release'):
    s.sendto(message(7, option(54, got[54]), ciaddr=data[16:20]), ('255.255.255.255', 67))
