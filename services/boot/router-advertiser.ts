/**
 * Answers IPv6 router solicitations so that iPXE does not wait for them to time out: 16 s at every stage of a boot.
 *
 * The answer (RFC 4861 section 4.2) has router lifetime 0 and no prefix: nobody gets an address or a route by it, and a real
 * router's own advertisements stand beside it. dnsmasq hears solicitations and stays silent unless the interface has an
 * IPv6 prefix to advertise, and Node has no raw sockets; so a child of Python, which every machine we run on has.
 */
import type { Clock, Log } from '@bessemer/ports';
import { superviseChild } from './child-process.ts';
import type { SupervisedChild } from './child-process.ts';

/** 133 and 134 are solicitation and advertisement; every hop limit must be 255, or the message came from elsewhere. */
const PROGRAM = `
import socket, struct, sys
index = socket.if_nametoindex(sys.argv[1])
raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
v6 = socket.IPPROTO_IPV6
raw.setsockopt(v6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, 'ff02::2') + struct.pack('@I', index))
raw.setsockopt(v6, socket.IPV6_MULTICAST_IF, index)
raw.setsockopt(v6, socket.IPV6_MULTICAST_HOPS, 255)
raw.setsockopt(v6, socket.IPV6_MULTICAST_LOOP, 0)
ICMP6_FILTER, wanted = 1, [0xffffffff] * 8
wanted[133 >> 5] &= ~(1 << (133 & 31))
raw.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack('@8I', *wanted))
advertisement = struct.pack('!BBHBBHII', 134, 0, 0, 0, 0, 0, 0, 0)
print('ready', flush=True)
while True:
    data, sender = raw.recvfrom(2048)
    if sender[3] != index or len(data) < 8:
        continue
    try:
        raw.sendto(advertisement, ('ff02::1', 0, 0, index))
    except OSError as error:
        print('not sent:', error, flush=True)
`;

/** For one interface of this network namespace. `start` fails when the interface is not there or IPv6 is switched off. */
export function createRouterAdvertiser(deps: { interface: string; clock: Clock; log: Log }): SupervisedChild {
  return superviseChild({
    name: 'router advertiser',
    command: '/usr/bin/python3',
    args: ['-I', '-c', PROGRAM, deps.interface],
    clock: deps.clock,
    log: deps.log,
    isReady: (line) => line === 'ready',
    onLine: (line) => {
      if (line !== 'ready') deps.log.debug('router advertiser', { line });
    },
  });
}
