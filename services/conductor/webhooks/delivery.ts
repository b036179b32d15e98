/**
 * Delivers events to webhooks. Each webhook has a cursor in the durable event table and is served in its order: an event is
 * taken by the receiver, or given up after the last attempt and laid among the dead letters; only then comes the next. The
 * cursor moves after the answer, so a crash in between sends an event twice and never leaves one out.
 *
 * Of several processes the one that holds a webhook's lease serves it. A lease that is used up is not trusted: whoever has
 * less of it left than an attempt may take renews it first.
 */
import { coerceError, matchEventTypes, severitiesFrom, type StoredEvent } from '@bessemer/core';
import type { DeadLetter, Db, EventFilter, Repositories, Webhook, WebhookDelivery } from '@bessemer/db';
import { expand } from '@bessemer/node-range';
import type { Clock, Log, Random, Timer } from '@bessemer/ports';
import { SEND_TIMEOUT_MS, type SendResult, type WebhookSender } from './http-sender.ts';
import { headersOf, messageOf } from './message.ts';

/** Pauses between the attempts at one event, each shortened or lengthened by up to a fifth. */
const PAUSES_MS = [1_000, 5_000, 25_000, 120_000, 300_000, 600_000, 600_000];
const MAX_ATTEMPTS = PAUSES_MS.length + 1;
/** So many events given up in a row switch the webhook off: nobody is there. */
const MAX_FAILURES = 5;
/** The receiver says that it is gone for good (RFC 9110 section 15.5.11). */
const GONE = 410;
const KEPT_DEAD_LETTERS = 1_000;
const BATCH = 50;
const LEASE_MS = 60_000;
const LEASE_LEFT_MS = 2 * SEND_TIMEOUT_MS;
/** A look at all webhooks, in case a bell was lost. */
const LOOK_MS = 30_000;

type Hook = Webhook & WebhookDelivery;

export interface WebhookDeliveryService {
  /** Resolves when it has begun; what it sends from then on it does by itself. */
  start(): Promise<void>;
  /** Breaks off what is being sent; it is sent again by whoever goes on. */
  stop(): Promise<void>;
}

function filterOf({ events, nodes, severity }: Webhook): EventFilter {
  const matched = matchEventTypes(events);
  const range = nodes === null ? undefined : expand(nodes);
  return {
    // A pattern of another release may fit nothing here: then nothing is sent, rather than everything.
    ...(events.length === 0 ? {} : { types: matched.ok ? matched.types : [] }),
    ...(range === undefined ? {} : { nodes: range.ok ? range.names : [] }),
    ...(severity === null ? {} : { severities: severitiesFrom(severity) }),
  };
}

const isTaken = (result: SendResult): result is SendResult & { readonly status: number } =>
  result.status !== null && result.status >= 200 && result.status < 300;
const errorOf = ({ status, error }: SendResult): string =>
  status === null ? error : `answered ${status}${status >= 300 && status < 400 ? ': redirects are not followed' : ''}`;

