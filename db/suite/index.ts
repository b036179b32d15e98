/** What every engine does: the same tests run on SQLite and on PostgreSQL. */
import { describe } from 'vitest';
import { describeEventsAndTransactions } from './events.suite.ts';
import type { MakeDb } from './fixtures.ts';
import { describeIdempotency } from './idempotency.suite.ts';
import { describeLifeCycle } from './life-cycle.suite.ts';
import { describeNodes } from './nodes.suite.ts';
import { describeOthers } from './others.suite.ts';
import { describePlainResources } from './plain.suite.ts';
import { describeWebhooks } from './webhooks.suite.ts';
import { describeScope } from './scope.suite.ts';
import { describeTokens } from './tokens.suite.ts';

export function describeRepositories(engine: string, make: MakeDb): void {
  describe(`repositories on ${engine}`, () => {
    describeNodes(make);
    describeLifeCycle(make);
    describeOthers(make);
    describePlainResources(make);
    describeIdempotency(make);
    describeWebhooks(make);
    describeTokens(make);
    describeScope(make);
    describeEventsAndTransactions(make);
  });
}
