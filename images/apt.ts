/**
 * Debian packages by the host's own sources: which versions there are (the key of every build), and the files themselves.
 * All state is in a private folder: the host's apt is neither used nor changed.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@bessemer/ports';
import { command } from './command.ts';

export const SUITE = 'bookworm';
/** Package lists younger than this are taken as they are. */
const LISTS_FRESH_MS = 6 * 3600 * 1000;

/** One source in deb822 form (sources.list(5)), with only what matters here. */
interface Source {
  readonly uris: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly signedBy: string | undefined;
}

function parseDeb822(text: string): Source[] {
  return text
    .split(/\n\s*\n/)
    .map((stanza) => {
      const fields = new Map<string, string>();
      let last = '';
      for (const line of stanza.split('\n')) {
        if (line.startsWith('#')) continue;
        const field = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
        if (field) {
          last = (field[1] ?? '').toLowerCase();
          fields.set(last, field[2] ?? '');
        } else if (/^\s+\S/.test(line)) fields.set(last, `${fields.get(last) ?? ''}\n${line}`);
      }
      return fields;
    })
    .filter((fields) => /\bdeb\b/.test(fields.get('types') ?? '') && (fields.get('enabled') ?? 'yes') !== 'no')
    .map((fields) => ({
      uris: (fields.get('uris') ?? '').trim(),
      suites: (fields.get('suites') ?? '').trim().split(/\s+/),
      components: (fields.get('components') ?? '').trim().split(/\s+/),
      signedBy: fields.get('signed-by')?.trimEnd(),
    }));
}

function parseOneLine(text: string): Source[] {
  return text.split('\n').flatMap((line) => {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)$/.exec(line.trim());
    if (!match) return [];
    const signedBy = /signed-by=(\S+)/.exec(match[1] ?? '')?.[1];
    return [
      { uris: match[2] ?? '', suites: [match[3] ?? ''], components: (match[4] ?? '').trim().split(/\s+/), signedBy },
    ];
  });
}

/**
 * The Debian sources among a host's apt sources, as one deb822 text: those of this suite, its updates and its security
 * updates that have the component `main`. Others (vendors' own repositories) are left out, so that the images are Debian.
 * Files are given as `{name, text}`; a name ending in `.sources` is deb822, any other the one-line form. Pure.
 */
export function debianSources(files: ReadonlyArray<{ name: string; text: string }>): string {
  const wanted = [SUITE, `${SUITE}-updates`, `${SUITE}-security`, `${SUITE}/updates`];
  const stanzas = files
    .flatMap(({ name, text }) => (name.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text)))
    .flatMap((source) => {
      const suites = source.suites.filter((suite) => wanted.includes(suite));
      if (suites.length === 0 || !source.components.includes('main')) return [];
      const signed = source.signedBy
        ? `Signed-By:${source.signedBy.startsWith('\n') ? '' : ' '}${source.signedBy}\n`
        : '';
      return [`Types: deb\nURIs: ${source.uris}\nSuites: ${suites.join(' ')}\nComponents: main\n${signed}`];
    });
  return [...new Set(stanzas)].join('\n');
}

async function hostSources(): Promise<string> {
  const files: Array<{ name: string; text: string }> = [];
  const add = async (path: string): Promise<void> => {
    if (existsSync(path)) files.push({ name: path, text: await readFile(path, 'utf8') });
  };
  await add('/etc/apt/sources.list');
  for (const name of (await readdir('/etc/apt/sources.list.d').catch(() => [])).toSorted())
    if (/\.(sources|list)$/.test(name)) await add(`/etc/apt/sources.list.d/${name}`);
  const sources = debianSources(files);
  if (sources === '')
    throw new Error(
      `no Debian ${SUITE} source with component "main" in /etc/apt/sources.list or /etc/apt/sources.list.d: ` +
        'the images are built from the packages of this host',
    );
  return sources;
}

