/** The HTTP edge: carries requests to the operation that the specification names, and answers in Ironic's form. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type Identity, isServiceError, type Json, ServiceError } from '@bessemer/core';
import { snapshotDb } from '@bessemer/db';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { clientAddress } from './access/address.ts';
import { auditOf } from './access/audit.ts';
import type { Authenticator } from './access/authenticator.ts';
import { authorize, createViews } from './access/gate.ts';
import { checkLocalCaller } from './access/local-caller.ts';
import { HANDLERS, type OperationId } from './handlers/index.ts';
import { createDocs } from './docs/index.ts';
import { withQuery } from './http/arguments.ts';
import { readJsonBody } from './http/body.ts';
import { errorBody, errorReply } from './http/envelope.ts';
import { checkNodeIdent, routeError, tooOld, wrongMethod } from './http/gates.ts';
import { createExchange, type Exchange, pathOf } from './http/exchange.ts';
import { inOrder } from './http/in-order.ts';
import { checkBody, checkQuery, matchOperation, methodsAt, missesNode, responseProblem } from './http/operations.ts';
import { MAX_MINOR, MIN_MINOR, negotiateMinor, VERSION_HEADERS } from './http/versions.ts';
import { createPerformer } from './perform.ts';
import type { ApiServices, Reply } from './request.ts';
import { createKeptNodes } from './views/kept-nodes.ts';

export interface ApiOptions extends ApiServices {
  readonly authenticator: Authenticator;
  /** Addresses whose X-Forwarded-For is believed. */
  readonly trustedProxies?: readonly string[];
  /** Told of every answer that breaks the specification: tests fail on it. Without it, answers are not checked. */
  readonly onResponseProblem?: (problem: string) => void;
}

export interface Api {
  /** Listens; port 0 picks a free one. Resolves with the port. */
  start(address: string, port: number): Promise<number>;
  /** Ends streams, then the server. */
  stop(): Promise<void>;
  readonly metrics: Registry;
}

/** A request id that a client sent along, else one of ours. */
const requestIdOf = (sent: string | undefined, fresh: string) =>
  sent && /^req-[\w-]{1,100}$/.test(sent) ? sent : fresh;

const UNVERSIONED =
  /^\/(nodes|ports|portgroups|chassis|drivers|conductors|volume|allocations|deploy_templates|runbooks|inspection_rules|shards|lookup|heartbeat|continue_inspection)(\/|$)/;

/** Below 1.91 a path may end in .json, which means nothing. */
const DOT_JSON_ENDS = 91;
const DOT_JSON = /^(\/.*[^/])\.json\/?$/;

interface Answer {
  readonly operation: string;
  readonly reply: Reply;
}

/** Methods at a path of the specification, without a word of those that are not there. */
function optionsOf(path: string): Record<string, string> {
  const allowed = methodsAt(versioned(path));
  return allowed.length === 0 ? {} : { Allow: allowed.join(', ') };
}

/** Paths without /v1 mean version 1, as Ironic routes them. */
const versioned = (path: string): string => (UNVERSIONED.test(path) ? `/v1${path}` : path);

const minorOf = (ctx: Exchange, path: string): number =>
  negotiateMinor(
    ctx.get(VERSION_HEADERS.version) || undefined,
    ctx.get('OpenStack-API-Version') || undefined,
    // The controller of the version document looks at the version by itself.
    /^\/v1\/?$/.test(path) ? (code, message) => new ServiceError(code, message) : undefined,
  );

/** Who did not say by which name it asks (HTTP/1.0) is told the address that it asks. */
const hostOf = ({ host, req: { socket } }: Exchange): string =>
  host || `${socket.localFamily === 'IPv6' ? `[${socket.localAddress}]` : socket.localAddress}:${socket.localPort}`;

/** What stays the same when a request is read in two ways. */
interface Asking {
  readonly minor: number;
  readonly requestId: string;
  readonly readBody: () => Promise<Json | undefined>;
}

/** Whether the end of the path is the name of something rather than a word of the API. */
function namesItsLast(method: string, path: string): boolean {
  const match = matchOperation(method, path);
  return match.kind === 'found' && match.operation.path.endsWith('}');
}

