/** Taking the compression off, and qcow2 to raw: each by a child or a worker, with limits, from an open descriptor. */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import type { Clock } from '@bessemer/ports';
import { checkQcow2Header, type Compression } from './detect.ts';
import { explainWriteError, ImageError, systemCode } from './errors.ts';
import type { ProcessEnd, Processes } from './processes.ts';
import { GIB } from './types.ts';

export interface UnpackOptions {
  readonly source: FileHandle;
  readonly target: string;
  readonly maxImageBytes: number;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number) => void;
}

const POLL_MS = 250;
/** What `qemu-img info` of a hostile image may use; OpenStack's services use the same order of size. */
const INFO_LIMITS = { memoryBytes: GIB, cpuSeconds: 30 };
const INFO_TIMEOUT_MS = 60_000;
const CONVERT_LIMITS = { memoryBytes: 4 * GIB };

/** Writes what `compression` hides in `source` to `target`. Throws CORRUPT, TOO_LARGE or NO_SPACE. */
export async function decompress(compression: Compression, options: UnpackOptions): Promise<void> {
  const { source, target, maxImageBytes, processes, signal, onProgress } = options;
  if (compression === 'gzip') {
    try {
      await processes.work({ kind: 'inflate', fd: source.fd, target, maxBytes: maxImageBytes }, { signal, onProgress });
    } catch (error) {
      signal.throwIfAborted();
      const explained = explainWriteError(error, target);
      if (explained instanceof ImageError) throw explained;
      if (systemCode(error).startsWith('Z_'))
        throw new ImageError('CORRUPT', `the gzip data is damaged: ${(error as Error).message}`, { cause: error });
      throw error;
    }
    return;
  }
  const output = await open(target, 'w', 0o600);
  const stop = pollPosition(options);
  try {
    // The tools read from the descriptor's own position, which shows how far they are.
    const end = await processes.run({
      command: compression,
      args: compression === 'zstd' ? ['-d', '-q', '-c', '--sparse', '--long=31'] : ['-d', '-q', '-c'],
      stdin: source.fd,
      stdout: output.fd,
      limits: { ...CONVERT_LIMITS, fileBytes: maxImageBytes },
      signal,
    });
    if (end.code !== 0) throw childFailure(end, compression, maxImageBytes);
  } finally {
    stop();
    await output.close();
  }
}

/** Checks a qcow2 image by its header, by `qemu-img info` and `check` under limits, and writes it as raw with holes. */
export async function convertQcow2(head: Uint8Array, options: UnpackOptions): Promise<void> {
  const { source, target, maxImageBytes, processes, signal, onProgress } = options;
  const sizeBytes = checkQcow2Header(head, maxImageBytes);
  // The child opens the file anew by its own descriptor: no path that could be exchanged, no name that could be an option.
  const path = '/proc/self/fd/3';
  const inherit = [source.fd];
  await inspectQcow2(options, path);
  // Through the page cache: the map is made from it at once, and so are the first deployments; read cold it takes five times as long.
  const end = await processes.run({
    command: 'qemu-img',
    args: ['convert', '-p', '-f', 'qcow2', '-O', 'raw', '-W', '-t', 'writeback', path, target],
    inherit,
    limits: { ...CONVERT_LIMITS, fileBytes: maxImageBytes },
    signal,
    onStdout: (text) => {
      const percent = /\((\d+(?:\.\d+)?)\/100%\)[^(]*$/.exec(text)?.[1];
      if (percent !== undefined) onProgress(Math.round((Number(percent) / 100) * sizeBytes));
    },
  });
  if (end.code !== 0) throw childFailure(end, 'qemu-img convert', maxImageBytes);
}

async function inspectQcow2(options: UnpackOptions, path: string): Promise<void> {
  const { source, processes, clock, signal } = options;
  const timeout = new AbortController();
  const timer = clock.setTimer(INFO_TIMEOUT_MS, () =>
    timeout.abort(new ImageError('CORRUPT', `qemu-img info did not end within ${INFO_TIMEOUT_MS} ms`)),
  );
  let info = '';
  try {
    const end = await processes.run({
      command: 'qemu-img',
      args: ['info', '--output=json', '-f', 'qcow2', path],
      inherit: [source.fd],
      limits: INFO_LIMITS,
      signal: AbortSignal.any([signal, timeout.signal]),
      onStdout: (text) => {
        if (info.length < 1_000_000) info += text;
      },
    });
    if (end.code !== 0) throw childFailure(end, 'qemu-img info', options.maxImageBytes);
  } finally {
    timer.cancel();
  }
  if (/"(full-)?backing-filename"|"data-file"/.test(info))
    throw new ImageError('UNSUPPORTED_FORMAT', 'the qcow2 image refers to another file, which is refused');
  const check = await processes.run({
    command: 'qemu-img',
    args: ['check', '-q', '-f', 'qcow2', path],
    inherit: [source.fd],
    limits: CONVERT_LIMITS,
    signal,
  });
  // 3 is leaked clusters: wasted room, no wrong data. 63 is "cannot be checked".
  if (check.code !== 0 && check.code !== 3 && check.code !== 63)
    throw new ImageError(
      'CORRUPT',
      `the qcow2 image is damaged: ${lastLine(check.stderr) || 'qemu-img check found errors'}`,
    );
}

function childFailure(end: ProcessEnd, what: string, maxImageBytes: number): ImageError {
  const said = lastLine(end.stderr);
  if (/no space left|disk quota/i.test(end.stderr))
    return new ImageError(
      'NO_SPACE',
      `no space left while ${what} wrote the image: free some, or lower the size of the store`,
    );
  if (end.signal === 'SIGXFSZ' || /file too large/i.test(end.stderr))
    return new ImageError('TOO_LARGE', `the image is larger than the ${maxImageBytes} bytes that are allowed`);
  return new ImageError(
    'CORRUPT',
    `${what} failed${end.signal ? ` by ${end.signal}` : ''}: ${said || `exit code ${end.code}`}`,
  );
}

function lastLine(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').slice(0, 300);
}

/** Reports how far a child has read the descriptor that it shares with this process. */
function pollPosition({ source, clock, onProgress }: UnpackOptions): () => void {
  let stopped = false;
  const poll = async (): Promise<void> => {
    const info = await readFile(`/proc/self/fdinfo/${source.fd}`, 'utf8').catch(() => '');
    const position = /^pos:\s+(\d+)/m.exec(info)?.[1];
    if (stopped) return;
    if (position) onProgress(Number(position));
    timer = clock.setTimer(POLL_MS, () => void poll(), { background: true });
  };
  let timer = clock.setTimer(POLL_MS, () => void poll(), { background: true });
  return () => {
    stopped = true;
    timer.cancel();
  };
}
