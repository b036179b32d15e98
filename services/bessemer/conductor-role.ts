/** The conductor with everything around it: BMC client, image depot, executor, and the door for agents. */
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootNetwork } from '@bessemer/boot';
import { createConductor, createHttpSender, createWebhookDelivery, startAgentServer } from '@bessemer/conductor';
import type { Config } from '@bessemer/core';
import type { Db } from '@bessemer/db';
import { createDepot, createFileStore, createProcesses, DEPOT_DEFAULTS } from '@bessemer/depot';
import { createIpmiClient } from '@bessemer/ipmi';
import type { Clock, Datagrams, Log, Random } from '@bessemer/ports';
import type { RpcTransport } from '@bessemer/rpc';
import { createConfigurer } from './adapters/configurer.ts';
import { imageDepotOf } from './adapters/image-depot.ts';
import { probeSsh } from './adapters/ssh-probe.ts';
import type { Identity } from './identity.ts';

export interface ConductorRoleOptions {
  readonly config: Config;
  readonly host: string;
  readonly db: Db;
  readonly transport: RpcTransport;
  readonly identity: Identity;
  /** The network that machines boot from; without one only hardware that boots nothing can be worked on. */
  readonly network: BootNetwork | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly datagrams: Datagrams;
  readonly log: Log;
}

/** Starts the parts in order. `stop` ends them in the reverse one. @throws Error of the part that does not start. */
export async function startConductorRole(options: ConductorRoleOptions): Promise<{ stop(): Promise<void> }> {
  const { config, host, db, identity, network, clock, random, log } = options;
  const dataDir = config.service.data_dir;
  const stops: Array<() => Promise<unknown>> = [];
  const stop = async () => {
    for (const stopPart of stops.splice(0).reverse()) await stopPart();
  };
  try {
    const ipmi = await createIpmiClient({
      datagrams: options.datagrams,
      clock,
      random,
      log: log.child({ part: 'ipmi' }),
      options: { keepAliveMs: config.ipmi.keepalive_ms },
    });
    stops.push(() => ipmi.close());

    const images = join(dataDir, 'images');
    await mkdir(images, { recursive: true });
    const store = createFileStore(join(images, 'rows'), log.child({ part: 'depot' }));
    const address = network?.address ?? '127.0.0.1';
    const depot = createDepot({
      store,
      clock,
      random,
      log: log.child({ part: 'depot' }),
      config: {
        ...DEPOT_DEFAULTS,
        dataDir: images,
        allowedRoots: config.depot.allowed_roots,
        maxStoreBytes: config.depot.max_bytes,
        maxConversions: config.depot.max_concurrent_conversions,
        http: {
          address,
          port: config.depot.port,
          baseUrl: `http://${address}:${config.depot.port}`,
          maxRequests: config.depot.max_requests,
          compress: config.depot.compress,
        },
      },
      processes: createProcesses(),
    });
    await depot.start();
    stops.push(() => depot.stop());

    // One for each conductor that shares the data directory. A unix socket's path has 107 bytes at most: a data directory far down has its socket in the temporary folder.
    const inDataDir = join(dataDir, 'run', host.replaceAll(/[^\w.-]/g, '_'));
    const runDir = inDataDir.length < 80 ? inDataDir : join(tmpdir(), `bessemer-${random.uuid()}`);
    await mkdir(runDir, { recursive: true, mode: 0o700 });
    stops.push(() => rm(runDir, { recursive: true, force: true }));
    const configurer = createConfigurer({
      runDir,
      sshPublicKey: identity.sshPublicKey,
      sshPrivateKeyFile: identity.sshPrivateKeyFile,
      idleMs: config.executor.idle_ms,
      maxConnections: config.executor.max_connections,
      log: log.child({ part: 'executor' }),
    });
    stops.push(() => configurer.stop());

    const conductor = createConductor({
      db,
      ipmi,
      configurer,
      clock,
      random,
      config,
      host,
      rpc: options.transport,
      depot: imageDepotOf(depot, store, clock),
      ssh: { answers: (address, port) => probeSsh(clock, address, port) },
      log: log.child({ part: 'conductor' }),
      isOnlyProcess: db.engine === 'sqlite',
    });
    await conductor.start();
    stops.push(() => conductor.stop());

    const sender = createHttpSender(clock);
    const webhooks = createWebhookDelivery({
      db,
      clock,
      random,
      log: log.child({ part: 'webhooks' }),
      sender,
      isOnlyProcess: db.engine === 'sqlite',
    });
    await webhooks.start();
    stops.push(() => webhooks.stop().finally(() => sender.close()));

    if (network) {
      const agents = await startAgentServer({
        address: network.address,
        port: config.agent.port,
        tls: identity.tls,
        gateway: conductor.agents,
        log: log.child({ part: 'agents' }),
      });
      stops.push(() => agents.close());
    }
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
