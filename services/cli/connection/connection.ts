/** Where the service is and who asks: flags, then OS_* variables, then clouds.yaml, then the profile of the first start. */
import { CliError, usageError } from '../errors.ts';
import { cloudsFromYaml } from './clouds-yaml.ts';
import type { KeystoneLogin } from './keystone.ts';
import { type Setting, type Settings, settingsFrom } from './settings.ts';

export interface Connection {
  /** Without `/v1` and without a slash at its end; empty when the catalog of Keystone tells it. */
  readonly endpoint: string;
  /** Where the endpoint was found, for messages. */
  readonly source: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Sent as `X-Auth-Token`. */
  readonly token?: string;
  /** A token is to be had from Keystone first. */
  readonly keystone?: KeystoneLogin;
  /** `latest` or `1.N`. */
  readonly apiVersion: string;
  readonly tls?: Tls;
}

/** How the service is checked, and how it checks us: contents of PEM files. */
export interface Tls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: boolean;
}

/** The options of the command line by their attribute names. */
export type ConnectionOptions = Readonly<Record<string, unknown>>;

type Env = Readonly<Record<string, string | undefined>>;
/** Text of a file, undefined when there is none. */
export type ReadFile = (path: string) => string | undefined;

interface Found {
  readonly settings: Settings;
  readonly source: string;
}

const filled = (value: string | undefined): string | undefined => (value === '' ? undefined : value);
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function configHome(env: Env): string {
  return filled(env['XDG_CONFIG_HOME']) ?? `${env['HOME'] ?? '/root'}/.config`;
}

/** `clouds.yaml` as OpenStack's clients look for it: the working directory, then the user's, then the machine's. */
function cloud(name: string, env: Env, readFile: ReadFile): Found {
  const paths = [
    filled(env['OS_CLIENT_CONFIG_FILE']),
    'clouds.yaml',
    'clouds.yml',
    `${configHome(env)}/openstack/clouds.yaml`,
    '/etc/openstack/clouds.yaml',
  ].filter((p) => p !== undefined);
  for (const path of paths) {
    const content = readFile(path);
    if (content === undefined) continue;
    const clouds = cloudsFromYaml(content, path);
    const found = clouds[name];
    if (!found)
      throw new CliError(`There is no cloud ${name} in ${path}; it has: ${Object.keys(clouds).join(', ') || 'none'}.`);
    return {
      settings: settingsFrom('cloud', (setting) => found[setting]),
      source: `cloud ${name} in ${path}`,
    };
  }
  throw new CliError(`Cloud ${name} was asked for, and there is no clouds.yaml.`, {
    hint: `Looked at: ${paths.join(', ')}`,
  });
}

/** Where the profile of the service's first start is. */
export const profilePath = (env: Env): string =>
  filled(env['BESSEMER_PROFILE']) ?? `${configHome(env)}/bessemer/profile.json`;

function profile(env: Env, readFile: ReadFile): Found | undefined {
  const path = profilePath(env);
  const content = readFile(path);
  if (content === undefined) return undefined;
  let data: unknown;
  try {
    data = JSON.parse(content);
  } catch (error) {
    throw new CliError(`The profile ${path} is not JSON: ${(error as Error).message}`, {
      hint: 'The service writes it anew when it starts: bessemer up',
    });
  }
  const entry = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>;
  const names: Partial<Record<Setting, string>> = { authType: 'auth_type' };
  const settings = (['endpoint', 'authType', 'username', 'password', 'token'] as const).flatMap((setting) => {
    const value = filled(text(entry[names[setting] ?? setting]));
    return value === undefined ? [] : [[setting, value] as const];
  });
  return { settings: Object.fromEntries(settings), source: `the profile ${path}` };
}

/** @throws CliError for a file that is not there. */
function tlsOf(options: ConnectionOptions, env: Env, readFile: ReadFile): Tls | undefined {
  const files = {
    ca: filled(text(options['osCacert'])) ?? filled(env['OS_CACERT']),
    cert: filled(text(options['osCert'])) ?? filled(env['OS_CERT']),
    key: filled(text(options['osKey'])) ?? filled(env['OS_KEY']),
  };
  const contents = Object.entries(files).flatMap(([name, path]) => {
    if (path === undefined) return [];
    const content = readFile(path);
    if (content === undefined) throw new CliError(`There is no file ${path} (${name} of the connection).`);
    return [[name, content] as const];
  });
  const isInsecure = options['insecure'] === true;
  if (contents.length === 0 && !isInsecure) return undefined;
  return { ...Object.fromEntries(contents), ...(isInsecure ? { rejectUnauthorized: false } : {}) };
}

type Login = 'none' | 'http_basic' | 'token' | 'password' | 'application_credential';
/** What the clients of OpenStack call the ways to log in. */
const AUTH_TYPES: Readonly<Record<string, Login>> = {
  none: 'none',
  http_basic: 'http_basic',
  token: 'token',
  admin_token: 'token',
  token_endpoint: 'token',
  v3token: 'token',
  password: 'password',
  v3password: 'password',
  v3applicationcredential: 'application_credential',
};

