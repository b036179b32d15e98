/** For tests of any room: handlers to build on, a throw-away RabbitMQ. */
import { ServiceError } from '@bessemer/core';
import type { RpcHandlers } from './contract.ts';
import { METHOD_SCHEMAS } from './schemas.ts';

/** Handlers that refuse everything but what is given. */
export function testHandlers(given: Partial<RpcHandlers>): RpcHandlers {
  const refuse = (method: string) => async () => {
    throw new ServiceError('UNSUPPORTED_DRIVER_EXTENSION', `${method} is not part of this test.`);
  };
  const all = Object.fromEntries(Object.keys(METHOD_SCHEMAS).map((method) => [method, refuse(method)]));
  return { ...all, ...given } as unknown as RpcHandlers;
}

export { startRabbit } from './rabbit-testing.ts';
export type { TestRabbit } from './rabbit-testing.ts';
