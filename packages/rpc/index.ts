/** What the API asks of conductors: the contract, and the buses that carry it. */
export * from './contract.ts';
export { memoryRequestStore } from './dispatcher.ts';
export type { RequestStore } from './dispatcher.ts';
export { createAmqpTransport } from './amqp.ts';
export type { AmqpOptions } from './amqp.ts';
export { createMemoryTransport } from './memory.ts';
export * from './placement.ts';
