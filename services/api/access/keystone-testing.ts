/** A small Keystone (Identity API v3) for tests: users, projects, roles, tokens with project or system scope, over real HTTP. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { formatTime } from '@bessemer/core';
import type { Clock, Random } from '@bessemer/ports';

export interface KeystoneUser {
  readonly password: string;
  /** Roles by project name; `system` stands for the system. */
  readonly roles: Readonly<Record<string, readonly string[]>>;
}

export interface TestKeystone {
  /** Ends in /v3. */
  readonly url: string;
  /** Requests that were answered, as `GET 200`. */
  readonly log: string[];
  /** Uuid of a project by its name. */
  projectId(name: string): string;
  /** Issues a token without a request. `scope` is a project's name, `system`, or undefined for none. */
  issue(user: string, scope: string | undefined, lifeMs?: number): string;
  revoke(token: string): void;
  /** Answers everything with this status; undefined: as usual. */
  fail(status: number | undefined): void;
  stop(): Promise<void>;
}

interface Token {
  readonly user: string;
  readonly scope: string | undefined;
  readonly expiresAt: number;
}
type Tree = { readonly [key: string]: unknown };
const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((v, key) => (typeof v === 'object' && v !== null ? (v as Tree)[key] : undefined), value);

/** As Keystone writes it: Tempest takes nothing else. */
const keystoneTime = (ms: number): string => formatTime(ms)!.replace('+00:00', 'Z');

/** `endpoint` is what its catalogue says where the bare metal service is. */
export async function startKeystone(options: {
  users: Readonly<Record<string, KeystoneUser>>;
  clock: Clock;
  random: Random;
  endpoint?: () => string;
}): Promise<TestKeystone> {
  const { users, clock, random } = options;
  const tokens = new Map<string, Token>();
  const projects = new Map<string, string>();
  const log: string[] = [];
  let failure: number | undefined;
  const projectId = (name: string): string => {
    let id = projects.get(name);
    if (id === undefined) projects.set(name, (id = random.uuid().replaceAll('-', '')));
    return id;
  };
  const issue = (user: string, scope: string | undefined, lifeMs = 3_600_000): string => {
    const token = `gAAAA${Buffer.from(random.bytes(60)).toString('base64url')}`;
    tokens.set(token, { user, scope, expiresAt: clock.nowMs() + lifeMs });
    return token;
  };
  const valid = (token: unknown): Token | undefined => {
    const found = typeof token === 'string' ? tokens.get(token) : undefined;
    return found && found.expiresAt > clock.nowMs() ? found : undefined;
  };
  const domain = { id: 'default', name: 'Default' };
  const show = ({ user, scope, expiresAt }: Token) => ({
    token: {
      methods: ['password'],
      user: { id: `id-of-${user}`, name: user, domain },
      audit_ids: ['x'],
      issued_at: keystoneTime(clock.nowMs()),
      expires_at: keystoneTime(expiresAt),
      ...(scope === undefined ? {} : { roles: (users[user]?.roles[scope] ?? []).map((name) => ({ id: name, name })) }),
      ...(scope === 'system' ? { system: { all: true } } : {}),
      ...(scope !== undefined && scope !== 'system' ? { project: { id: projectId(scope), name: scope, domain } } : {}),
      ...(scope === undefined
        ? {}
        : {
            catalog: [
              {
                type: 'baremetal',
                name: 'bessemer',
                id: 'b',
                endpoints: [
                  {
                    id: 'e',
                    interface: 'public',
                    region: 'r',
                    region_id: 'r',
                    url: options.endpoint?.() ?? 'http://127.0.0.1:1',
                  },
                ],
              },
            ],
          }),
    },
  });

  function logIn(body: unknown): [status: number, body: unknown, token?: string] {
    const user = at(body, 'auth', 'identity', 'password', 'user');
    const name = String(at(user, 'name'));
    if (!Object.hasOwn(users, name) || users[name]!.password !== at(user, 'password'))
      return [
        401,
        { error: { code: 401, title: 'Unauthorized', message: 'The request you have made requires authentication.' } },
      ];
    const project = at(body, 'auth', 'scope', 'project');
    const wanted = at(project, 'name') ?? [...projects].find(([, id]) => id === at(project, 'id'))?.[0];
    const scope = at(body, 'auth', 'scope', 'system', 'all') === true ? 'system' : (wanted as string | undefined);
    if (scope !== undefined && !users[name]!.roles[scope]) return logIn(undefined);
    const token = issue(name, scope);
    return [201, show(tokens.get(token)!), token];
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = (status: number, body?: unknown, headers: Record<string, string> = {}) => {
      log.push(`${request.method} ${status}`);
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    if (failure !== undefined) return reply(failure, {});
    const path = new URL(request.url ?? '/', 'http://x').pathname.replace(/\/$/, '');
    const version = { id: 'v3.14', status: 'stable', links: [{ rel: 'self', href: `${url}/` }] };
    if (path === '') return reply(300, { versions: { values: [version] } });
    if (path === '/v3') return reply(200, { version });
    if (path !== '/v3/auth/tokens') return reply(404, {});
    const subject = request.headers['x-subject-token'];
    if (request.method === 'POST') {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const [status, body, token] = logIn(JSON.parse(text));
      return reply(status, body, token === undefined ? {} : { 'X-Subject-Token': token });
    }
    if (!valid(request.headers['x-auth-token'])) return reply(401, {});
    const found = valid(subject);
    if (!found) return reply(404, { error: { code: 404, title: 'Not Found' } });
    if (request.method === 'DELETE') {
      tokens.delete(String(subject));
      return reply(204);
    }
    reply(200, show(found), { 'X-Subject-Token': String(subject) });
  }

  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/v3`;
  return {
    url,
    log,
    projectId,
    issue,
    revoke: (token) => void tokens.delete(token),
    fail: (status) => void (failure = status),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
