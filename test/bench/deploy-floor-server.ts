/**
 * The server of the floor, run inside the lab's network: the boot script, kernel, ramdisk, used MiB of the image, config drive;
 * prints what happens as lines of JSON. `node deploy-floor-server.ts FOLDER IMAGE PORT`
 */
import { createReadStream, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { GATEWAY } from '@bessemer/lab';
import { systemClock } from '@bessemer/ports/node';

const MIB = 1024 * 1024;
const [folder = '', image = '', port = '8080'] = process.argv.slice(2);
const base = `http://${GATEWAY}:${port}`;
const tell = (what: string): boolean => process.stdout.write(`${JSON.stringify({ what, at: systemClock.nowMs() })}\n`);

const script = [
  '#!ipxe',
  `kernel ${base}/vmlinuz initrd=rd console=ttyS0,115200n8 loglevel=5 BOOTIF=01-\${net0/mac:hexhyp} bench.server=${base}`,
  `initrd --name rd ${base}/ramdisk`,
  'boot',
  '',
].join('\n');

/** Offsets of the MiB that are not all zero: found once, before anything is measured. */
async function usedPieces(): Promise<number[]> {
  const file = await open(image);
  const buffer = Buffer.alloc(MIB);
  const zero = Buffer.alloc(MIB);
  const offsets: number[] = [];
  for (let offset = 0; offset < (await file.stat()).size; offset += MIB) {
    const { bytesRead } = await file.read(buffer, 0, MIB, offset);
    if (!buffer.subarray(0, bytesRead).equals(zero.subarray(0, bytesRead))) offsets.push(offset);
  }
  await file.close();
  return offsets;
}

async function sendImage(response: ServerResponse, offsets: readonly number[]): Promise<void> {
  const file = await open(image);
  try {
    for (const offset of offsets) {
      const piece = Buffer.alloc(8 + MIB);
      piece.writeBigUInt64BE(BigInt(offset));
      await file.read(piece, 8, MIB, offset);
      if (!response.write(piece)) await new Promise((resolve) => response.once('drain', resolve));
    }
    response.end();
  } finally {
    await file.close();
  }
}

function sendFile(response: ServerResponse, name: string): void {
  const path = join(folder, name);
  response.setHeader('content-length', statSync(path).size);
  createReadStream(path, { highWaterMark: 256 * 1024 }).pipe(response);
}

const offsets = await usedPieces();
createServer((request, response) => {
  const path = request.url ?? '/';
  if (request.method === 'POST') {
    tell(path.slice(1));
    response.end();
  } else if (path === '/boot.ipxe') {
    tell('script');
    response.end(script);
  } else if (path === '/image') void sendImage(response, offsets);
  else if (['/vmlinuz', '/ramdisk', '/drive'].includes(path)) sendFile(response, path.slice(1));
  else response.writeHead(404).end();
}).listen(Number(port), GATEWAY, () => tell('ready'));