export function createWebhookDelivery(deps: {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly sender: WebhookSender;
  /** Nobody else works on this database: leases of others are those of processes that died. */
  readonly isOnlyProcess?: boolean;
}): WebhookDeliveryService {
  const { db, clock, random, log, sender } = deps;
  const holder = random.uuid();
  const stopping = new AbortController();
  /** When each of our leases ends, in time that never goes back. */
  const leases = new Map<string, number>();
  /** Where the events begin that nobody has looked at, when the webhook wanted none of those before. */
  const looked = new Map<string, { readonly base: string; readonly at: string; readonly updatedAt: number | null }>();
  const atWork = new Map<string, Promise<void>>();
  /** Until when a webhook is left alone whose service broke down on our side. */
  const resting = new Map<string, number>();
  let timer: Timer | undefined;
  let looking: Promise<void> | undefined;
  let mustLook = false;

  const isStopped = () => stopping.signal.aborted;

  /** True when the lease was held all along; false when it was only taken now, undefined when another has it. */
  async function hold(uuid: string): Promise<boolean | undefined> {
    const endsMs = leases.get(uuid) ?? Number.NEGATIVE_INFINITY;
    const nowMs = clock.monotonicMs();
    if (endsMs - nowMs > LEASE_LEFT_MS) return true;
    const isOurs = await db.write('lease webhook', (tx) => tx.webhooks.lease(uuid, holder, LEASE_MS));
    if (!isOurs) {
      leases.delete(uuid);
      return undefined;
    }
    // Counted from before the write: we believe to hold it for less long than others do.
    leases.set(uuid, nowMs + LEASE_MS);
    return endsMs > nowMs;
  }

  /** One of the ways on. False when the lease was lost. */
  async function note(uuid: string, name: string, fn: (tx: Repositories) => Promise<boolean>): Promise<boolean> {
    const isHeld = await db.write(`webhook ${name}`, fn);
    if (!isHeld) leases.delete(uuid);
    return isHeld;
  }

  function attempt(
    hook: Hook,
    message: DeadLetter['event'],
    number: number,
    isRedelivery: boolean,
  ): Promise<SendResult> {
    const body = JSON.stringify(message);
    const headers = headersOf(message, body, {
      webhook: hook.uuid,
      secret: hook.secret,
      attempt: number,
      isRedelivery,
      nowMs: clock.nowMs(),
    });
    return sender.send({ url: hook.url, headers, body, signal: stopping.signal });
  }

  async function switchOff(tx: Repositories, hook: Hook, reason: string): Promise<void> {
    await tx.webhooks.disable(hook.uuid, holder, reason);
    await tx.events.append({
      type: 'webhook.disabled',
      nodeUuid: null,
      runId: null,
      severity: 'error',
      data: { webhook: hook.uuid, reason },
    });
  }

  /** Sends one event. True: on to the next one. */
  async function deliver(hook: Hook, event: StoredEvent): Promise<boolean> {
    const { uuid } = hook;
    const message = messageOf(event);
    const result = await attempt(hook, message, hook.attempts + 1, false);
    if (isStopped()) return false;
    if (isTaken(result)) {
      const { status } = result;
      return note(uuid, 'delivered', (tx) => tx.webhooks.delivered(uuid, holder, event.cursor, status));
    }
    const failure = { status: result.status, error: errorOf(result) };
    const attempts = hook.attempts + 1;
    log.info('a webhook was not delivered', { webhook: uuid, event: event.cursor, attempts, ...failure });
    if (attempts < MAX_ATTEMPTS && result.status !== GONE) {
      const retryInMs = Math.round(PAUSES_MS[attempts - 1]! * (0.8 + random.float() * 0.4));
      await note(uuid, 'failed', (tx) => tx.webhooks.failed(uuid, holder, { ...failure, retryInMs }));
      return false;
    }
    const isOver = hook.failures + 1 >= MAX_FAILURES || result.status === GONE;
    const isHeld = await note(uuid, 'given up', async (tx) => {
      const isLaid = await tx.webhooks.giveUp(uuid, holder, {
        ...failure,
        event: message,
        cursor: event.cursor,
        kept: KEPT_DEAD_LETTERS,
      });
      if (isLaid && isOver)
        await switchOff(
          tx,
          hook,
          result.status === GONE
            ? 'The receiver says that it is gone (410).'
            : `${MAX_FAILURES} events in a row could not be delivered, the last one because: ${failure.error}.`,
        );
      return isLaid;
    });
    return isHeld && !isOver;
  }

  /** Sends a dead letter once more, as somebody asked. True: go on. */
  async function redeliver(hook: Hook, letter: DeadLetter): Promise<boolean> {
    const { uuid } = hook;
    const result = await attempt(hook, letter.event, letter.attempts + 1, true);
    if (isStopped()) return false;
    if (isTaken(result)) {
      const { status } = result;
      return note(uuid, 'redelivered', (tx) => tx.webhooks.deadLetterDelivered(uuid, holder, letter.id, status));
    }
    const failure = { status: result.status, error: errorOf(result) };
    return note(uuid, 'not redelivered', (tx) => tx.webhooks.deadLetterFailed(uuid, holder, letter.id, failure));
  }

  const isReady = async (hook: Hook) => hook.enabled && (hook.nextAttemptAt ?? 0) <= (await db.now());

  /** Events that are next, without asking again about those that the webhook did not want. */
  async function nextEvents(hook: Hook): Promise<StoredEvent[]> {
    const known = looked.get(hook.uuid);
    const isKnown = known?.base === hook.cursor && known.updatedAt === hook.updatedAt;
    const head = await db.read.events.head();
    const events = await db.read.events.listAfter(isKnown ? known.at : hook.cursor, filterOf(hook), BATCH);
    if (events.length === 0) looked.set(hook.uuid, { base: hook.cursor, at: head, updatedAt: hook.updatedAt });
    return events;
  }

  /** Serves one webhook until there is nothing to send, it has to wait, or another holds it. */
  async function serve(uuid: string): Promise<void> {
    while (!isStopped()) {
      const hook = await db.read.webhooks.get(uuid);
      if (!hook || !(await isReady(hook))) return;
      const letter = await db.read.webhooks.nextDue(uuid);
      const events = letter ? [] : await nextEvents(hook);
      if (!letter && events.length === 0) return;
      const hasHeld = await hold(uuid);
      if (hasHeld === undefined) return;
      // What was read before the lease may be what its last holder has sent meanwhile.
      if (!hasHeld) continue;
      if (letter) {
        if (!(await redeliver(hook, letter))) return;
        continue;
      }
      for (const event of events) {
        const now = await db.read.webhooks.get(uuid);
        if (!now?.enabled || now.updatedAt !== hook.updatedAt || !(await hold(uuid))) break;
        if (!(await deliver(now, event))) return;
      }
    }
  }

  function begin(uuid: string): void {
    const work = serve(uuid)
      .catch((error: unknown) => {
        resting.set(uuid, clock.monotonicMs() + LOOK_MS);
        log.warn('a webhook was not served', { webhook: uuid, error: coerceError(error).message });
      })
      .then(() => {
        atWork.delete(uuid);
        // It may have to be tried again sooner than we meant to look.
        look();
      });
    atWork.set(uuid, work);
  }

  /** Begins what is due, and sets the timer for what will be. */
  async function lookOnce(): Promise<void> {
    const [hooks, nowMs] = [await db.read.webhooks.listEnabled(), await db.now()];
    let nextMs = LOOK_MS;
    for (const hook of hooks) {
      if (atWork.has(hook.uuid) || (resting.get(hook.uuid) ?? 0) > clock.monotonicMs()) continue;
      const othersEndMs = hook.lease !== null && hook.lease !== holder ? (hook.leasedUntil ?? 0) : 0;
      const dueMs = Math.max(hook.nextAttemptAt ?? 0, othersEndMs);
      if (dueMs > nowMs) nextMs = Math.min(nextMs, dueMs - nowMs);
      else if (!isStopped() && (await hasWork(hook))) begin(hook.uuid);
    }
    timer?.cancel();
    if (!isStopped()) timer = clock.setTimer(nextMs, look, { background: true });
  }
  const hasWork = async (hook: Hook): Promise<boolean> =>
    (await nextEvents(hook)).length > 0 || (await db.read.webhooks.nextDue(hook.uuid)) !== undefined;

  function look(): void {
    mustLook = true;
    looking ??= (async () => {
      while (mustLook && !isStopped()) {
        mustLook = false;
        try {
          await lookOnce();
        } catch (error) {
          log.warn('webhooks were not read', { error: coerceError(error).message });
          timer?.cancel();
          timer = clock.setTimer(LOOK_MS, look, { background: true });
        }
      }
      looking = undefined;
    })();
  }

  let unsubscribe = () => {};
  return {
    async start() {
      if (deps.isOnlyProcess) await db.write('end webhook leases', (tx) => tx.webhooks.endLeases());
      unsubscribe = db.onEvents(look);
      look();
    },
    async stop() {
      stopping.abort();
      unsubscribe();
      timer?.cancel();
      await looking;
      await Promise.all(atWork.values());
      timer?.cancel();
      if (leases.size > 0)
        await db
          .write('end webhook leases', (tx) => tx.webhooks.endLeases(holder))
          .catch((error: unknown) => log.warn('leases were not ended', { error: coerceError(error).message }));
    },
  };
}
