/** A client and a BMC in virtual time, on a network in memory whose every datagram a test may judge. */
import { Secret, silentLog } from '@bessemer/ports';
import type { DatagramPeer } from '@bessemer/ports';
import { ManualClock, memoryDatagrams, seededRandom, settle } from '@bessemer/ports/testing';
import { createMemoryChassis, createReferenceBmc } from '../bmc/index.ts';
import type { BmcLie, BmcLimits, BmcRequest, BmcUser, MemoryChassis, ReferenceBmc } from '../bmc/index.ts';
import { createIpmiClient } from '../client/client.ts';
import type { EndpointOptions, IpmiClient, IpmiClientOptions, IpmiEndpoint } from '../client/client.ts';

export interface WorldOptions {
  readonly seed?: number;
  readonly limits?: BmcLimits;
  readonly users?: readonly BmcUser[];
  readonly kgKey?: string;
  readonly client?: IpmiClientOptions;
  /** Copies of a datagram, each with a delay in ms. Default one at once. */
  readonly link?: (toBmc: boolean, data: Uint8Array) => readonly number[];
}

export interface World {
  readonly clock: ManualClock;
  readonly bmc: ReferenceBmc;
  readonly chassis: MemoryChassis;
  readonly client: IpmiClient;
  /** Mutable: what the BMC lies about from here on, and what the network does. */
  readonly tricks: {
    lie: ((request: BmcRequest) => BmcLie | undefined) | undefined;
    link: (toBmc: boolean, data: Uint8Array) => readonly number[];
  };
  /** When each datagram for the BMC left the client. */
  readonly sentToBmc: { readonly atMs: number; readonly data: Uint8Array }[];
  endpoint(options?: Partial<EndpointOptions>): IpmiEndpoint;
  /** Lets virtual time run until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T>;
}

export const BMC_PEER: DatagramPeer = { address: '10.0.0.1', port: 623 };
export const ADMIN: BmcUser = { name: 'admin', password: new Secret('password'), privilege: 'ADMINISTRATOR' };

const PATIENCE_MS = 3_600_000;

/** Runs virtual time until `promise` settles; fails when nothing is left that could settle it. */
async function runUntilSettled<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const mark = (): void => {
    isSettled = true;
  };
  promise.then(mark, mark);
  const endMs = clock.monotonicMs() + PATIENCE_MS;
  for (await settle(); !isSettled; await settle()) {
    if (!clock.step()) throw new Error('no timer is left and the promise has not settled');
    if (clock.monotonicMs() > endMs) throw new Error('an hour has passed and the promise has not settled');
  }
  return promise;
}

export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const clock = new ManualClock();
  const random = seededRandom(options.seed ?? 1);
  const tricks: World['tricks'] = { lie: undefined, link: options.link ?? (() => [0]) };
  const sentToBmc: World['sentToBmc'] = [];
  const datagrams = memoryDatagrams(clock, (data, _from, to) => {
    const toBmc = to.address === BMC_PEER.address;
    if (toBmc) sentToBmc.push({ atMs: clock.monotonicMs(), data });
    return tricks.link(toBmc, data);
  });
  const chassis = createMemoryChassis(clock);
  const bmc = createReferenceBmc({
    datagrams,
    clock,
    random,
    log: silentLog,
    ...BMC_PEER,
    users: options.users ?? [ADMIN],
    chassis,
    ...(options.kgKey === undefined ? {} : { kgKey: new Secret(options.kgKey) }),
    ...(options.limits ? { limits: options.limits } : {}),
    lie: (request) => tricks.lie?.(request),
  });
  await bmc.start();
  const client = createIpmiClient({
    datagrams,
    clock,
    random,
    log: silentLog,
    ...(options.client ? { options: options.client } : {}),
  });
  return {
    clock,
    bmc,
    chassis,
    client,
    tricks,
    sentToBmc,
    endpoint: (wanted = {}) => client.endpoint({ ...BMC_PEER, username: 'admin', password: ADMIN.password, ...wanted }),
    run: (promise) => runUntilSettled(clock, promise),
  };
}
