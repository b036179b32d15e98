/** One of the two services under the script: sends requests, waits for nodes to rest, keeps what was answered. */
import { createHash } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { sleep } from '@bessemer/ports';
import { systemClock } from '@bessemer/ports/node';

export interface Step {
  /** Number of the step in its scenario: the same on both sides. */
  readonly number: number;
  readonly method: string;
  /** With names in braces in place of the script's UUIDs. */
  readonly path: string;
  readonly sent: string | undefined;
  readonly minor: number | undefined;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** Preparation for what follows: only its status is compared. */
  readonly isPreparation: boolean;
}

export interface SendOptions {
  /** N of 1.N; null sends no version; default: the version under test. */
  readonly minor?: number | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a scenario is given. Nothing in it may depend on an answer: both sides must be sent the same. */
export interface Side {
  readonly minor: number;
  /** A UUID that is the same on both sides. */
  id(name: string): string;
  /** A request that is compared. A text as body is sent as it is. A node that it set to work is waited for. */
  send(method: string, path: string, body?: unknown, options?: SendOptions): Promise<void>;
  /** `send` for a list of requests. */
  all(requests: ReadonlyArray<readonly [method: string, path: string, body?: unknown]>): Promise<void>;
  /** A request at the newest common version that prepares what follows. */
  prepare(method: string, path: string, body?: unknown): Promise<void>;
  /** A node of fake hardware with this name and UUID, and what else it is to have. */
  node(name: string, more?: { readonly owner?: string; readonly [field: string]: unknown }): Promise<void>;
  /** Waits until the node rests, and compares the states that it rests in. */
  rest(name: string): Promise<void>;
  /** Waits until no allocation is being processed. */
  processed(): Promise<void>;
  /** Brings a node from enroll to manageable, available or active. */
  bring(name: string, to: 'manageable' | 'available' | 'active'): Promise<void>;
}

export interface Recorder extends Side {
  readonly steps: readonly Step[];
  /** Removes everything that a scenario may have made. */
  clear(): Promise<void>;
}

/** The newest microversion that both know. */
const NEWEST_COMMON = 82;
const PATIENCE_MS = 15_000;
/** A side that was stuck once in a scenario is not waited for so long again. */
const LITTLE_PATIENCE_MS = 1_000;
const RESTLESS = /^(deploying|cleaning|verifying|inspecting|deleting|rescuing|unrescuing|servicing|adopting|.* wait)$/;
/** Headers that are compared. */
const HEADERS = [
  'content-type',
  'location',
  'allow',
  'x-openstack-ironic-api-version',
  'x-openstack-ironic-api-minimum-version',
  'x-openstack-ironic-api-maximum-version',
];

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const uuidOf = (name: string): string => {
  const hex = createHash('sha256').update(name).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

/** `url` without a trailing slash. */
export function createRecorder(url: string, minor: number, agent: Agent): Recorder {
  const steps: Step[] = [];
  const names = new Map<string, string>();
  let patienceMs = PATIENCE_MS;

  function ask(method: string, path: string, body: unknown, options: SendOptions): Promise<Answer> {
    const version = options.minor === undefined ? minor : options.minor;
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(
        `${url}${path}`,
        {
          method,
          agent,
          headers: {
            Accept: 'application/json',
            ...(version === null ? {} : { 'X-OpenStack-Ironic-API-Version': `1.${version}` }),
            ...(text === undefined
              ? {}
              : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }),
            ...options.headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode!,
              headers: response.headers,
              text: Buffer.concat(chunks).toString('utf8'),
            }),
          );
        },
      );
      sent.on('error', reject);
      sent.end(text);
    });
  }

  const quiet = async (method: string, path: string, body?: unknown) => {
    const { status, text } = await ask(method, path, body, { minor: NEWEST_COMMON });
    return { status, json: text.startsWith('{') ? JSON.parse(text) : {} };
  };

  /** UUIDs, times, hosts and ports in place of which anything may stand. */
  function plain(text: string): string {
    let result = text.replaceAll(url, '<base>').replaceAll(url.replace('http://', ''), '<host>');
    for (const [uuid, name] of names) result = result.replaceAll(uuid, `{${name}}`);
    return result
      .replaceAll(/req-[0-9a-f-]{36}/g, '<request>')
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?/g, '<time>');
  }

  /** What a request said beside its path; headers only where the script has set some. */
  function sentText(body: unknown, headers: SendOptions['headers']): string | undefined {
    const lines = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`);
    if (body !== undefined) lines.push(plain(typeof body === 'string' ? body : JSON.stringify(body)));
    return lines.length === 0 ? undefined : lines.join('\n');
  }

  function keep(method: string, path: string, body: unknown, answer: Answer, options: SendOptions, more: object): void {
    const headers: Record<string, string> = {};
    for (const name of HEADERS) {
      const value = answer.headers[name];
      if (value !== undefined) headers[name] = plain(String(value));
    }
    headers['has openstack-request-id'] = String(answer.headers['openstack-request-id'] !== undefined);
    steps.push({
      number: steps.length,
      method,
      path: plain(path),
      sent: sentText(body, options.headers),
      minor: options.minor === null ? undefined : (options.minor ?? minor),
      status: answer.status,
      headers,
      text: plain(answer.text),
      isPreparation: false,
      ...more,
    });
  }

  async function settle(ident: string): Promise<object | undefined> {
    const deadlineMs = systemClock.monotonicMs() + patienceMs;
    for (;;) {
      const { status, json } = await quiet('GET', `/v1/nodes/${ident}`);
      if (status !== 200) return undefined;
      const isAtRest = !json.reservation && !json.target_power_state && !RESTLESS.test(json.provision_state);
      const isLate = systemClock.monotonicMs() > deadlineMs;
      if (isLate) patienceMs = LITTLE_PATIENCE_MS;
      if (isAtRest || isLate)
        return Object.fromEntries(
          'provision_state target_provision_state power_state target_power_state last_error maintenance fault instance_uuid'
            .split(' ')
            .map((name) => [name, json[name]]),
        );
      await sleep(systemClock, 20);
    }
  }

  async function send(
    method: string,
    path: string,
    body?: unknown,
    options: SendOptions = {},
    more: object = {},
  ): Promise<void> {
    const answer = await ask(method, path, body, options);
    keep(method, path, body, answer, options, more);
    const node = /^\/v1\/nodes\/([^/?]+)\//.exec(path)?.[1];
    if (method !== 'GET' && answer.status < 300 && node !== undefined) await settle(node);
  }

  const id = (name: string): string => {
    const uuid = uuidOf(name);
    names.set(uuid, name);
    return uuid;
  };
  const prepare = (method: string, path: string, body?: unknown) =>
    send(method, path, body, { minor: NEWEST_COMMON }, { isPreparation: true });
  const rest = async (name: string) => {
    const states = await settle(id(name));
    keep(
      'REST',
      `/v1/nodes/${id(name)}`,
      undefined,
      { status: 0, headers: {}, text: JSON.stringify(states ?? {}) },
      {},
      {},
    );
  };

  return {
    minor,
    steps,
    id,
    send: (method, path, body, options) => send(method, path, body, options),
    async all(requests) {
      for (const [method, path, body] of requests) await send(method, path, body);
    },
    prepare,
    async node(name, { owner, ...more } = {}) {
      await prepare('POST', '/v1/nodes', { driver: 'fake-hardware', uuid: id(name), name, ...more });
      // Without authentication Ironic takes an owner only later.
      if (owner !== undefined)
        await prepare('PATCH', `/v1/nodes/${id(name)}`, [{ op: 'add', path: '/owner', value: owner }]);
    },
    rest,
    async processed() {
      const deadlineMs = systemClock.monotonicMs() + patienceMs;
      while (systemClock.monotonicMs() < deadlineMs) {
        const { json } = await quiet('GET', '/v1/allocations?state=allocating&fields=uuid');
        if (json.allocations.length === 0) return;
        await sleep(systemClock, 20);
      }
    },
    async bring(name, to) {
      // A pretended power state is what was asked for last: without one Ironic takes the node for no allocation.
      await prepare('PUT', `/v1/nodes/${id(name)}/states/power`, { target: 'power off' });
      const verbs = ['manage', 'provide', 'active'].slice(0, ['manageable', 'available', 'active'].indexOf(to) + 1);
      for (const target of verbs) await prepare('PUT', `/v1/nodes/${id(name)}/states/provision`, { target });
    },
    async clear() {
      const list = async (path: string, plural: string): Promise<Array<Record<string, string>>> =>
        (await quiet('GET', `${path}?limit=1000`)).json[plural] ?? [];
      for (const { uuid } of await list('/v1/allocations', 'allocations'))
        await quiet('DELETE', `/v1/allocations/${uuid}`);
      for (const { uuid } of await list('/v1/nodes', 'nodes')) {
        await settle(uuid!);
        await quiet('PATCH', `/v1/nodes/${uuid}`, [{ op: 'add', path: '/protected', value: false }]);
        await quiet('PUT', `/v1/nodes/${uuid}/maintenance`, {});
        for (const { uuid: connector } of await list(`/v1/nodes/${uuid}/volume/connectors`, 'connectors'))
          await quiet('DELETE', `/v1/volume/connectors/${connector}`);
        await quiet('DELETE', `/v1/nodes/${uuid}`);
      }
      for (const { uuid } of await list('/v1/chassis', 'chassis')) await quiet('DELETE', `/v1/chassis/${uuid}`);
      for (const { uuid } of await list('/v1/deploy_templates', 'deploy_templates'))
        await quiet('DELETE', `/v1/deploy_templates/${uuid}`);
    },
  };
}
