/** The load generator, a process of its own: takes orders from its parent, answers with figures. */
import { systemClock } from '@bessemer/ports/node';
import { driveCycles, type CycleOrder } from './api-cycles.ts';
import { openConnection } from './api-connection.ts';

export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
}

export interface LoadOrder {
  readonly kind: 'load';
  readonly port: number;
  readonly minor: number;
  readonly connections: number;
  readonly requests: readonly WireRequest[];
  /** Sends them over and over for so long; without it each once. */
  readonly durationMs?: number;
}

export interface LoadResult {
  readonly count: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Size of the greatest body. */
  readonly bytes: number;
  /** How often each status was answered. */
  readonly statuses: Readonly<Record<string, number>>;
}

export type Order = LoadOrder | CycleOrder;

async function load(order: LoadOrder): Promise<LoadResult> {
  const { requests, durationMs } = order;
  const latencies: number[] = [];
  const statuses: Record<string, number> = {};
  let next = 0;
  let bytes = 0;
  const startedMs = systemClock.monotonicMs();
  const isOver = () =>
    durationMs === undefined ? next >= requests.length : systemClock.monotonicMs() - startedMs >= durationMs;
  const worker = async () => {
    const connection = openConnection(order.port, order.minor);
    while (!isOver()) {
      const { method, path, body } = requests[next++ % requests.length]!;
      const sentMs = systemClock.monotonicMs();
      const answer = await connection.ask(method, path, body);
      latencies.push(systemClock.monotonicMs() - sentMs);
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      bytes = Math.max(bytes, answer.bytes);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: order.connections }, worker));
  const elapsedMs = systemClock.monotonicMs() - startedMs;
  latencies.sort((a, b) => a - b);
  const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0;
  return {
    count: latencies.length,
    elapsedMs,
    p50Ms: quantile(0.5),
    p95Ms: quantile(0.95),
    p99Ms: quantile(0.99),
    bytes,
    statuses,
  };
}

process.on('message', (order: Order) => {
  const done = order.kind === 'load' ? load(order) : driveCycles(order);
  done.then(
    (result) => process.send!({ result }),
    (error: unknown) => process.send!({ error: error instanceof Error ? error.message : String(error) }),
  );
});
