/** The boot service for one network: DHCP, TFTP, HTTP and the answer to IPv6 router solicitations, started and stopped as one. */
import type { Clock, Datagrams, Log, Random } from '@bessemer/ports';
import { createTftpServer, openFromFolder } from '@bessemer/tftp';
import type { TftpServer, TransferReport } from '@bessemer/tftp';
import type { BootDirectory, BootEvent } from './directory.ts';
import type { BootPrograms } from './dnsmasq-config.ts';
import type { DhcpEvent } from './dnsmasq-log.ts';
import { createDnsmasq } from './dnsmasq-process.ts';
import { createBootHttp } from './http.ts';
import type { BootHttp } from './http.ts';
import { checkNetwork } from './network.ts';
import type { BootNetwork } from './network.ts';
import type { SupervisedChild } from './child-process.ts';
import { createRouterAdvertiser } from './router-advertiser.ts';

export interface BootConfig {
  readonly network: BootNetwork;
  /** Scripts, kernel and ramdisk. `address` is the network's unless given; port 0 picks a free one. */
  readonly http: { readonly address?: string; readonly port: number };
  /** 69 unless given: firmware asks no other. */
  readonly tftpPort?: number;
  /** dnsmasq's configuration and leases are kept here. */
  readonly dataDir: string;
  /** Kernels and ramdisks: the names that the directory gives are paths below it. */
  readonly artefactDir: string;
  /** Boot programs; Debian's iPXE in /usr/lib/ipxe unless given. */
  readonly programs?: BootPrograms & { readonly folder: string };
  readonly agent: {
    /** The agent's way back to us: `wss://NETWORK ADDRESS:PORT/agent`. */
    readonly port: number;
    /** `sha256:` and hex, see `PlanInput`. */
    readonly pin: string;
  };
  /** First arguments of every kernel; `console=ttyS0` unless given. */
  readonly kernelArgs?: readonly string[];
}

export interface BootAddresses {
  /** `http://ADDRESS:PORT` */
  readonly http: string;
  readonly tftp: { readonly address: string; readonly port: number };
}

export interface Boot {
  /** Resolves when all parts work. @throws Error naming the part that does not; what had started is stopped again. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Defined while it runs. */
  readonly addresses: BootAddresses | undefined;
  /** Process ids of dnsmasq and the router advertiser, as far as they run. */
  readonly children: { readonly dnsmasq: number | undefined; readonly routerAdvertiser: number | undefined };
}

export interface BootDeps {
  readonly directory: BootDirectory;
  readonly clock: Clock;
  readonly random: Random;
  readonly datagrams: Datagrams;
  readonly log: Log;
  readonly config: BootConfig;
}

const DEBIAN_IPXE = { folder: '/usr/lib/ipxe', bios: 'undionly.kpxe', uefiX64: 'snponly.efi' };

