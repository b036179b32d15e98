/** Logs in to a Keystone (Identity API v3): a token, and from its catalog the place of the service. */
import { CliError, ConnectionError } from '../errors.ts';
import type { Connection, Tls } from './connection.ts';
import type { Settings } from './settings.ts';

export interface KeystoneLogin extends Settings {
  /** Without `/v3`. */
  readonly url: string;
  readonly method: 'password' | 'application_credential';
}

interface Answer {
  readonly status: number;
  readonly token: string | undefined;
  readonly body: unknown;
}

const ANSWER_LIMIT = 16 * 1024 * 1024;
const IDLE_MS = 60_000;

async function post(url: URL, body: unknown, tls: Tls | undefined): Promise<Answer> {
  const { request } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http');
  const text = JSON.stringify(body);
  return new Promise<Answer>((resolve, reject) => {
    const fail = (error: Error) =>
      reject(new ConnectionError(`Keystone at ${url.origin} does not answer: ${error.message}`, undefined, error));
    const sent = request(
      url,
      {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'User-Agent': 'baremetal' },
        ...tls,
      },
      (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('error', fail);
        response.on('data', (piece: string) => {
          answer += piece;
          if (answer.length > ANSWER_LIMIT) sent.destroy(new Error('its answer is larger than 16 MB'));
        });
        response.on('end', () => {
          const token = response.headers['x-subject-token'];
          let parsed: unknown;
          try {
            parsed = JSON.parse(answer);
          } catch {
            parsed = undefined;
          }
          resolve({
            status: response.statusCode ?? 0,
            token: typeof token === 'string' ? token : undefined,
            body: parsed,
          });
        });
      },
    );
    sent.setTimeout(IDLE_MS, () => sent.destroy(new Error('no answer came')));
    sent.once('error', fail);
    sent.end(text);
  });
}

const domain = (name: string | undefined, id: string | undefined) =>
  name === undefined ? { id: id ?? 'default' } : { name };

/** The request of the Identity API v3, POST /v3/auth/tokens. */
export function loginBody(login: KeystoneLogin): unknown {
  if (login.method === 'application_credential') {
    const { applicationCredentialId: id, applicationCredentialSecret: secret } = login;
    return { auth: { identity: { methods: ['application_credential'], application_credential: { id, secret } } } };
  }
  const { username, userId, password, projectId, projectName } = login;
  const user =
    userId === undefined
      ? { name: username, domain: domain(login.userDomainName, login.userDomainId) }
      : { id: userId };
  const project =
    projectId !== undefined
      ? { id: projectId }
      : projectName === undefined
        ? undefined
        : { name: projectName, domain: domain(login.projectDomainName, login.projectDomainId) };
  const scope = login.systemScope === undefined ? project && { project } : { system: { all: true } };
  return {
    auth: {
      identity: { methods: ['password'], password: { user: { ...user, password } } },
      ...(scope ? { scope } : {}),
    },
  };
}

type Tree = { readonly [key: string]: unknown };
const list = (value: unknown): readonly Tree[] =>
  Array.isArray(value) ? value.filter((v): v is Tree => typeof v === 'object' && v !== null) : [];

/** The URL of the service in a catalog; undefined when it has none of this interface and region. */
export function endpointOf(catalog: unknown, wanted: string, region: string | undefined): string | undefined {
  // `internal` and `internalURL` are the same: older clients write the latter.
  const name = wanted.replace(/URL$/, '');
  const found = list(catalog)
    .filter((service) => service['type'] === 'baremetal')
    .flatMap((service) => list(service['endpoints']))
    .find((e) => e['interface'] === name && (region === undefined || region === (e['region_id'] ?? e['region'])));
  return typeof found?.['url'] === 'string' ? found['url'] : undefined;
}

/**
 * Trades the credentials of a connection for a token.
 * @throws CliError when Keystone refuses, ConnectionError when it does not answer.
 */
export async function logIn(connection: Connection): Promise<Connection> {
  const { keystone: login, ...rest } = connection;
  if (!login) return connection;
  const { status, token, body } = await post(new URL(`${login.url}/v3/auth/tokens`), loginBody(login), connection.tls);
  const tree = (body ?? {}) as { readonly error?: Tree; readonly token?: Tree };
  if (status >= 300 || token === undefined) {
    const words = tree.error?.['message'];
    throw new CliError(
      `Keystone at ${login.url} refused the log-in: ${typeof words === 'string' ? words : 'it gave no token.'} (HTTP ${status})`,
      { hint: 'Check --os-username, --os-password, project and domains, or the variables OS_...' },
    );
  }
  if (connection.endpoint !== '') return { ...rest, token };
  const wanted = login.interface ?? 'public';
  const endpoint = endpointOf(tree.token?.['catalog'], wanted, login.region);
  if (endpoint === undefined) {
    const where = login.region === undefined ? '' : ` in region ${login.region}`;
    throw new CliError(`The catalog of Keystone has no ${wanted} endpoint of type baremetal${where}.`, {
      hint: 'Give one with --os-endpoint, or a project with --os-project-name: without a scope there is no catalog.',
    });
  }
  return { ...rest, token, endpoint: endpoint.replace(/\/+(v1)?\/*$/, '') };
}
