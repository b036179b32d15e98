/** The HTTP edge: Koa carries requests to the operation that the specification names, and answers in Ironic's form. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { Readable } from 'node:stream';
import { type Identity, isServiceError, ServiceError } from '@bessemer/core';
import Koa from 'koa';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { clientAddress } from './access/address.ts';
import { auditOf } from './access/audit.ts';
import type { Authenticator } from './access/authenticator.ts';
import { authorize, createViews } from './access/gate.ts';
import { checkLocalCaller } from './access/local-caller.ts';
import { HANDLERS, type OperationId } from './handlers/index.ts';
import { readJsonBody } from './http/body.ts';
import { errorBody, errorReply } from './http/envelope.ts';
import { checkBody, checkQuery, matchOperation, responseProblem } from './http/operations.ts';
import { MAX_MINOR, MIN_MINOR, negotiateMinor, VERSION_HEADERS } from './http/versions.ts';
import type { ApiServices, Reply } from './request.ts';

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
  /^\/(nodes|ports|portgroups|chassis|drivers|conductors|volume|allocations|deploy_templates|runbooks|inspection_rules|shards)(\/|$)/;

/** Who asks for what everybody may: the service's own documents. */
const NOBODY: Identity = { user: 'nobody', role: 'reader', project: null };

/** How long clients may take to finish when the service stops. */
const STOP_PATIENCE_MS = 2_000;

