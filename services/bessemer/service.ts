/** The composition: which parts a role needs, in which order they start, and how they are joined. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Api, createApi } from '@bessemer/api';
import { type Boot, type BootNetwork, createBoot, createDbDirectory } from '@bessemer/boot';
import { type Config, ServiceError } from '@bessemer/core';
import { type Db, openDatabase, requestStore } from '@bessemer/db';
import type { Clock, Datagrams, Log, Random } from '@bessemer/ports';
import { createAmqpTransport, createMemoryTransport, type RpcTransport } from '@bessemer/rpc';
import { prepareArtefacts } from './artefacts.ts';
import { startConductorRole } from './conductor-role.ts';
import { createAuthenticator } from './authentication.ts';
import { writeProfile } from './credentials.ts';
import { type Identity, loadIdentity } from './identity.ts';

export type Role = 'api' | 'conductor' | 'boot';

export interface ServiceOptions {
  readonly config: Config;
  readonly roles: readonly Role[];
  /** Name of this conductor. */
  readonly host: string;
  /** Built images are kept here. */
  readonly cacheDir: string;
  /** Where the command line looks for its profile. */
  readonly profilePath: string;
  /** What the profile says where the API is, when that is not where it listens. */
  readonly publicEndpoint?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly datagrams: Datagrams;
  readonly log: Log;
}

export interface Service {
  /** @throws Error saying which part does not start and why; what had started is stopped again. */
  start(): Promise<{ apiUrl: string | undefined }>;
  stop(): Promise<void>;
}

const LOOPBACK = /^(127\.|localhost$|::1$)/;

/** The network of the configuration, or undefined when none is configured. @throws Error with what is missing. */
function networkOf(config: Config): BootNetwork | undefined {
  const { network } = config;
  if (network.interface === '') return undefined;
  return {
    name: network.name,
    interface: network.interface,
    address: network.address,
    cidr: network.cidr,
    dhcp: network.dhcp,
    ...(network.dhcp_range === '' ? {} : { dhcpRange: network.dhcp_range }),
    ...(network.router === '' ? {} : { router: network.router }),
    leaseSeconds: network.lease_seconds,
  };
}

/**
 * The database knows the data key it was begun with by a setting sealed with it: roles that share a database must share the key.
 * @throws Error that says so, before anything is sealed with another key.
 */
async function checkDataKey(db: Db, random: Random, dataDir: string): Promise<void> {
  const name = 'installation';
  const known = await db.read.settings.get(name).catch((cause: unknown) => {
    throw new Error(
      `the database was begun with another data key than ${join(dataDir, 'keys', 'data.key')}: copy the keys folder of the service that made it (docs/scaled.md), or restore it from a backup`,
      { cause },
    );
  });
  if (known === undefined)
    await db.write('installation', (tx) => tx.settings.put(name, random.uuid(), { secret: true }));
}

/** One service of the given roles. Parts start in order and stop in the reverse one. */
export function createService(options: ServiceOptions): Service {
  const { config, roles, clock, random, log } = options;
  const dataDir = config.service.data_dir;
  const stops: Array<readonly [what: string, stop: () => Promise<unknown>]> = [];
  const has = (role: Role) => roles.includes(role);

  async function openTransport(db: Db): Promise<RpcTransport> {
    const common = { clock, random, log: log.child({ part: 'rpc' }), requests: requestStore(db) };
    const url = config.amqp.url;
    const isScaled = url.reveal() !== '';
    if (!isScaled && !(has('api') && has('conductor')))
      throw new Error(
        'one role alone needs the bus: set amqp.url, and database.url to a PostgreSQL that all roles share',
      );
    return isScaled ? createAmqpTransport({ ...common, url }) : createMemoryTransport(common);
  }

  async function startApi(db: Db, transport: RpcTransport): Promise<string> {
    const isOpen = config.api.auth === 'noauth';
    if (isOpen && !LOOPBACK.test(config.api.address))
      throw new Error(
        `api.auth is noauth, so api.address must be loopback, not ${config.api.address}: anyone who reaches the port could switch machines`,
      );
    const rpc = await transport.client();
    stops.push(['rpc client', () => rpc.close()]);
    // The data directory is ours alone: whoever was at work on a first answer has died.
    if (db.engine === 'sqlite') await db.write('end claims', (tx) => tx.idempotency.endClaims());
    const api: Api = createApi({
      db,
      rpc,
      clock,
      random,
      log: log.child({ part: 'api' }),
      config: config.api,
      authenticator: createAuthenticator({ config, db, clock, random, log: log.child({ part: 'access' }) }),
      trustedProxies: config.access.trusted_proxies,
    });
    const port = await api.start(config.api.address, config.api.port);
    stops.push(['api', () => api.stop()]);
    const apiUrl = `http://${config.api.address}:${port}`;
    await writeProfile({
      db,
      random,
      dataDir,
      profilePath: options.profilePath,
      endpoint: options.publicEndpoint ?? apiUrl,
      auth: config.api.auth,
    });
    return apiUrl;
  }

  async function startBoot(db: Db, identity: Identity, network: BootNetwork): Promise<void> {
    const artefacts = await prepareArtefacts({
      dataDir,
      cacheDir: options.cacheDir,
      kernel: config.boot.kernel,
      ramdisk: config.boot.ramdisk,
      variant: config.boot.ramdisk_variant,
      clock,
      log: log.child({ part: 'images' }),
    });
    const directory = createDbDirectory({
      db,
      clock,
      random,
      kernel: artefacts.kernel,
      initrd: artefacts.initrd,
    });
    const boot: Boot = createBoot({
      directory,
      clock,
      random,
      datagrams: options.datagrams,
      log: log.child({ part: 'boot' }),
      config: {
        network,
        http: { port: config.boot.http_port },
        tftpPort: config.boot.tftp_port,
        dataDir: join(dataDir, 'dhcp'),
        artefactDir: artefacts.folder,
        agent: { port: config.agent.port, pin: `sha256:${identity.pin}` },
        kernelArgs: config.boot.kernel_args.split(/\s+/).filter((a) => a !== ''),
      },
    });
    await boot.start();
    stops.push(['boot', () => boot.stop()]);
  }

  async function stop(): Promise<void> {
    for (const [what, stopPart] of stops.splice(0).reverse())
      await stopPart().catch((error: unknown) => log.error('a part did not stop', { what, error: String(error) }));
  }

  async function start(): Promise<{ apiUrl: string | undefined }> {
    try {
      await mkdir(dataDir, { recursive: true, mode: 0o700 });
      const identity = await loadIdentity(dataDir, random);
      const db = await openDatabase({
        url: config.database.url,
        dataDir,
        clock,
        random,
        log: log.child({ part: 'database' }),
        secrets: identity.dataKey,
      });
      stops.push(['database', () => db.close()]);
      await checkDataKey(db, random, dataDir);
      const transport = await openTransport(db);
      stops.push(['bus', () => transport.close()]);
      const network = networkOf(config);
      if (has('conductor')) {
        const conductor = await startConductorRole({ ...options, db, transport, identity, network });
        stops.push(['conductor', () => conductor.stop()]);
      }
      if (has('boot') && network) await startBoot(db, identity, network);
      else if (has('boot') && roles.length === 1)
        throw new Error('the boot service needs a network: set network.interface, network.address and network.cidr');
      const apiUrl = has('api') ? await startApi(db, transport) : undefined;
      log.info('ready', { roles, apiUrl, network: network?.name });
      return { apiUrl };
    } catch (error) {
      await stop();
      throw error instanceof ServiceError ? new Error(error.publicMessage, { cause: error }) : error;
    }
  }

  return { start, stop };
}
