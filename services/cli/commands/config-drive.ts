/** What `--config-drive` means: a JSON object, a file, a folder, or a URL. */
import type { Io } from '../command.ts';
import { CliError } from '../errors.ts';
import { isRecord } from './values.ts';

/** Files of the OpenStack layout and the keys that the service builds a config drive from. */
const LAYOUT: Readonly<Record<string, string>> = {
  'meta_data.json': 'meta_data',
  'network_data.json': 'network_data',
  'vendor_data.json': 'vendor_data',
  user_data: 'user_data',
};

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(`${where} is not JSON: ${(error as Error).message}`);
  }
}

/** A folder in the layout openstack/latest as an object; undefined when it holds anything that an object cannot say. */
function fromLayout(folder: string, io: Io): Record<string, unknown> | undefined {
  const top = io.listFolder(folder)!;
  const isWhole = top.length === 1 && top[0] === 'openstack';
  const openstack = isWhole ? io.listFolder(`${folder}/openstack`) : undefined;
  if (openstack?.length !== 1 || openstack[0] !== 'latest') return undefined;
  const latest = `${folder}/openstack/latest`;
  const names = io.listFolder(latest);
  if (
    !names ||
    names.length === 0 ||
    names.some((name) => !Object.hasOwn(LAYOUT, name) || !io.isFile(`${latest}/${name}`))
  )
    return undefined;
  return Object.fromEntries(
    names.map((name) => {
      const text = io.readFile(`${latest}/${name}`);
      return [LAYOUT[name]!, name.endsWith('.json') ? parse(text, `${latest}/${name}`) : text];
    }),
  );
}

/** A folder of any other shape, packed as an ISO 9660 image and compressed, as Ironic's client does. */
function packFolder(folder: string, io: Io): string {
  const { gzipSync } = process.getBuiltinModule('node:zlib');
  const options = [
    '-ldots',
    '-allow-lowercase',
    '-allow-multidot',
    '-l',
    '-publisher',
    'baremetal',
    '-quiet',
    '-J',
    '-r',
    '-V',
    'config-2',
  ];
  for (const program of ['genisoimage', 'mkisofs', 'xorrisofs']) {
    const result = io.runProgram([program, ...options, folder]);
    if (!result) continue;
    if (result.code !== 0) throw new CliError(`${program} could not pack ${folder}: ${result.err.trim()}`);
    return gzipSync(result.out).toString('base64');
  }
  throw new CliError(`To pack ${folder}, one of genisoimage, mkisofs or xorrisofs is needed, and none is installed.`, {
    hint: 'apt install genisoimage, or lay the folder out as openstack/latest/{meta_data.json,network_data.json,user_data,vendor_data.json}',
  });
}

/**
 * The value of `configdrive` in the request: an object from which the service builds the drive, base64 of a gzipped image, or the
 * URL that the service fetches it from.
 * @throws CliError saying what is wrong with the file, the folder or the JSON.
 */
export function readConfigDrive(given: string, io: Io): string | Record<string, unknown> {
  if (given.trimStart().startsWith('{')) {
    const value = parse(given, 'The JSON of --config-drive');
    if (isRecord(value)) return value as Record<string, unknown>;
  }
  if (/^https?:\/\//i.test(given)) return given;
  if (io.listFolder(given)) return fromLayout(given, io) ?? packFolder(given, io);
  if (!io.isFile(given))
    throw new CliError(`--config-drive ${given} is neither a file nor a folder nor a JSON object nor an http(s) URL.`);
  const content = io.readFile(given).trim();
  if (content.startsWith('{')) return parse(content, given) as Record<string, unknown>;
  if (!/^[A-Za-z0-9+/=\s]+$/.test(content))
    throw new CliError(`${given} is neither JSON nor base64 of a gzipped config drive.`);
  return content;
}
