/**
 * ETag, If-None-Match and If-Match for every resource, without code of its own: a tag is made of what is shown, and before a
 * change the object is shown once more, in the transaction that will change it.
 */
import { OPERATIONS, type OperationSpec } from '@bessemer/api-spec';
import { isServiceError, ServiceError } from '@bessemer/core';
import type { Db, Repositories } from '@bessemer/db';
import type { OperationId } from './handlers/index.ts';
import { digestOf, type EntityTag, entityTag, parseEntityTags } from './http/entity-tags.ts';
import type { ApiRequest, ApiServices, Handler, Precondition, Reply } from './request.ts';

export type Handlers = Readonly<Record<OperationId, Handler>>;

const SHOWN_BY: ReadonlyMap<string, OperationSpec> = new Map(
  OPERATIONS.filter((o) => o.method === 'GET').map((o) => [o.path, o]),
);

/** What may be read with GET at this path or above it, nearest first: `states` of a node, then the node. */
function objectsAt(path: string): OperationSpec[] {
  const parts = path.split('/');
  const found: OperationSpec[] = [];
  for (let length = parts.length; length > 3; length--) {
    const operation = SHOWN_BY.get(parts.slice(0, length).join('/'));
    if (operation?.path.includes('{')) found.push(operation);
  }
  return found;
}

const textOf = (reply: Reply): string | undefined =>
  typeof reply.body === 'object' ? JSON.stringify(reply.body) : reply.body;

function isTagged({ operation }: ApiRequest, reply: Reply): boolean {
  if (reply.stream || reply.body === undefined) return false;
  if (operation.method === 'GET') return reply.status === 200 && operation.path.includes('{');
  return reply.status === 201 || (reply.status === 200 && (operation.method === 'PATCH' || operation.method === 'PUT'));
}

/** Adds the tag to an answer that shows one object, and makes it 304 when If-None-Match knows the tag. */
export function tagged(request: ApiRequest, reply: Reply): Reply {
  if (!isTagged(request, reply)) return reply;
  const text = textOf(reply)!;
  const isPartial = request.query.size > 0 && request.operation.method === 'GET';
  const tag = entityTag(reply.digest ?? digestOf(text), request.minor, isPartial);
  const known = request.operation.method === 'GET' ? request.header('if-none-match') : undefined;
  const tags = known === undefined ? undefined : parseEntityTags(known);
  if (tags === '*' || tags?.some((t) => t.text === tag)) return { status: 304, headers: { ETag: tag } };
  return {
    ...reply,
    body: text,
    headers: {
      ...(typeof reply.body === 'object' ? { 'Content-Type': 'application/json' } : {}),
      ...reply.headers,
      ETag: tag,
    },
  };
}

/** A look at an object must not set anything going. */
class NotByReading extends Error {}
const refuse = (): never => {
  throw new NotByReading();
};

/** The handler's services, over what a transaction sees, for reading alone. */
function readingServices(services: ApiServices, repositories: Repositories): ApiServices {
  return {
    ...services,
    db: { ...services.db, read: repositories, write: async () => refuse() },
    rpc: { ...services.rpc, call: async () => refuse(), cast: refuse },
  };
}

/**
 * If-Match of a request that changes something; undefined when it has none.
 * @throws ServiceError INVALID_PARAMETER for a header that is no list of tags.
 */
export function preconditionOf(
  request: ApiRequest,
  services: ApiServices,
  handlers: Handlers,
): Precondition | undefined {
  if (!['PATCH', 'PUT', 'DELETE'].includes(request.operation.method)) return undefined;
  const header = request.header('if-match');
  if (header === undefined) return undefined;
  const tags = parseEntityTags(header);
  if (tags === undefined)
    throw new ServiceError(
      'INVALID_PARAMETER',
      `If-Match takes * or up to 16 entity tags as ETag gave them, in double quotes, not ${header.slice(0, 100)}`,
    );
  // The object is there, or the handler says that it is not.
  if (tags === '*') return { check: async () => {} };

  async function tagNow(operation: OperationSpec, minor: number, repositories: Repositories): Promise<string> {
    const reply = await handlers[operation.operationId as OperationId](
      { ...request, operation, minor, query: new URLSearchParams(), body: undefined, header: () => undefined },
      readingServices(services, repositories),
    );
    return entityTag(digestOf(textOf(reply) ?? ''), minor, false);
  }
  async function matches(tag: EntityTag, operation: OperationSpec, repositories: Repositories): Promise<boolean> {
    if (tag.isWeak || tag.isPartial || tag.minor === undefined || tag.minor < operation.since) return false;
    try {
      return (await tagNow(operation, tag.minor, repositories)) === tag.text;
    } catch (error) {
      // What cannot be shown matches nothing; that it is gone is the handler's to say.
      if (error instanceof NotByReading || (isServiceError(error) && error.status < 500)) return false;
      throw error;
    }
  }
  return {
    async check(repositories) {
      for (const operation of objectsAt(request.operation.path))
        for (const tag of tags) if (await matches(tag, operation, repositories)) return;
      const hint = tags.some((t) => t.isPartial)
        ? 'A tag of a view with fields= says nothing about the whole: read the object without a query'
        : tags.every((t) => t.isWeak)
          ? 'If-Match compares strongly and a tag with W/ never matches: read the object'
          : 'It was changed since it was read: read it again';
      throw new ServiceError(
        'PRECONDITION_FAILED',
        `The object is not (any more) what If-Match says, ${header.slice(0, 200)}. ${hint}, and repeat the change with the ETag of that answer.`,
      );
    },
  };
}

/**
 * The services of a request with a precondition: it is checked in the first transaction that writes, or before a conductor is
 * asked, whichever comes first. What the request itself has changed is not held against it.
 */
export function guardedServices(services: ApiServices, precondition: Precondition): ApiServices {
  let hasHeld = false;
  const write: Db['write'] = async (name, fn, options) => {
    if (hasHeld) return services.db.write(name, fn, options);
    const value = await services.db.write(
      name,
      async (tx) => {
        await precondition.check(tx);
        return fn(tx);
      },
      options,
    );
    hasHeld = true;
    return value;
  };
  return {
    ...services,
    db: { ...services.db, write },
    rpc: {
      ...services.rpc,
      async call(host, method, args, options) {
        if (!hasHeld) await precondition.check(services.db.read);
        hasHeld = true;
        return services.rpc.call(host, method, args, options);
      },
    },
  };
}