/** How to log in: as the first source says that says anything of it, else by what there is. */
function loginOf(sources: readonly Found[], { authUrl, username }: Settings): Login {
  for (const { settings } of sources) {
    const { authType, token } = settings;
    if (authType !== undefined) {
      if (Object.hasOwn(AUTH_TYPES, authType)) return AUTH_TYPES[authType]!;
      throw usageError(
        `The authentication type ${authType} is not known; it is one of: ${Object.keys(AUTH_TYPES).join(', ')}.`,
      );
    }
    if (token !== undefined) return 'token';
  }
  if (username === undefined) return 'none';
  return authUrl === undefined ? 'http_basic' : 'password';
}

function checkUrl(url: string, source: string): void {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw usageError(`${url} (from ${source}) is not a URL of http or https.`);
}

/** What Keystone is to be told. @throws CliError when something is missing. */
function keystoneOf(login: Login, settings: Settings, source: string): KeystoneLogin {
  const { authUrl } = settings;
  if (authUrl === undefined)
    throw new CliError('It is not known where Keystone is.', { hint: 'Give --os-auth-url URL or OS_AUTH_URL.' });
  checkUrl(authUrl, source);
  const isPassword = login === 'password';
  const needed: readonly Setting[] = isPassword
    ? ['password']
    : ['applicationCredentialId', 'applicationCredentialSecret'];
  const missing = needed.filter((setting) => settings[setting] === undefined);
  if (isPassword && settings.username === undefined && settings.userId === undefined) missing.push('username');
  if (missing.length > 0)
    throw new CliError(`To log in to Keystone, these are missing: ${missing.join(', ')}.`, {
      hint: 'They are options --os-... or variables OS_...; see: baremetal man',
    });
  return {
    ...settings,
    url: authUrl.replace(/\/+(v3)?\/*$/, ''),
    method: isPassword ? 'password' : 'application_credential',
  };
}

/**
 * The connection that flags, environment, clouds.yaml and profile tell. A source that names an endpoint brings its own
 * credentials: those of a later one never travel to it.
 * @throws CliError when no source names an endpoint, or a source cannot be read.
 */
export function findConnection(options: ConnectionOptions, env: Env, readFile: ReadFile): Connection {
  const sources: Found[] = [
    { settings: settingsFrom('options', (name) => text(options[name])), source: '--os-endpoint' },
    { settings: settingsFrom('variables', (name) => env[name]), source: 'OS_ENDPOINT' },
  ];
  const cloudName = filled(text(options['osCloud'])) ?? filled(env['OS_CLOUD']);
  if (cloudName !== undefined) sources.push(cloud(cloudName, env, readFile));
  const tells = ({ settings }: Found) => settings.endpoint !== undefined || settings.authUrl !== undefined;
  if (!sources.some(tells)) {
    const found = profile(env, readFile);
    if (found) sources.push(found);
  }
  const at = sources.findIndex(tells);
  if (at < 0)
    throw new CliError('It is not known where the service is.', {
      hint: `Start it with: bessemer up (it writes ${profilePath(env)}), or give --os-endpoint URL or OS_ENDPOINT.`,
    });
  // An earlier source replaces what a later one says.
  const heard = sources.slice(0, at + 1);
  const settings: Settings = Object.assign({}, ...heard.toReversed().map((s) => s.settings));
  const { source } = sources[at]!;
  const { endpoint, apiVersion = 'latest', username, password, token } = settings;
  const login = loginOf(heard, settings);
  if (endpoint !== undefined) checkUrl(endpoint, source);
  if (!/^(latest|1|1\.\d{1,4})$/.test(apiVersion))
    throw usageError(`${apiVersion} is not a version of the API; give 1.N or latest.`);
  const isKeystone = login === 'password' || login === 'application_credential';
  if (endpoint === undefined && !isKeystone)
    throw new CliError('It is not known where the service is.', { hint: 'Give --os-endpoint URL or OS_ENDPOINT.' });
  if (login === 'token' && token === undefined)
    throw new CliError('The token is missing.', { hint: 'Give --os-token TOKEN or OS_TOKEN.' });
  const tls = tlsOf(options, env, readFile);
  const isBasic = login === 'http_basic';
  return {
    endpoint: (endpoint ?? '').replace(/\/+(v1)?\/*$/, ''),
    source: isKeystone && endpoint === undefined ? 'the catalog of Keystone' : source,
    username: isBasic ? username : undefined,
    password: isBasic ? password : undefined,
    apiVersion,
    ...(login === 'token' ? { token: token! } : {}),
    ...(isKeystone ? { keystone: keystoneOf(login, settings, source) } : {}),
    ...(tls ? { tls } : {}),
  };
}
