/** The least that deploys: says hello, writes the image's used MiB, adds the config drive's partition, says done. */
import { spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';

/** An `import` of it would load all of undici: seconds on an emulated machine. */
const { request } = process.getBuiltinModule('node:http');

const base = /(?:^|\s)bench\.server=(\S+)/.exec(readFileSync('/proc/cmdline', 'utf8'))[1];
const DISK = '/dev/vda';
const MIB = 1024 * 1024;
const HEAD_BYTES = 8;

/** A stream of the answer's bytes. */
const ask = (method, path) =>
  new Promise((resolve, reject) => {
    const asked = request(`${base}${path}`, { method, agent: false }, (response) =>
      response.statusCode === 200 ? resolve(response) : reject(new Error(`${path}: ${response.statusCode}`)),
    );
    asked.once('error', reject).end();
  });

const bytesOf = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
};

/** The answer is a row of pieces: eight bytes of offset, then one MiB. */
async function writeImage() {
  const disk = openSync(DISK, 'r+');
  const piece = Buffer.alloc(HEAD_BYTES + MIB);
  let filled = 0;
  for await (let chunk of await ask('GET', '/image')) {
    while (chunk.length > 0) {
      const taken = chunk.copy(piece, filled);
      filled += taken;
      chunk = chunk.subarray(taken);
      if (filled < piece.length) continue;
      writeSync(disk, piece, HEAD_BYTES, MIB, Number(piece.readBigUInt64BE()));
      filled = 0;
    }
  }
  fsyncSync(disk);
  closeSync(disk);
}

function sfdisk(args, input = '') {
  const { status, stderr } = spawnSync('sfdisk', ['-q', ...args], { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`sfdisk ${args.join(' ')}: ${stderr}`);
}

/** The last whole 2 MiB before the backup of the partition table. */
async function writeDrive() {
  const drive = await bytesOf(await ask('GET', '/drive'));
  const sectors = Number(readFileSync('/sys/block/vda/size', 'utf8'));
  const start = Math.floor((sectors - 34 - 4096) / 2048) * 2048;
  sfdisk(['--relocate', 'gpt-bak-std', DISK]);
  sfdisk(['--append', '--no-reread', DISK], `start=${start},size=4096\n`);
  const disk = openSync(DISK, 'r+');
  writeSync(disk, drive, 0, drive.length, start * 512);
  fsyncSync(disk);
  closeSync(disk);
}

await bytesOf(await ask('POST', '/hello'));
await writeImage();
await bytesOf(await ask('POST', '/written'));
await writeDrive();
await bytesOf(await ask('POST', '/done'));
setInterval(() => {}, 60_000);
