/** The HTTP side of boot: scripts made on request, kernel and ramdisk and boot programs as files. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock, Log, Random } from '@bessemer/ports';
import { sendText, serveFile } from './artefacts.ts';
import { createBootIds } from './boot-ids.ts';
import type { Boot } from './boot-ids.ts';
import type { BootAnswer, BootDirectory, BootEvent } from './directory.ts';
import { bootPlan } from './plan.ts';
import { renderChain, renderLocal, renderIpxe, renderRefused, renderUnknown, renderUnnamed } from './render-ipxe.ts';
import { readScriptRequest } from './script-request.ts';
import type { ScriptRequest } from './script-request.ts';

export interface BootHttpDeps {
  readonly directory: BootDirectory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly address: string;
  readonly port: number;
  readonly artefactDir: string;
  readonly programsDir: string;
  readonly agentUrl: string;
  readonly agentPin: string;
  readonly kernelArgs: readonly string[];
  /** The MAC that has an address, by DHCP. */
  macOf(address: string): string | undefined;
  /** Stores an event; never rejects. */
  record(event: BootEvent): void;
}

export interface BootHttp {
  readonly port: number;
  stop(): Promise<void>;
}

/** Longest request line taken: a script request is about 300 bytes. */
const MAX_URL_BYTES = 2048;

