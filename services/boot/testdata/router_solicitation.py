"""Sends one router solicitation (RFC 4861 section 4.1) from interface argv[1]; prints the advertisement that answers it as hex, or nothing."""
import socket, struct, sys

index = socket.if_nametoindex(sys.argv[1])
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
s.setsockopt(41, 18, 255)
s.setsockopt(41, 17, struct.pack('@i', index))
s.settimeout(0.5)
for attempt in range(8):
    try:
        s.sendto(struct.pack('!BBHI', 133, 0, 0, 0), ('ff02::2', 0, 0, index))
    except OSError:
        pass  # the link-local address is still tentative
    try:
        while True:
            data, sender = s.recvfrom(2048)
            if data[0] == 134:
                print(data.hex())
                sys.exit()
    except TimeoutError:
        pass