/** Who asks for what everybody may: the service's own documents. */
const NOBODY: Identity = { user: 'nobody', role: 'reader', project: null };

/** A name and a port. It stands in every link: a long one would make a list of nodes a hundred megabytes. */
const MAX_HOST = 255 + 6;

/** How long clients may take to finish when the service stops. */
const STOP_PATIENCE_MS = 2_000;

/** So often it is looked whether who reads a stream is still logged in. */
const LOOK_MS = 30_000;

/** Builds the API. It starts nothing by itself. */
export function createApi(given: ApiOptions): Api {
  const options: ApiOptions = { ...given, db: snapshotDb(given.db), keptNodes: createKeptNodes(given.db.read.nodes) };
  const { log, random, clock } = options;
  const metrics = new Registry();
  const seconds = new Histogram({
    name: 'bessemer_api_request_seconds',
    help: 'Time to answer, by operation',
    labelNames: ['operation', 'status'],
    registers: [metrics],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
  });
  // Finding the line of a histogram by its labels costs more than adding to it.
  const lines = new Map<string, { observe(value: number): void }>();
  function observe(operation: string, status: number, tookS: number): void {
    const key = `${operation} ${status}`;
    let line = lines.get(key);
    if (!line) lines.set(key, (line = seconds.labels(operation, String(status))));
    line.observe(tookS);
  }
  const streams = new Gauge({ name: 'bessemer_api_event_streams', help: 'Open event streams', registers: [metrics] });
  const failures = new Counter({
    name: 'bessemer_api_failures_total',
    help: 'Answers with status 500 and above',
    registers: [metrics],
  });
  const stopping = new AbortController();
  const { perform } = createPerformer(options, HANDLERS);
  const viewOf = createViews(options.db);
  const docs = createDocs();

  /** Aborted when the client goes away, what it logged in with holds no more, or the service stops. */
  function signalOf(
    response: ServerResponse,
    stillIn: () => Promise<unknown>,
    endsAt: number | undefined,
  ): AbortSignal {
    const gone = new AbortController();
    if (response.closed) gone.abort();
    else response.once('close', () => gone.abort());
    const look = () => {
      // Not sooner than in a second: the database's clock, which judges, may be behind ours.
      const leftMs = endsAt === undefined ? LOOK_MS : Math.max(1_000, endsAt - clock.nowMs());
      const timer = clock.setTimer(Math.min(leftMs, LOOK_MS), () => void again(), { background: true });
      gone.signal.addEventListener('abort', () => timer.cancel(), { once: true });
    };
    const again = async () => {
      try {
        await stillIn();
      } catch (error) {
        if (isServiceError(error, 'NOT_AUTHENTICATED')) gone.abort();
      }
      if (!gone.signal.aborted) look();
    };
    if (!gone.signal.aborted && options.authenticator.strategy !== 'noauth') look();
    return AbortSignal.any([gone.signal, stopping.signal]);
  }

  async function answer(ctx: Exchange, requestId: string): Promise<Answer> {
    if (ctx.path.includes('%00') || ctx.querystring.includes('%00'))
      throw new ServiceError('INVALID_PARAMETER', 'The URL holds the character U+0000 (%00), which no name has.');
    // Balancers ask whether anybody is there with OPTIONS or HEAD, and are not logged in.
    if (ctx.method === 'OPTIONS') return { operation: 'options', reply: { status: 200, headers: optionsOf(ctx.path) } };
    if (ctx.host.length > MAX_HOST)
      throw new ServiceError(
        'INVALID_PARAMETER',
        `The Host header has more than ${MAX_HOST} characters, which no name has.`,
      );
    if (docs.has(ctx.path)) return { operation: 'docs', reply: await readDocs(ctx) };
    const path = versioned(ctx.path);
    // What versions there are must be seen with any.
    const isRoot = path === '/';
    const minor = isRoot ? MIN_MINOR : minorOf(ctx, path);
    if (!isRoot) ctx.set(VERSION_HEADERS.version, `1.${minor}`);
    if (minor >= 107) ctx.set('X-OpenStack-Request-Id', requestId);
    let sent: Promise<Json | undefined> | undefined;
    const asked = { minor, requestId, readBody: () => (sent ??= readJsonBody(ctx.req, path)) };
    const bare = minor < DOT_JSON_ENDS && ctx.get(VERSION_HEADERS.version) ? DOT_JSON.exec(path)?.[1] : undefined;
    if (bare === undefined) return answerAt(ctx, path, asked);
    try {
      return await answerAt(ctx, bare, asked);
    } catch (error) {
      // Names may end like that.
      if (isServiceError(error) && error.status === 404 && namesItsLast(ctx.method, bare))
        return answerAt(ctx, path, asked);
      throw error;
    }
  }

  async function readDocs(ctx: Exchange): Promise<Reply> {
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.set('Allow', 'GET, HEAD');
      throw routeError('METHOD_NOT_ALLOWED', `${ctx.method} is not possible here; allowed: GET, HEAD.`);
    }
    const reply = await docs.read(ctx.path, ctx.get('If-None-Match') || undefined);
    if (!reply) throw routeError('NOT_FOUND', `There is nothing at ${ctx.path.slice(0, 200)}.`);
    return reply;
  }

  async function answerAt(ctx: Exchange, path: string, { minor, requestId, readBody }: Asking): Promise<Answer> {
    if (missesNode(path)) throw new ServiceError('MISSING_PARAMETER', 'Missing mandatory parameter: node_ident');
    const match = matchOperation(ctx.method === 'HEAD' && !path.startsWith('/v1') ? 'GET' : ctx.method, path);
    if (match.kind === 'none') throw routeError('NOT_FOUND', `There is nothing at ${ctx.path.slice(0, 200)}.`);
    if (match.kind === 'method') throw wrongMethod(ctx.method, match, minor);
    const { operation, params } = match;
    if (options.authenticator.strategy === 'noauth')
      checkLocalCaller(ctx.get('Host'), ctx.get('Origin'), options.config.public_endpoint);
    const address = clientAddress(ctx.req.socket.remoteAddress, ctx.get('X-Forwarded-For'), options.trustedProxies);
    const logIn = () =>
      options.authenticator.check({
        authorization: ctx.get('Authorization') || undefined,
        authToken: ctx.get('X-Auth-Token') || undefined,
        address,
      });
    const identity = operation.isPublic ? NOBODY : await logIn();
    checkNodeIdent(params['node']);
    const db = viewOf(identity);
    const query = new URLSearchParams(ctx.querystring);
    await authorize({ operation, params, query }, identity, db);
    if (minor < operation.since) throw tooOld(operation);
    if (operation.operationId === 'getMetrics')
      return { operation: 'getMetrics', reply: { status: 200, body: await metrics.metrics() } };
    checkQuery(operation, query, minor);
    const sent = operation.bodySchema ? withQuery(operation, query, await readBody()) : undefined;
    const body = sent === undefined && operation.bodyRequired ? {} : sent;
    checkBody(operation, body);
    if (body !== undefined) await authorize({ operation, params, query, body }, identity, db);
    const scoped: ApiServices = db === options.db ? options : { ...options, db };
    const isAudited = options.config.audit && options.authenticator.strategy !== 'noauth';
    const audit = isAudited
      ? auditOf({ operation, params, query, body }, identity, { requestId, address }, scoped)
      : undefined;
    const handler = HANDLERS[operation.operationId as OperationId];
    let signal: AbortSignal | undefined;
    const reply = await perform(
      handler,
      {
        operation,
        params,
        query,
        body,
        minor,
        // Clients send one id along with all requests of an operation, and the bus answers a repeated id with its first answer:
        // "off" and "on" of one operation are two calls.
        requestId: `${requestId}/${random.uuid()}`,
        base: options.config.public_endpoint.replace(/\/$/, '') || `http://${hostOf(ctx)}`,
        header: (name) => ctx.get(name) || undefined,
        identity,
        authorize: (asked) => authorize(asked, identity, db),
        // Streams alone look at it, and a signal for every request costs more than many a request.
        get signal() {
          return (signal ??= signalOf(ctx.res, operation.isPublic ? async () => {} : logIn, identity.expiresAt));
        },
      },
      audit?.services ?? scoped,
    );
    await audit?.done(reply);
    if (options.onResponseProblem && !reply.stream && reply.status !== 304) {
      const text = reply.bytes
        ? new TextDecoder().decode(reply.bytes)
        : typeof reply.body === 'object'
          ? JSON.stringify(reply.body)
          : reply.body;
      const problem = responseProblem(operation, reply.status, text);
      if (problem) options.onResponseProblem(problem);
    }
    return { operation: operation.operationId, reply };
  }

  function send(ctx: Exchange, reply: Reply): void {
    for (const [name, value] of Object.entries(reply.headers ?? {})) ctx.set(name, value);
    if (reply.stream) {
      streams.inc();
      ctx.res.once('close', () => streams.dec());
      ctx.req.socket.setNoDelay(true);
      ctx.send(reply.status, reply.stream);
    } else if (reply.bytes) {
      ctx.set('Content-Type', 'application/json');
      ctx.send(reply.status, reply.bytes);
    } else if (typeof reply.body === 'object') {
      ctx.set('Content-Type', 'application/json');
      ctx.send(reply.status, JSON.stringify(reply.body));
    } else ctx.send(reply.status, reply.body);
  }

  async function handle(ctx: Exchange): Promise<void> {
    const requestId = requestIdOf(ctx.get('X-OpenStack-Request-Id') || undefined, `req-${random.uuid()}`);
    const startedMs = clock.monotonicMs();
    let operation = 'none';
    let status: number;
    ctx.set(VERSION_HEADERS.min, `1.${MIN_MINOR}`);
    ctx.set(VERSION_HEADERS.max, `1.${MAX_MINOR}`);
    ctx.set('OpenStack-Request-Id', requestId);
    try {
      const result = await answer(ctx, requestId);
      operation = result.operation;
      status = result.reply.status;
      send(ctx, result.reply);
    } catch (error) {
      const fault = errorReply(error, requestId, (unknown) =>
        log.error('request failed', {
          requestId,
          method: ctx.method,
          path: ctx.path,
          error: unknown instanceof Error ? unknown.stack : String(unknown),
        }),
      );
      status = fault.status;
      if (status >= 500) failures.inc();
      // What is left of the body is not waited for: the next request cannot come after it.
      if (status === 405 && isServiceError(error) && error.context['allowed'])
        ctx.set('Allow', String(error.context['allowed']));
      if (status === 413) ctx.set('Connection', 'close');
      if (status === 503) ctx.set('Retry-After', '1');
      if (status === 401) ctx.set('WWW-Authenticate', options.authenticator.challenge);
      if (status === 429 && isServiceError(error)) ctx.set('Retry-After', String(error.context['retryAfterS'] ?? 1));
      ctx.set('Content-Type', 'application/json');
      // Headers that had gone out already cannot be taken back.
      if (ctx.res.headersSent) ctx.res.destroy();
      else ctx.send(status, fault.body);
    }
    observe(operation, status, (clock.monotonicMs() - startedMs) / 1000);
  }
  /** What breaks while it is sent: a client that left is no error. */
  const onBreak = (error: NodeJS.ErrnoException) => {
    if (!['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(error.code ?? ''))
      log.warn('answer not sent', { error: error.message });
  };

  let server: Server | undefined;
  return {
    metrics,
    async start(address, port) {
      server = createServer(
        inOrder((request, response) => {
          const url = pathOf(request.url ?? '/');
          if (url === undefined) {
            response
              .writeHead(400, { 'Content-Type': 'application/json' })
              .end(errorBody(400, 'The request path is malformed.'));
            return;
          }
          void handle(createExchange(request, response, onBreak, url));
        }),
      );
      server.keepAliveTimeout = 65_000;
      server.listen(port, address);
      await once(server, 'listening');
      const at = server.address();
      return typeof at === 'object' && at ? at.port : port;
    },
    async stop() {
      stopping.abort();
      if (!server) return;
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      // A stream whose reader has stopped reading, or half a request, would keep the service from ending.
      const timer = clock.setTimer(STOP_PATIENCE_MS, () => server?.closeAllConnections());
      await closed;
      timer.cancel();
    },
  };
}
