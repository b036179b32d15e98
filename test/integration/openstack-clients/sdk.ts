/** Calls of Debian's python3-openstacksdk. */
import { expect } from 'vitest';
import { type Caller, type ClientWorld, createCaller, type Failure } from './world.ts';

type Named = Readonly<Record<string, unknown>>;

/** The exception for what is not there, which has another name in later releases. */
export const NOT_FOUND: unknown = expect.stringMatching(/^(Resource)?NotFound(Exception)?$/);

export interface Sdk {
  /** Of the whole connection: `baremetal.get_node`, `get_machine`. */
  readonly caller: Caller;
  /** `connection.baremetal.METHOD(*args, **kwargs)`, which must go well. */
  sdk(method: string, args?: readonly unknown[], kwargs?: Named): ReturnType<Caller['call']>;
  /** `create_WHAT(**kwargs)`; what it made is `@KEEP` in later calls. */
  create(what: string, kwargs: Named, keep?: string): ReturnType<Caller['call']>;
  failureOf(method: string, args?: readonly unknown[], kwargs?: Named): Promise<Failure>;
}

/** @param world is asked for with each call.
 * @param options of `openstack.connect`, over those for a service that lets everybody in. */
export function createSdk(world: () => ClientWorld, options: Named = {}): Sdk {
  const caller = createCaller((call) =>
    world().clients.sdk({ auth_type: 'none', auth: { endpoint: world().url }, ...options }, call),
  );
  return {
    caller,
    sdk: (method, args, kwargs) => caller.call(`baremetal.${method}`, args, kwargs),
    create: (what, kwargs, keep) =>
      keep === undefined
        ? caller.call(`baremetal.create_${what}`, [], kwargs)
        : caller.keep(keep, `baremetal.create_${what}`, [], kwargs),
    failureOf: (method, args, kwargs) => caller.failure(`baremetal.${method}`, args, kwargs),
  };
}
