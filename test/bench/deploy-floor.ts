/** The floor: a deployment by hand with the least that can do it. The same machine, firmware, kernel, ramdisk and image as ours. */
import { copyFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buildConfigDrive, mergeForAccess } from '@bessemer/image-format';
import { GATEWAY } from '@bessemer/lab';
import { systemClock } from '@bessemer/ports/node';
import { appendAgent, buildRamdisk, type TestImage } from '../../images/build.ts';
import { cacheDir, startDhcp, startTestLab } from '../e2e/lab-support.ts';
import { runCommand } from '../e2e/world.ts';
import { firstLogin, followCpu, LIMIT_MS, type Measured, measuredOf, type Phase } from './deploy-phases.ts';

const HTTP_PORT = 8080;
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export interface Floor {
  /** One deployment of a server that is off, onto an empty disk. */
  deploy(node: string): Promise<Measured>;
  close(): Promise<void>;
}

async function writeDrive(path: string, folder: string, key: string): Promise<void> {
  const hostKey = join(folder, 'host-key');
  await runCommand(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', hostKey]);
  const text = async (file: string) => readFile(file, 'utf8');
  const drive = mergeForAccess(
    { metaData: { uuid: '7d3b1c1e-0000-4000-8000-000000000002', hostname: 'floor' } },
    {
      publicKeys: [(await text(`${key}.pub`)).trim()],
      sshHostKey: { privatePem: await text(hostKey), public: (await text(`${hostKey}.pub`)).trim() },
    },
  );
  if (!drive.ok) throw new Error(drive.error.message);
  const iso = buildConfigDrive(drive.value, { timeMs: systemClock.nowMs() });
  if (!iso.ok) throw new Error(iso.error.message);
  await writeFile(path, iso.value);
}

export async function createFloor(
  nodes: ReadonlyArray<{ name: string; firmware: 'bios' | 'uefi' }>,
  image: TestImage,
): Promise<Floor> {
  const bench = await startTestLab('floor', nodes);
  const { lab, dir, ipmi } = bench;
  try {
    const ramdisk = await buildRamdisk({ variant: 'lab', cacheDir, clock: systemClock });
    const www = join(dir, 'www');
    const tftp = join(dir, 'tftp');
    await mkdir(www);
    await mkdir(tftp);
    await copyFile('/usr/lib/ipxe/snponly.efi', join(tftp, 'snponly.efi'));
    await copyFile(ramdisk.kernel.path, join(www, 'vmlinuz'));
    await appendAgent({ ramdisk, agentBundlePath: here('./deploy-floor-agent.mjs'), out: join(www, 'ramdisk') });
    const key = join(dir, 'key');
    await runCommand(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]);
    await writeDrive(join(www, 'drive'), dir, key);

    const advertiser = new URL('../../services/boot/router-advertiser.ts', import.meta.url).href;
    const advertise = `
      import { createRouterAdvertiser } from ${JSON.stringify(advertiser)};
      import { silentLog } from '@bessemer/ports';
      import { systemClock } from '@bessemer/ports/node';
      await createRouterAdvertiser({ interface: 'br0', clock: systemClock, log: silentLog }).start();`;
    lab.spawn([process.execPath, '--input-type=module', '-e', advertise], { stdio: 'ignore', cwd: here('../..') });

    const seen = new Map<string, number>();
    const waiting = new Map<string, () => void>();
    const server = lab.spawn([process.execPath, here('./deploy-floor-server.ts'), www, image.path, String(HTTP_PORT)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: server.stdout! }).on('line', (line) => {
      const { what, at } = JSON.parse(line) as { what: string; at: number };
      if (!seen.has(what)) seen.set(what, at);
      waiting.get(what)?.();
    });
    const reached = (what: string): Promise<void> =>
      new Promise((resolve, reject) => {
        if (seen.has(what)) return resolve();
        const timer = systemClock.setTimer(LIMIT_MS, () => reject(new Error(`"${what}" was not seen by the floor`)));
        waiting.set(what, () => {
          timer.cancel();
          waiting.delete(what);
          resolve();
        });
      });
    await reached('ready');
    await startDhcp(bench, { tftpRoot: tftp, script: `http://${GATEWAY}:${HTTP_PORT}/boot.ipxe` });

    const order = async (node: string, ...args: string[]): Promise<void> => {
      const { code, stderr } = await ipmi(node, ...args);
      if (code !== 0) throw new Error(`ipmitool ${args.join(' ')}: ${stderr}`);
    };
    return {
      async deploy(name) {
        const node = lab.nodes.find((one) => one.name === name)!;
        await truncate(node.diskPath, 0);
        await truncate(node.diskPath, node.diskGb * 2 ** 30);
        seen.clear();
        const cpu = followCpu(lab, name);
        const startMs = systemClock.nowMs();
        const at: Partial<Record<Phase, number>> = {};
        await order(name, 'chassis', 'bootdev', 'pxe');
        await order(name, 'chassis', 'power', 'on');
        at['power on'] = systemClock.nowMs();
        await reached('done');
        // A fresh process boots with less work for the emulator than one that was reset.
        await order(name, 'chassis', 'power', 'cycle');
        at['reboot'] = systemClock.nowMs();
        at['ssh'] = await firstLogin(node.sshForwardPort!, key);
        await cpu.stop();
        await order(name, 'chassis', 'power', 'off');
        const heard = { script: seen.get('script')!, hello: seen.get('hello')!, 'image written': seen.get('written')! };
        return measuredOf(startMs, { ...at, ...heard }, cpu.at);
      },
      close: () => bench.close(),
    };
  } catch (error) {
    await bench.close();
    throw error;
  }
}
