/** What the tests with virtual servers share. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLab } from '@bessemer/lab';
import type { CommandResult, Lab, LabNodeOptions } from '@bessemer/lab';
import { silentLog, sleep } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';
import { cacheDirOf } from '../../images/cache-dir.ts';

/** Where built images are kept: the same place as the demo's. */
export const cacheDir = cacheDirOf(process.env);

/** Prints how long something took since the first call with this stopwatch. */
export function stopwatch(name: string): (what: string) => void {
  const startMs = systemClock.monotonicMs();
  return (what) => console.log(`${name}: ${((systemClock.monotonicMs() - startMs) / 1000).toFixed(1)} s ${what}`);
}

/** No machine is so busy that a boot takes this long: it hangs. */
const HUNG_MS = 15 * 60_000;

/** Asks until the answer is there. Throws with `describe` when the machine must be taken for hung. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  describe: () => Promise<string> = async () => '',
): Promise<T> {
  const end = systemClock.monotonicMs() + HUNG_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (systemClock.monotonicMs() > end)
      throw new Error(`${what}: not within ${HUNG_MS / 1000} s\n${await describe()}`);
    await sleep(systemClock, 200);
  }
}

export interface TestLab {
  readonly lab: Lab;
  /** A folder outside the lab's own, removed with it. */
  readonly dir: string;
  /** A command of ipmitool to the BMC of a server, in the lab's network. */
  ipmi(node: string, ...args: string[]): Promise<CommandResult>;
  close(): Promise<void>;
}

/** A lab of its own for one test file. */
export async function startTestLab(name: string, nodes: readonly LabNodeOptions[]): Promise<TestLab> {
  const dir = await mkdtemp(join(tmpdir(), `bmr-${name}-`));
  const lab = createLab({
    name: `${name}-${process.pid}`,
    nodes,
    stateDir: join(dir, 'lab'),
    clock: systemClock,
    log: silentLog,
  });
  await lab.up();
  return {
    lab,
    dir,
    ipmi(nodeName, ...args) {
      const node = lab.nodes.find((one) => one.name === nodeName);
      if (!node) throw new Error(`no server ${nodeName}`);
      const login = ['-H', node.bmcAddress, '-U', node.bmcUser, '-P', node.bmcPassword];
      return lab.run(['ipmitool', '-I', 'lanplus', '-C', '17', '-N', '1', '-R', '4', ...login, ...args]);
    },
    async close() {
      await lab.down();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A DHCP server (and, with `boot`, TFTP and iPXE's script) for the lab's servers, ended with the lab. */
export async function startDhcp(test: TestLab, boot?: { tftpRoot: string; script: string }): Promise<void> {
  const lines = [
    'port=0',
    'interface=br0',
    'bind-dynamic',
    'leasefile-ro',
    'no-ping',
    'user=root',
    'dhcp-authoritative',
    'dhcp-ignore-clid',
    'dhcp-range=198.51.100.100,198.51.100.199,255.255.255.0,1h',
    ...(boot
      ? [
          'enable-tftp',
          `tftp-root=${boot.tftpRoot}`,
          'dhcp-match=set:ipxe,175',
          `dhcp-boot=tag:ipxe,${boot.script}`,
          'dhcp-match=set:efi64,option:client-arch,7',
          'dhcp-boot=tag:!ipxe,tag:efi64,snponly.efi',
          'dhcp-option-force=encap:175,176,1b',
        ]
      : []),
  ];
  const config = join(test.dir, 'dnsmasq.conf');
  await writeFile(config, `${lines.join('\n')}\n`);
  const child = test.lab.spawn(['dnsmasq', '--keep-in-foreground', '--log-facility=-', '-C', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('started')) resolve();
    });
    child.on('exit', (code) => reject(new Error(`dnsmasq ended with ${code}`)));
  });
}