/** @throws the listen error, such as EADDRINUSE. */
export async function createBootHttp(deps: BootHttpDeps): Promise<BootHttp> {
  const boots = createBootIds(deps.random);
  const server = createServer({ requestTimeout: 15_000, headersTimeout: 15_000 }, (req, res) => {
    handle(req, res).catch((error: unknown) => {
      deps.log.error('boot: request failed', { url: pathOf(req), error: String(error) });
      // iPXE's chain fails on it, and the script it came from asks again.
      if (!res.headersSent) sendText(res, 503, 'the boot service could not answer, ask again\n');
      else res.destroy();
    });
  });
  await listen(server, deps.address, deps.port);
  const { port } = server.address() as AddressInfo;

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const raw = req.url ?? '';
    if (req.method !== 'GET' && req.method !== 'HEAD') return sendText(res, 405, 'GET or HEAD\n');
    if (raw.length > MAX_URL_BYTES) return sendText(res, 414, `a URL has at most ${MAX_URL_BYTES} bytes\n`);
    const [path = '', query = ''] = raw.split('?', 2);
    const params = new URLSearchParams(query);
    const baseUrl = baseUrlOf(req);
    if (path === '/boot/boot.ipxe') return sendText(res, 200, renderChain(baseUrl));
    if (path === '/boot/script') return sendText(res, 200, await script(params, peerOf(req), baseUrl));
    if (path.startsWith('/boot/files/')) return artefact(req, res, path.slice('/boot/files/'.length), params);
    if (path.startsWith('/boot/programs/')) return program(req, res, path.slice('/boot/programs/'.length));
    sendText(res, 404, 'nothing is served here\n');
  }

  /** The address the request arrived on is the one this machine reaches; what its Host header says is its own affair. */
  function baseUrlOf(req: IncomingMessage): string {
    const address = req.socket.localAddress ?? deps.address;
    return `http://${address.replace(/^::ffff:/, '')}:${port}`;
  }

  async function script(params: URLSearchParams, peer: string, baseUrl: string): Promise<string> {
    const chainUrl = `${baseUrl}/boot/boot.ipxe`;
    const machine = readScriptRequest(params);
    if (!machine) {
      deps.log.warn('boot: script asked without a MAC', { peer });
      return renderUnnamed(chainUrl);
    }
    const { mac, uuid, serial } = machine;
    const answer = await deps.directory.lookup({ mac, ...(uuid ? { uuid } : {}), ...(serial ? { serial } : {}) });
    const said = { mac, arch: machine.arch ?? null, platform: machine.platform ?? null };
    const base = { type: 'boot.script', mac, address: peer } as const;
    if (answer.kind === 'unknown') {
      await deps.directory.recordUnknown({ uuid: null, serial: null, ...said, ...identity(machine), address: peer });
      deps.record({ ...base, data: { ...said, answer: 'unknown' } });
      return renderUnknown(mac, chainUrl);
    }
    const { nodeUuid } = answer;
    if (answer.kind === 'local') {
      deps.record({ ...base, nodeUuid, data: { ...said, answer: 'local' } });
      deps.record({ type: 'boot.local', nodeUuid, mac, address: peer, data: { mac, reason: answer.reason } });
      return renderLocal(mac);
    }
    return ramdisk(answer, machine, peer, baseUrl);
  }

  async function ramdisk(
    answer: RamdiskAnswer,
    machine: ScriptRequest,
    peer: string,
    baseUrl: string,
  ): Promise<string> {
    const { nodeUuid, runId, kernel, initrd } = answer;
    const { mac } = machine;
    const token = await deps.directory.mintToken({ nodeUuid, runId, mac });
    const id = boots.add({ nodeUuid, runId, mac, kernel, initrd });
    const result = bootPlan({
      kernelUrl: `${baseUrl}/boot/files/${kernel}?boot=${id}`,
      initrdUrl: `${baseUrl}/boot/files/${initrd}?boot=${id}`,
      mac,
      agentUrl: deps.agentUrl,
      agentPin: deps.agentPin,
      token,
      nowMs: deps.clock.nowMs(),
      kernelArgs: deps.kernelArgs,
    });
    const chainUrl = `${baseUrl}/boot/boot.ipxe`;
    const said = { mac, arch: machine.arch ?? null, platform: machine.platform ?? null };
    const base = { type: 'boot.script', nodeUuid, runId, mac, address: peer } as const;
    if (!result.ok) {
      deps.log.error('boot: plan refused', { nodeUuid, problems: result.problems });
      deps.record({ ...base, data: { ...said, answer: 'refused', error: result.problems.join('; ') } });
      return renderRefused(chainUrl);
    }
    deps.record({ ...base, data: { ...said, answer: 'ramdisk', boot: id } });
    return renderIpxe(result.plan, chainUrl);
  }

  async function artefact(
    req: IncomingMessage,
    res: ServerResponse,
    name: string,
    params: URLSearchParams,
  ): Promise<void> {
    const peer = peerOf(req);
    const startedMs = deps.clock.monotonicMs();
    const served = await serveFile(req, res, deps.artefactDir, name);
    const boot = boots.get(params.get('boot') ?? '');
    const type = artefactType(name, boot);
    if (req.method === 'HEAD' || served.status >= 400 || !type) return;
    const mac = boot?.mac ?? deps.macOf(peer);
    deps.record({
      type,
      ...(boot ? { nodeUuid: boot.nodeUuid, runId: boot.runId } : {}),
      ...(mac ? { mac } : {}),
      address: peer,
      data: {
        file: name,
        bytes: served.bytes,
        seconds: (deps.clock.monotonicMs() - startedMs) / 1000,
        outcome: served.complete ? 'complete' : 'cut',
      },
    });
  }

  async function program(req: IncomingMessage, res: ServerResponse, name: string): Promise<void> {
    const served = await serveFile(req, res, deps.programsDir, name);
    deps.log.info('boot: program by HTTP', { name, peer: peerOf(req), status: served.status, bytes: served.bytes });
  }

  return {
    port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type RamdiskAnswer = Extract<BootAnswer, { kind: 'ramdisk' }>;

/** By the boot that the fetch belongs to; without one (the id is older than this process) by the usual names. */
function artefactType(name: string, boot: Boot | undefined): 'boot.kernel' | 'boot.initrd' | undefined {
  if (boot && name === boot.kernel) return 'boot.kernel';
  if (boot && name === boot.initrd) return 'boot.initrd';
  if (/(^|\/)(vmlinu[xz]|kernel|bzImage)/i.test(name)) return 'boot.kernel';
  if (/(^|\/)(initr|ramdisk|initramfs)/i.test(name)) return 'boot.initrd';
  return undefined;
}

function identity(machine: ScriptRequest): { uuid?: string; serial?: string } {
  return { ...(machine.uuid ? { uuid: machine.uuid } : {}), ...(machine.serial ? { serial: machine.serial } : {}) };
}

function peerOf(req: IncomingMessage): string {
  return (req.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}

function pathOf(req: IncomingMessage): string {
  return (req.url ?? '').split('?', 1)[0]!.slice(0, 200);
}

function listen(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