/** Builds the API. It starts nothing by itself. */
export function createApi(options: ApiOptions): Api {
  const { log, random, clock } = options;
  const metrics = new Registry();
  const seconds = new Histogram({
    name: 'bessemer_api_request_seconds',
    help: 'Time to answer, by operation',
    labelNames: ['operation', 'status'],
    registers: [metrics],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
  });
  const streams = new Gauge({ name: 'bessemer_api_event_streams', help: 'Open event streams', registers: [metrics] });
  const failures = new Counter({
    name: 'bessemer_api_failures_total',
    help: 'Answers with status 500 and above',
    registers: [metrics],
  });
  const stopping = new AbortController();
  const viewOf = createViews(options.db);

  async function answer(ctx: Koa.Context, requestId: string): Promise<{ operation: string; reply: Reply }> {
    // Paths without /v1 mean version 1, as Ironic routes them.
    const path = UNVERSIONED.test(ctx.path) ? `/v1${ctx.path}` : ctx.path;
    const minor = negotiateMinor(
      ctx.get(VERSION_HEADERS.version) || undefined,
      ctx.get('OpenStack-API-Version') || undefined,
    );
    ctx.set(VERSION_HEADERS.version, `1.${minor}`);
    if (minor >= 107) ctx.set('X-OpenStack-Request-Id', requestId);
    const match = matchOperation(ctx.method, path);
    if (match.kind === 'none') throw new ServiceError('NOT_FOUND', `There is nothing at ${ctx.path.slice(0, 200)}.`);
    if (match.kind === 'method') {
      ctx.set('Allow', match.allowed.join(', '));
      throw new ServiceError(
        'METHOD_NOT_ALLOWED',
        `${ctx.method} is not possible here; allowed: ${match.allowed.join(', ')}.`,
      );
    }
    const { operation, params } = match;
    if (options.authenticator.strategy === 'noauth')
      checkLocalCaller(ctx.get('Host'), ctx.get('Origin'), options.config.public_endpoint);
    const address = clientAddress(ctx.req.socket.remoteAddress, ctx.get('X-Forwarded-For'), options.trustedProxies);
    const identity = operation.isPublic
      ? NOBODY
      : await options.authenticator.check({
          authorization: ctx.get('Authorization') || undefined,
          authToken: ctx.get('X-Auth-Token') || undefined,
          address,
        });
    const db = viewOf(identity);
    const query = new URLSearchParams(ctx.querystring);
    await authorize({ operation, params, query }, identity, db);
    if (minor < operation.since)
      throw new ServiceError(
        'NOT_FOUND',
        `Not Found: ${operation.operationId} needs API version 1.${operation.since} or newer.`,
      );
    if (operation.operationId === 'getMetrics')
      return { operation: 'getMetrics', reply: { status: 200, body: await metrics.metrics() } };
    checkQuery(operation, query, minor);
    const body = operation.bodySchema ? await readJsonBody(ctx.req, path) : undefined;
    checkBody(operation, body);
    if (body !== undefined) await authorize({ operation, params, query, body }, identity, db);
    const scoped: ApiServices = db === options.db ? options : { ...options, db };
    const isAudited = options.config.audit && options.authenticator.strategy !== 'noauth';
    const audit = isAudited
      ? auditOf({ operation, params, query, body }, identity, { requestId, address }, scoped)
      : undefined;
    const gone = new AbortController();
    ctx.res.once('close', () => gone.abort());
    const handler = HANDLERS[operation.operationId as OperationId];
    const reply = await handler(
      {
        operation,
        params,
        query,
        body,
        minor,
        // Clients send one id along with all requests of an operation, and the bus answers a repeated id with its first answer:
        // "off" and "on" of one operation are two calls.
        requestId: `${requestId}/${random.uuid()}`,
        base: options.config.public_endpoint.replace(/\/$/, '') || `${ctx.protocol}://${ctx.host || 'localhost'}`,
        header: (name) => ctx.get(name) || undefined,
        identity,
        authorize: (asked) => authorize(asked, identity, db),
        signal: AbortSignal.any([gone.signal, stopping.signal]),
      },
      audit?.services ?? scoped,
    );
    await audit?.done(reply);
    if (options.onResponseProblem && !reply.stream) {
      const text = typeof reply.body === 'object' ? JSON.stringify(reply.body) : reply.body;
      const problem = responseProblem(operation, reply.status, text);
      if (problem) options.onResponseProblem(problem);
    }
    return { operation: operation.operationId, reply };
  }

  function send(ctx: Koa.Context, reply: Reply): void {
    ctx.status = reply.status;
    for (const [name, value] of Object.entries(reply.headers ?? {})) ctx.set(name, value);
    if (reply.stream) {
      streams.inc();
      ctx.res.once('close', () => streams.dec());
      ctx.req.socket.setNoDelay(true);
      ctx.flushHeaders();
      ctx.body = Readable.from(reply.stream);
    } else if (typeof reply.body === 'object') {
      ctx.set('Content-Type', 'application/json');
      ctx.body = JSON.stringify(reply.body);
    } else if (reply.body === undefined) {
      ctx.body = null;
      ctx.status = reply.status;
      ctx.remove('Content-Type');
    } else ctx.body = reply.body;
  }

  const app = new Koa();
  app.use(async (ctx) => {
    const requestId = requestIdOf(ctx.get('X-OpenStack-Request-Id') || undefined, `req-${random.uuid()}`);
    const startedMs = clock.monotonicMs();
    let operation = 'none';
    ctx.set(VERSION_HEADERS.min, `1.${MIN_MINOR}`);
    ctx.set(VERSION_HEADERS.max, `1.${MAX_MINOR}`);
    ctx.set('OpenStack-Request-Id', requestId);
    try {
      const result = await answer(ctx, requestId);
      operation = result.operation;
      send(ctx, result.reply);
    } catch (error) {
      const { status, body } = errorReply(error, requestId, (unknown) =>
        log.error('request failed', {
          requestId,
          method: ctx.method,
          path: ctx.path,
          error: unknown instanceof Error ? unknown.stack : String(unknown),
        }),
      );
      if (status >= 500) failures.inc();
      if (status === 503) ctx.set('Retry-After', '1');
      if (status === 401) ctx.set('WWW-Authenticate', options.authenticator.challenge);
      if (status === 429 && isServiceError(error)) ctx.set('Retry-After', String(error.context['retryAfterS'] ?? 1));
      ctx.status = status;
      ctx.set('Content-Type', 'application/json');
      ctx.body = body;
    }
    seconds.observe({ operation, status: String(ctx.status) }, (clock.monotonicMs() - startedMs) / 1000);
  });
  // What reaches this point broke while it was sent: a client that left is no error.
  app.on('error', (error: NodeJS.ErrnoException) => {
    if (!['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(error.code ?? ''))
      log.warn('answer not sent', { error: error.message });
  });

  let server: Server | undefined;
  return {
    metrics,
    async start(address, port) {
      const handle = app.callback();
      server = createServer((request, response) => {
        // A malformed URL must not reach Koa's parser as an exception.
        if (!URL.canParse(request.url ?? '', 'http://x')) {
          response
            .writeHead(400, { 'Content-Type': 'application/json' })
            .end(errorBody(400, 'The request path is malformed.'));
          return;
        }
        void handle(request, response);
      });
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