/** @throws Error with everything that is wrong with `config.network`. */
export function createBoot(deps: BootDeps): Boot {
  const { directory, clock, random, datagrams, log, config } = deps;
  const checked = checkNetwork(config.network);
  if (!checked.ok) throw new Error(`boot cannot be configured: ${checked.problems.join('; ')}`);
  const { network } = checked;
  const programs = config.programs ?? DEBIAN_IPXE;
  const macs = new Map<string, string>();
  let running:
    | { http: BootHttp; tftp: TftpServer; dnsmasq?: SupervisedChild; advertiser?: SupervisedChild }
    | undefined;

  function record(event: BootEvent): void {
    log.debug('boot: seen', { ...event });
    directory.recordBoot(event).catch((error: unknown) => {
      log.error('boot: event not stored', { type: event.type, error: String(error) });
    });
  }

  function onDhcp(event: DhcpEvent): void {
    const { mac, address } = event;
    if (event.message === 'ack' && address) macs.set(address, mac);
    if (event.message === 'release' && address) macs.delete(address);
    record({ type: 'boot.dhcp', mac, ...(address ? { address } : {}), data: { ...event } });
  }

  function onTransfer(report: TransferReport): void {
    // Firmware asks for the size first and breaks off: that is no read.
    if (report.outcome === 'aborted' && report.bytes === 0) return;
    const { address } = report.peer;
    const mac = macs.get(address);
    record({
      type: 'boot.tftp',
      ...(mac ? { mac } : {}),
      address,
      data: {
        file: report.path.slice(0, 200),
        bytes: report.bytes,
        seconds: report.ms / 1000,
        outcome: report.outcome,
        ...(report.detail ? { detail: report.detail } : {}),
        blockSizeBytes: report.blockSizeBytes,
        windowBlocks: report.windowBlocks,
      },
    });
  }

  async function startHttp(): Promise<BootHttp> {
    return createBootHttp({
      directory,
      clock,
      random,
      log,
      address: config.http.address ?? network.address,
      port: config.http.port,
      artefactDir: config.artefactDir,
      programsDir: programs.folder,
      agentUrl: `wss://${network.address}:${config.agent.port}/agent`,
      agentPin: config.agent.pin,
      kernelArgs: config.kernelArgs ?? ['console=ttyS0'],
      macOf: (address) => macs.get(address),
      record,
    });
  }

  async function startDnsmasq(httpPort: number): Promise<SupervisedChild> {
    const base = `http://${network.address}:${httpPort}/boot`;
    const { child, leases } = await createDnsmasq({
      dataDir: config.dataDir,
      options: { network, programs, scriptUrl: `${base}/boot.ipxe`, programsUrl: `${base}/programs/` },
      clock,
      log,
      onDhcp,
    });
    for (const [address, mac] of leases) macs.set(address, mac);
    await child.start();
    return child;
  }

  /** Machines boot without it, only slower: what is wrong is said and the rest goes on. */
  async function startAdvertiser(): Promise<SupervisedChild | undefined> {
    const advertiser = createRouterAdvertiser({ interface: network.interface, clock, log });
    try {
      await advertiser.start();
      return advertiser;
    } catch (error) {
      log.warn('boot: IPv6 router solicitations are not answered, each iPXE stage waits 16 s', { why: String(error) });
      return undefined;
    }
  }

  async function start(): Promise<void> {
    if (running) throw new Error('boot runs already');
    const started: Array<{ stop(): Promise<void> }> = [];
    const part = async <T extends { stop(): Promise<void> }>(name: string, begin: () => Promise<T>): Promise<T> => {
      try {
        const thing = await begin();
        started.push(thing);
        return thing;
      } catch (error) {
        throw new Error(`boot: ${name} on network ${network.name} did not start: ${(error as Error).message}`, {
          cause: error,
        });
      }
    };
    try {
      const http = await part('HTTP', startHttp);
      const tftp = await part('TFTP', () =>
        createTftpServer({
          datagrams,
          clock,
          log,
          address: network.address,
          port: config.tftpPort ?? 69,
          open: openFromFolder(programs.folder),
          onTransfer,
        }),
      );
      const advertiser = network.dhcp === 'none' ? undefined : await startAdvertiser();
      if (advertiser) started.push(advertiser);
      // The last: a machine that is told where to boot from finds it there.
      const dnsmasq = network.dhcp === 'none' ? undefined : await part('DHCP', () => startDnsmasq(http.port));
      running = { http, tftp, ...(dnsmasq ? { dnsmasq } : {}), ...(advertiser ? { advertiser } : {}) };
    } catch (error) {
      await Promise.allSettled(started.map((thing) => thing.stop()));
      throw error;
    }
  }

  return {
    start,
    async stop() {
      const last = running;
      running = undefined;
      if (!last) return;
      await Promise.all([last.dnsmasq?.stop(), last.advertiser?.stop(), last.tftp.stop(), last.http.stop()]);
    },
    get addresses() {
      if (!running) return undefined;
      return {
        http: `http://${config.http.address ?? network.address}:${running.http.port}`,
        tftp: { address: running.tftp.local.address, port: running.tftp.local.port },
      };
    },
    get children() {
      return { dnsmasq: running?.dnsmasq?.pid, routerAdvertiser: running?.advertiser?.pid };
    },
  };
}
