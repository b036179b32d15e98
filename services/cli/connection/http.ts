/** Requests to the service over node:http: retries, version headers, errors in words. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { CliError, ConnectionError, HttpError } from '../errors.ts';
import { parseJson, type Value } from '../output/python.ts';
import type { Clock } from '../clock.ts';
import type { Connection } from './connection.ts';

export interface RequestOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
}

export interface Api {
  readonly endpoint: string;
  get(path: string, query?: RequestOptions['query']): Promise<Value>;
  /** The parsed answer; null when there is no body. */
  request(method: string, path: string, options?: RequestOptions): Promise<Value>;
  /** One attempt, no retry: for those who wait by themselves. */
  once(method: string, path: string, options?: RequestOptions): Promise<Value>;
  /** Opens a stream; resolves once the service has accepted it. */
  stream(
    path: string,
    options: RequestOptions & { signal: AbortSignal; idleMs: number },
  ): Promise<AsyncIterable<string>>;
}

const VERSION_HEADER = 'X-OpenStack-Ironic-API-Version';
const RESPONSE_LIMIT = 256 * 1024 * 1024;
const IDLE_MS = 120_000;

/** Next steps that are known for a refusal. */
function hintFor(status: number, message: string, path: string): string | undefined {
  const node = decodeURIComponent(/^\/v1\/nodes\/([^/?]+)/.exec(path)?.[1] ?? 'NODE');
  if (status === 401)
    return 'Check --os-auth-type http_basic with --os-username and --os-password (or OS_USERNAME, OS_PASSWORD), or --os-token; `bessemer up` tells where it wrote its profile.';
  if (status === 403) return "This user may not do that; ask with an administrator's credential.";
  if (status === 404 && message.startsWith('Node ')) return 'See what there is: baremetal node list';
  if (status === 409 && /locked/.test(message)) return `See what works on it: baremetal node why ${node}`;
  if (status === 400 && /can not be performed/.test(message))
    return `See its state and what is possible: baremetal node why ${node}`;
  if (status === 503 && /conductor|host/i.test(message))
    return 'See which conductors are alive: baremetal conductor list';
  return undefined;
}

/** The service's own words in an error answer, whatever shape it has. */
export function faultOf(body: string, statusText: string): string {
  try {
    const outer = JSON.parse(body) as Record<string, unknown>;
    const inner = outer['error_message'];
    const fault = typeof inner === 'string' && inner.startsWith('{') ? (JSON.parse(inner) as unknown) : inner;
    if (typeof fault === 'string') return fault;
    if (typeof fault === 'object' && fault !== null) {
      const { faultstring, description } = fault as Record<string, unknown>;
      const words = faultstring ?? description;
      if (typeof words === 'string' && words !== '') return words;
    }
    const first = Array.isArray(outer['errors']) ? (outer['errors'][0] as Record<string, unknown>) : undefined;
    const words = first?.['title'] ?? first?.['detail'];
    if (typeof words === 'string') return words;
  } catch {
    // Not JSON: a proxy, perhaps. The status line says what is known.
  }
  return statusText || 'The service refused';
}

const CONNECTION_CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name could not be looked up',
  ETIMEDOUT: 'no answer came',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself; give it with --os-cacert, or --insecure',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an unknown authority; give that with --os-cacert, or --insecure',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is of an unknown authority; give that with --os-cacert, or --insecure',
};

export interface ApiDeps {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly retries: number;
  readonly retryIntervalMs: number;
  /** A text that nobody else makes. */
  readonly newKey: () => string;
  /** A request that gets no answer at all for this long has failed; 2 minutes when missing. */
  readonly idleMs?: number;
  /** Called with one line per request and answer; never with a secret. */
  readonly debug?: (line: string) => void;
}

const MASK = '******';
/** Names of fields that may hold a secret: those that the service masks. */
const SECRET = /passw|passphrase|secret|token|credential|community|config_?drive|image_url|(^|_)key$/i;

/** Hides what is secret in a body that is shown, in JSON patches too. */
export function masked(body: unknown): string {
  return JSON.stringify(body, (name, value: unknown) => {
    if (value === null || value === undefined) return value;
    if (SECRET.test(name)) return MASK;
    if (typeof value !== 'object' || !('path' in value) || !('value' in value)) return value;
    return String(value.path)
      .split('/')
      .some((part) => SECRET.test(part))
      ? { ...value, value: MASK }
      : value;
  });
}

