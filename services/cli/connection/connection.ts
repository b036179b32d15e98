/** Where the service is and who asks: flags, then OS_* variables, then clouds.yaml, then the profile of the first start. */
import { CliError, usageError } from '../errors.ts';
import { cloudsFromYaml } from './clouds-yaml.ts';

export interface Connection {
  /** Without `/v1` and without a slash at its end. */
  readonly endpoint: string;
  /** Where the endpoint was found, for messages. */
  readonly source: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
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

export interface ConnectionOptions {
  readonly osEndpoint?: string;
  readonly osEndpointOverride?: string;
  readonly osAuthType?: string;
  readonly osAuthPlugin?: string;
  readonly osUsername?: string;
  readonly osPassword?: string;
  readonly osCloud?: string;
  readonly osBaremetalApiVersion?: string;
  readonly osCacert?: string;
  readonly osCert?: string;
  readonly osKey?: string;
  readonly isInsecure?: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;
/** Text of a file, undefined when there is none. */
export type ReadFile = (path: string) => string | undefined;

interface Found {
  readonly endpoint?: string | undefined;
  readonly authType?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly apiVersion?: string | undefined;
  readonly source: string;
}

const filled = (value: string | undefined): string | undefined => (value === '' ? undefined : value);
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

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
      endpoint: found['baremetal_endpoint_override'] ?? found['auth.endpoint'],
      authType: found['auth_type'],
      username: found['auth.username'],
      password: found['auth.password'],
      apiVersion: found['baremetal_api_version'] ?? found['baremetal_default_microversion'],
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
  return {
    endpoint: text(entry['endpoint']),
    authType: text(entry['auth_type']),
    username: text(entry['username']),
    password: text(entry['password']),
    source: `the profile ${path}`,
  };
}

/** @throws CliError for a file that is not there. */
function tlsOf(options: ConnectionOptions, env: Env, readFile: ReadFile): Tls | undefined {
  const files = {
    ca: filled(options.osCacert) ?? filled(env['OS_CACERT']),
    cert: filled(options.osCert) ?? filled(env['OS_CERT']),
    key: filled(options.osKey) ?? filled(env['OS_KEY']),
  };
  const contents = Object.entries(files).flatMap(([name, path]) => {
    if (path === undefined) return [];
    const content = readFile(path);
    if (content === undefined) throw new CliError(`There is no file ${path} (${name} of the connection).`);
    return [[name, content] as const];
  });
  if (contents.length === 0 && !options.isInsecure) return undefined;
  return { ...Object.fromEntries(contents), ...(options.isInsecure ? { rejectUnauthorized: false } : {}) };
}

const AUTH_TYPES = ['none', 'http_basic'];

/**
 * The connection that flags, environment, clouds.yaml and profile tell. A source that names an endpoint brings its own
 * credentials: those of a later one never travel to it.
 * @throws CliError when no source names an endpoint, or a source cannot be read.
 */
export function findConnection(options: ConnectionOptions, env: Env, readFile: ReadFile): Connection {
  const flags: Found = {
    endpoint: filled(options.osEndpoint) ?? filled(options.osEndpointOverride),
    authType: filled(options.osAuthType) ?? filled(options.osAuthPlugin),
    username: filled(options.osUsername),
    password: filled(options.osPassword),
    apiVersion: filled(options.osBaremetalApiVersion),
    source: '--os-endpoint',
  };
  const variables: Found = {
    endpoint: filled(env['OS_ENDPOINT']) ?? filled(env['OS_ENDPOINT_OVERRIDE']),
    authType: filled(env['OS_AUTH_TYPE']),
    username: filled(env['OS_USERNAME']),
    password: filled(env['OS_PASSWORD']),
    apiVersion: filled(env['OS_BAREMETAL_API_VERSION']),
    source: 'OS_ENDPOINT',
  };
  const sources: Found[] = [flags, variables];
  const cloudName = filled(options.osCloud) ?? filled(env['OS_CLOUD']);
  if (cloudName !== undefined) sources.push(cloud(cloudName, env, readFile));
  if (!sources.some((s) => s.endpoint !== undefined)) {
    const found = profile(env, readFile);
    if (found) sources.push(found);
  }
  const at = sources.findIndex((s) => s.endpoint !== undefined);
  if (at < 0)
    throw new CliError('It is not known where the service is.', {
      hint: `Start it with: bessemer up (it writes ${profilePath(env)}), or give --os-endpoint URL or OS_ENDPOINT.`,
    });
  const heard = sources.slice(0, at + 1);
  const first = (field: 'authType' | 'username' | 'password' | 'apiVersion') =>
    heard.map((s) => s[field]).find((v) => v !== undefined);
  const authType = first('authType');
  if (authType !== undefined && !AUTH_TYPES.includes(authType))
    throw usageError(`The authentication type ${authType} is not known; it is one of: ${AUTH_TYPES.join(', ')}.`);
  const hasLogin = authType === 'http_basic' || (authType === undefined && first('username') !== undefined);
  const { endpoint, source } = sources[at]!;
  if (!URL.canParse(endpoint!) || !/^https?:$/.test(new URL(endpoint!).protocol))
    throw usageError(`${endpoint} (from ${source}) is not a URL of http or https.`);
  const apiVersion = first('apiVersion') ?? 'latest';
  if (!/^(latest|1|1\.\d{1,4})$/.test(apiVersion))
    throw usageError(`${apiVersion} is not a version of the API; give 1.N or latest.`);
  const tls = tlsOf(options, env, readFile);
  return {
    ...(tls ? { tls } : {}),
    endpoint: endpoint!.replace(/\/+(v1)?\/*$/, ''),
    source,
    username: hasLogin ? first('username') : undefined,
    password: hasLogin ? first('password') : undefined,
    apiVersion,
  };
}
