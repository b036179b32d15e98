/** dnsmasq in the foreground, its log as DHCP events, its leases kept in the data folder. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Log } from '@bessemer/ports';
import { superviseChild } from './child-process.ts';
import type { SupervisedChild } from './child-process.ts';
import { renderDnsmasqConfig } from './dnsmasq-config.ts';
import type { DnsmasqOptions } from './dnsmasq-config.ts';
import { createDhcpLogReader, parseLeaseFile } from './dnsmasq-log.ts';
import type { DhcpEvent } from './dnsmasq-log.ts';

export interface Dnsmasq {
  readonly child: SupervisedChild;
  /** MAC by address, from the leases of earlier lives. */
  readonly leases: ReadonlyMap<string, string>;
}

/** Writes the configuration into `dataDir` and gives the child, not started yet. */
export async function createDnsmasq(deps: {
  readonly dataDir: string;
  readonly options: Omit<DnsmasqOptions, 'leaseFile'>;
  readonly clock: Clock;
  readonly log: Log;
  onDhcp(event: DhcpEvent): void;
}): Promise<Dnsmasq> {
  const { network } = deps.options;
  await mkdir(deps.dataDir, { recursive: true });
  const leaseFile = join(deps.dataDir, `dnsmasq-${network.name}.leases`);
  const configFile = join(deps.dataDir, `dnsmasq-${network.name}.conf`);
  await writeFile(configFile, renderDnsmasqConfig({ ...deps.options, leaseFile }), { mode: 0o600 });
  const read = createDhcpLogReader();
  const child = superviseChild({
    name: 'dnsmasq',
    command: 'dnsmasq',
    args: ['--keep-in-foreground', `--conf-file=${configFile}`],
    clock: deps.clock,
    log: deps.log,
    isReady: (line) => line.includes('DHCP, sockets bound exclusively to interface'),
    onLine: (line) => {
      const event = read(line);
      if (event) deps.onDhcp(event);
      else deps.log.debug('dnsmasq', { line });
    },
  });
  return { child, leases: parseLeaseFile(await readFile(leaseFile, 'utf8').catch(() => '')) };
}