/** An API over node:http that asks with the connection's version and credential. */
export function createApi(deps: ApiDeps): Api {
  const { connection, clock, debug } = deps;
  const { endpoint, source } = connection;

  const connectionError = (error: unknown): ConnectionError => {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const reason = CONNECTION_CODES[code] ?? (error as Error).message;
    const hint =
      code === 'ECONNREFUSED'
        ? `The address is from ${source}. Start the service with: bessemer up`
        : `The address is from ${source}.`;
    return new ConnectionError(`The service at ${endpoint} does not answer: ${reason}.`, hint, error);
  };

  const urlOf = (path: string, query: RequestOptions['query'] = {}): URL => {
    const url = new URL(`${endpoint}${path}`);
    for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, String(value));
    return url;
  };

  async function open(
    method: string,
    path: string,
    options: RequestOptions & { signal?: AbortSignal; idleMs?: number },
  ): Promise<IncomingMessage> {
    const url = urlOf(path, options.query);
    // Not `import`: that would evaluate every export of the module, and with them a whole second HTTP client.
    const { request } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http');
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers: Record<string, string> = {
      Accept: 'application/json',
      'User-Agent': 'baremetal',
      [VERSION_HEADER]: connection.apiVersion,
      ...(body === undefined
        ? {}
        : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) }),
      ...(connection.username === undefined
        ? {}
        : {
            Authorization: `Basic ${Buffer.from(`${connection.username}:${connection.password ?? ''}`).toString('base64')}`,
          }),
      ...(connection.token === undefined ? {} : { 'X-Auth-Token': connection.token }),
      ...options.headers,
    };
    debug?.(`> ${method} ${url.href}${body === undefined ? '' : ` ${masked(options.body)}`}`);
    return new Promise<IncomingMessage>((resolve, reject) => {
      const sent: ClientRequest = request(url, {
        method,
        headers,
        ...connection.tls,
        ...(options.signal ? { signal: options.signal } : {}),
      });
      sent.setTimeout(options.idleMs ?? deps.idleMs ?? IDLE_MS, () =>
        sent.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })),
      );
      sent.once('error', (error) => reject(options.signal?.aborted ? error : connectionError(error)));
      sent.once('response', (response) => {
        debug?.(`< ${response.statusCode} ${method} ${url.pathname}`);
        resolve(response);
      });
      sent.end(body);
    });
  }

  async function textOf(response: IncomingMessage): Promise<string> {
    response.setEncoding('utf8');
    let text = '';
    try {
      for await (const chunk of response as AsyncIterable<string>) {
        text += chunk;
        if (text.length > RESPONSE_LIMIT) throw new CliError('The answer of the service is larger than 256 MB.');
      }
    } catch (error) {
      throw error instanceof CliError ? error : connectionError(error);
    }
    return text;
  }

  async function refusal(response: IncomingMessage, path: string): Promise<CliError> {
    const status = response.statusCode ?? 0;
    const message = faultOf(await textOf(response), response.statusMessage ?? '');
    if (status === 406) {
      const header = (name: string) => response.headers[`x-openstack-ironic-api-${name}-version`] ?? '1.1';
      return new HttpError(
        406,
        `Version ${connection.apiVersion} of the API is not served, or does not have this operation; served are ${String(header('minimum'))} to ${String(header('maximum'))}.`,
        'Choose another with --os-baremetal-api-version, or leave it out.',
      );
    }
    return new HttpError(status, message, hintFor(status, message, path));
  }

  async function once(method: string, path: string, options: RequestOptions = {}): Promise<Value> {
    const response = await open(method, path, options);
    if ((response.statusCode ?? 500) >= 400) throw await refusal(response, path);
    const text = await textOf(response);
    if (text.trim() === '') return null;
    try {
      return parseJson(text);
    } catch {
      throw new CliError(`What answers at ${endpoint} is no bare metal API: ${method} ${path} gave no JSON.`, {
        hint: `The address is from ${source}.`,
      });
    }
  }

  /** A locked node and a busy service pass by themselves; other conflicts, such as a name that is taken, do not. */
  const isPassing = (error: unknown): boolean =>
    error instanceof HttpError
      ? error.status === 503 || (error.status === 409 && /locked|retry/i.test(error.message))
      : error instanceof ConnectionError && (error.cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOTFOUND';

  async function request(method: string, path: string, given: RequestOptions = {}): Promise<Value> {
    // What is asked again after an answer was lost must not be done twice.
    const options: RequestOptions =
      method === 'POST' ? { ...given, headers: { ...given.headers, 'Idempotency-Key': deps.newKey() } } : given;
    for (let attempt = 0; ; attempt++) {
      try {
        return await once(method, path, options);
      } catch (error) {
        // Nobody listens where no service was ever seen: waiting would only hide the answer.
        const isRefused =
          error instanceof ConnectionError && (error.cause as NodeJS.ErrnoException).code === 'ECONNREFUSED';
        if (attempt >= deps.retries || !isPassing(error) || isRefused) throw error;
        debug?.(`! ${(error as Error).message} (attempt ${attempt + 1} of ${deps.retries + 1})`);
        await clock.sleep(deps.retryIntervalMs);
      }
    }
  }

  return {
    endpoint,
    request,
    once,
    get: (path, query) => request('GET', path, query ? { query } : {}),
    async stream(path, options) {
      const response = await open('GET', path, {
        ...options,
        headers: { Accept: 'text/event-stream', ...options.headers },
      });
      if ((response.statusCode ?? 500) >= 400) throw await refusal(response, path);
      response.setEncoding('utf8');
      return response as AsyncIterable<string>;
    },
  };
}
