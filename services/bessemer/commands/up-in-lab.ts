/**
 * `bessemer up --lab`: the service runs inside the lab's network namespace, where the BMCs and the boot network are; a
 * loopback port of the host leads to its API.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '@bessemer/core';
import { CIDR, GATEWAY } from '@bessemer/lab';
import type { Clock, Log } from '@bessemer/ports';
import { requireLab } from './lab.ts';

/** Addresses that the lab's DHCP gives; BMCs and the gateway lie outside. */
const DHCP_RANGE = '198.51.100.100,198.51.100.199';
const INSIDE_PORT = 6385;

export interface UpInLabOptions {
  readonly name: string;
  readonly stateDir: string;
  readonly options: { config?: string; dataDir?: string; auth?: string; log?: string; set?: Record<string, string> };
  readonly config: Config;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly profilePath: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Starts it and waits until it is ready. @throws Error with the service's last words when it does not come up. */
export async function upInLab(input: UpInLabOptions): Promise<{ apiUrl: string; stop(): Promise<void> }> {
  const lab = requireLab(input);
  const { options, config } = input;
  const forwarder = await lab.forward({ host: '127.0.0.1', port: INSIDE_PORT }, config.api.port);
  const apiUrl = `http://127.0.0.1:${forwarder.port}`;
  const set = {
    'network.interface': 'br0',
    'network.address': GATEWAY,
    'network.cidr': CIDR,
    'network.dhcp_range': DHCP_RANGE,
    'boot.ramdisk_variant': 'lab',
    ...options.set,
  };
  const flags = [
    ...(options.config ? ['--config', options.config] : []),
    ...['--data-dir', config.service.data_dir, '--api-port', String(INSIDE_PORT), '--auth', config.api.auth],
    ...(options.log ? ['--log', options.log] : []),
    ...Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
  ];
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  const child = lab.spawn([process.execPath, main, 'up', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...input.environment, BESSEMER_PUBLIC_ENDPOINT: apiUrl, BESSEMER_PROFILE: input.profilePath },
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const isReady = await new Promise<boolean>((resolve) => {
    let text = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (/^ready$/m.test(text)) resolve(true);
    });
    child.once('error', () => resolve(false));
    child.once('exit', () => resolve(false));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await forwarder.close();
  };
  if (!isReady) {
    await forwarder.close();
    throw new Error(
      `the service in the lab's network did not come up; its log is above or in ${options.log ?? join(config.service.data_dir)}`,
    );
  }
  return { apiUrl, stop };
}