export interface PrivateApt {
  /** The sources in deb822 form, as a file. */
  readonly sourcesPath: string;
  /** The files (name_version_arch.deb) that installing these into nothing would take, sorted. */
  resolve(packages: readonly string[]): Promise<string[]>;
  /** Downloads (verified by apt) and unpacks them all, dependencies included, into `folder`, without running a script of theirs. */
  unpack(packages: readonly string[], folder: string): Promise<void>;
}

/**
 * Opens (or makes) the private apt below `cacheDir/apt`. The lists are fetched when older than six hours; when that fails
 * and older ones are there, those are used, and `onStale` is told why.
 */
export async function openApt(deps: {
  cacheDir: string;
  clock: Clock;
  onStale?: (reason: string) => void;
}): Promise<PrivateApt> {
  const home = join(deps.cacheDir, 'apt');
  await mkdir(join(home, 'lists', 'partial'), { recursive: true });
  await mkdir(join(home, 'cache', 'archives', 'partial'), { recursive: true });
  await mkdir(join(home, 'no-archives', 'partial'), { recursive: true });
  const sources = await hostSources();
  const sourcesPath = join(home, 'debian.sources');
  const old = await readFile(sourcesPath, 'utf8').catch(() => '');
  if (old !== sources) await writeFile(sourcesPath, sources);
  await writeFile(join(home, 'status'), '');
  const options = [
    `Dir::Etc::SourceList=${sourcesPath}`,
    'Dir::Etc::SourceParts=/dev/null',
    'Dir::Etc::Preferences=/dev/null',
    'Dir::Etc::PreferencesParts=/dev/null',
    `Dir::State=${home}`,
    `Dir::State::Lists=${home}/lists`,
    `Dir::State::status=${home}/status`,
    `Dir::Cache=${home}/cache`,
    'Acquire::Languages=none',
    'Acquire::Retries=3',
    'APT::Install-Recommends=false',
    'APT::Sandbox::User=root',
    // A minimal container image hands the archives to dpkg and deletes them: here they are what is wanted.
    'Binary::apt-get::APT::Keep-Downloaded-Packages=true',
    'APT::Keep-Downloaded-Packages=true',
    'DPkg::Post-Invoke::=',
  ].flatMap((option) => ['-o', option]);
  const apt = (...args: string[]): Promise<string> => command(['apt-get', ...options, ...args]);

  const stamp = join(home, 'lists-fetched');
  const update = async (): Promise<void> => {
    await apt('--error-on=any', '-qq', 'update');
    await writeFile(stamp, '');
    await utimes(stamp, deps.clock.nowMs() / 1000, deps.clock.nowMs() / 1000);
  };
  const fetchedMs = await stat(stamp).then(
    (file) => file.mtimeMs,
    () => undefined,
  );
  if (fetchedMs === undefined || old !== sources) await update();
  else if (deps.clock.nowMs() - fetchedMs > LISTS_FRESH_MS)
    await update().catch((error: Error) => deps.onStale?.(error.message));

  const resolve = async (packages: readonly string[]): Promise<string[]> => {
    // An empty archive folder: files that are there already would not be listed.
    const empty = ['-o', `Dir::Cache::Archives=${home}/no-archives/`];
    const text = await apt(...empty, '-qq', '--print-uris', '--yes', 'install', ...packages);
    return text
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((file) => file.endsWith('.deb'))
      .toSorted();
  };

  return {
    sourcesPath,
    resolve,
    async unpack(packages, folder) {
      const download = (): Promise<string> => apt('-qq', '--yes', '--download-only', 'install', ...packages);
      // Lists of some hours ago may name a package that an update has replaced since.
      await download().catch(async () => {
        await update();
        await download();
      });
      await mkdir(folder, { recursive: true });
      for (const file of await resolve(packages))
        await command(['dpkg-deb', '--extract', join(home, 'cache', 'archives', file), folder]);
    },
  };
}
