"""Frames of the channel: two big-endian 32-bit lengths (JSON, payload), the JSON header, the payload."""
import json
import os
import struct

LENGTHS = struct.Struct('>II')
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_PAYLOAD_BYTES = 256 * 1024 * 1024


class FrameReader(object):
    """Takes bytes as they arrive, gives whole frames."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        self.buffer += data
        frames = []
        while len(self.buffer) >= LENGTHS.size:
            json_bytes, payload_bytes = LENGTHS.unpack_from(self.buffer)
            if json_bytes > MAX_JSON_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
                raise ValueError('frame too large: %d + %d bytes' % (json_bytes, payload_bytes))
            end = LENGTHS.size + json_bytes + payload_bytes
            if len(self.buffer) < end:
                break
            header = json.loads(bytes(self.buffer[LENGTHS.size:LENGTHS.size + json_bytes]).decode('utf-8'))
            frames.append((header, bytes(self.buffer[LENGTHS.size + json_bytes:end])))
            del self.buffer[:end]
        return frames


def write_all(fd, data):
    view = memoryview(data)
    while len(view):
        view = view[os.write(fd, view):]


def write_frame(fd, header, payload=b''):
    # Escaped to ASCII: what a module printed may hold lone surrogates (file names that are no UTF-8).
    text = json.dumps(header).encode('ascii')
    write_all(fd, LENGTHS.pack(len(text), len(payload)) + text + payload)
