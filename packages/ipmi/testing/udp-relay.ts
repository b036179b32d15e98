/** A bad network between a client and a BMC: a UDP relay that drops, doubles and reorders, from one seed. For tests. */
import type { Clock, DatagramPeer, Datagrams, DatagramSocket, Random } from '@bessemer/ports';

export interface UdpRelayOptions {
  readonly datagrams: Datagrams;
  readonly clock: Clock;
  readonly random: Random;
  readonly target: DatagramPeer;
  /** Probabilities per datagram and direction. */
  readonly drop: number;
  readonly duplicate: number;
  /** A datagram held back by up to `reorderMs`, so that later ones overtake it. */
  readonly reorder: number;
  readonly reorderMs: number;
  /** Sees every datagram that arrives at the relay, before its fate is decided. */
  readonly onDatagram?: (from: 'console' | 'bmc', data: Uint8Array) => void;
}

export interface UdpRelay {
  readonly local: DatagramPeer;
  readonly counts: {
    readonly passed: number;
    readonly dropped: number;
    readonly duplicated: number;
    readonly held: number;
  };
  close(): Promise<void>;
}

/** Listens on a free loopback port; each client gets an upstream socket of its own, so that answers find their way back. */
export async function createUdpRelay(options: UdpRelayOptions): Promise<UdpRelay> {
  const { datagrams, clock, random } = options;
  const counts = { passed: 0, dropped: 0, duplicated: 0, held: 0 };
  const upstreams = new Map<string, Promise<DatagramSocket>>();
  const front = await datagrams.bind({ address: '127.0.0.1', port: 0 });
  let isClosed = false;

  function pass(send: () => void): void {
    if (random.float() < options.drop) {
      counts.dropped++;
      return;
    }
    const copies = random.float() < options.duplicate ? 2 : 1;
    counts.duplicated += copies - 1;
    for (let i = 0; i < copies; i++) {
      counts.passed++;
      if (random.float() < options.reorder) {
        counts.held++;
        clock.setTimer(random.float() * options.reorderMs, () => isClosed || send(), { background: true });
      } else send();
    }
  }

  async function openUpstream(client: DatagramPeer): Promise<DatagramSocket> {
    const upstream = await datagrams.bind({ address: '127.0.0.1', port: 0 });
    upstream.onMessage((data) => {
      const copy = Uint8Array.from(data);
      options.onDatagram?.('bmc', copy);
      pass(() => front.send(copy, client));
    });
    return upstream;
  }

  front.onMessage((data, from) => {
    const copy = Uint8Array.from(data);
    options.onDatagram?.('console', copy);
    const key = `${from.address}:${from.port}`;
    const upstream = upstreams.get(key) ?? openUpstream(from);
    upstreams.set(key, upstream);
    void upstream.then((socket) => pass(() => socket.send(copy, options.target)));
  });

  return {
    local: front.local,
    counts,
    async close() {
      isClosed = true;
      await front.close();
      for (const upstream of upstreams.values()) await (await upstream).close();
    },
  };
}
