/**
 * One BMC's life as a pure function: (state, event, input) -> (state, effects). All of it is here: queue, session set-up,
 * retransmission, reopening, keep-alive, circuit breaker. Sockets, timers and promises are the owner's (`client.ts`).
 */
import { closeSession } from '../commands/close-session.ts';
import { COMPLETION, describeCompletionCode } from '../commands/completion-codes.ts';
import { getDeviceId } from '../commands/get-device-id.ts';
import { setSessionPrivilegeLevel } from '../commands/set-session-privilege-level.ts';
import { admit, afterCancelledProbe, afterSilence, CLOSED_BREAKER } from './breaker.ts';
import type {
  EndpointEffect,
  EndpointEvent,
  EndpointState,
  Failure,
  InternalPurpose,
  Pending,
  Phase,
  Request,
  StepInput,
} from './endpoint-state.ts';
import { onHandshakePacket, onHandshakeTimeout, startHandshake } from './handshake.ts';
import type { HandshakeOutcome } from './handshake.ts';
import { learn, retransmitAfterMs } from './rtt.ts';
import { blockRqSeqs, MAX_UNANSWERED, openedSession, sealRequest, unsealResponse } from './session.ts';

/** Time-outs in a row after which the session is taken for gone. */
const SESSION_GONE_AFTER = 2;
/** A command that must not be repeated goes out only in a session heard from so lately; else the session is probed first. */
const PROBE_AFTER_SILENCE_MS = 5000;
/** Pause after completion code C0h (node busy). */
const BUSY_PAUSE_MS = 500;
const CLOSE_TRIES = 2;
const INTERNAL_ID = -1;

type Draft = { -readonly [K in keyof EndpointState]: EndpointState[K] };
type OpenPhase = Extract<Phase, { kind: 'open' }>;

interface Work {
  readonly state: Draft;
  readonly input: StepInput;
  readonly effects: EndpointEffect[];
}

/** The one door. Never throws, whatever a datagram holds. */
export function step(
  state: EndpointState,
  event: EndpointEvent,
  input: StepInput,
): { readonly state: EndpointState; readonly effects: readonly EndpointEffect[] } {
  const work: Work = { state: { ...state }, input, effects: [] };
  switch (event.kind) {
    case 'request':
      onRequest(work, event.request);
      break;
    case 'cancel':
      onCancel(work, event.id);
      break;
    case 'datagram':
      onDatagram(work, event);
      break;
    case 'tick':
      onTick(work);
      break;
    case 'close':
      onClose(work);
      break;
  }
  pump(work);
  work.state.wakeAtMs = wakeAt(work.state);
  return { state: work.state, effects: work.effects };
}

function onRequest({ state, input, effects }: Work, request: Request): void {
  const reject = (failure: Failure): void => void effects.push({ kind: 'reject', id: request.id, failure });
  if (state.isClosing)
    return reject({ code: 'ABORTED', message: `the endpoint of BMC ${state.config.bmc} is closed: ask for it again` });
  if (state.hold && input.nowMs < state.hold.untilMs) {
    const retryAfterMs = state.hold.untilMs - input.nowMs;
    const { failure } = state.hold;
    return reject({ ...failure, details: { ...failure.details, retryAfterMs } });
  }
  state.hold = undefined;
  const decision = admit(state.breaker, input.nowMs);
  if (!decision.admitted) return reject(circuitOpen(state, decision.retryAfterMs));
  state.breaker = decision.breaker;
  state.queue = [...state.queue, request];
}

function circuitOpen(state: EndpointState, retryAfterMs: number): Failure {
  return {
    code: 'CIRCUIT_OPEN',
    message: `BMC ${state.config.bmc} has not answered lately and is left alone for ${Math.ceil(retryAfterMs / 1000)} s: check it, then ask again`,
    details: { retryAfterMs },
  };
}

function onCancel(work: Work, id: number): void {
  const { state, input, effects } = work;
  const { head } = state;
  const message = `the request to BMC ${state.config.bmc} was cancelled`;
  if (head?.request.id === id) {
    const mayHaveBeenReceived = head.attempts > 0;
    abandon(work, head);
    state.head = undefined;
    effects.push({ kind: 'reject', id, failure: { code: 'ABORTED', message, details: { mayHaveBeenReceived } } });
  } else if (state.queue.some((request) => request.id === id)) {
    state.queue = state.queue.filter((request) => request.id !== id);
    effects.push({
      kind: 'reject',
      id,
      failure: { code: 'ABORTED', message, details: { mayHaveBeenReceived: false } },
    });
  } else return;
  if (!state.head && state.queue.length === 0) state.breaker = afterCancelledProbe(state.breaker, input.nowMs);
}

/** Late answers to this request must not be taken for those of a later one. */
function abandon({ state, input }: Work, pending: Pending): void {
  if (state.phase.kind !== 'open') return;
  const rqSeqs = pending.sent.map((sent) => sent.rqSeq);
  state.phase = { ...state.phase, session: blockRqSeqs(state.phase.session, rqSeqs, input.nowMs) };
}

function onClose(work: Work): void {
  const { state } = work;
  if (state.isClosing) return;
  state.isClosing = true;
  const failure: Failure = { code: 'ABORTED', message: `the endpoint of BMC ${state.config.bmc} was closed` };
  for (const request of state.queue) work.effects.push({ kind: 'reject', id: request.id, failure });
  state.queue = [];
  if (state.phase.kind === 'opening') failAll(work, failure);
}

function onDatagram(work: Work, event: Extract<EndpointEvent, { kind: 'datagram' }>): void {
  const { state, input } = work;
  if (state.phase.kind === 'opening') {
    const outcome = onHandshakePacket(state.config, state.phase.handshake, event.packet, input, state.roundTrip);
    return applyHandshake(work, outcome);
  }
  if (state.phase.kind !== 'open' || event.packet.kind !== 'v20') return;
  const { phase } = state;
  if (event.packet.packet.sessionId !== phase.session.consoleSessionId) return;
  const heard = unsealResponse(phase.session, event.packet.packet, event.datagram, input.nowMs);
  if (!heard.ok) return;
  const { session, response } = heard.value;
  state.phase = { ...phase, session };
  const pending = phase.internal?.pending ?? (state.head?.inFlight ? state.head : undefined);
  const match = pending?.sent.find((sent) => sent.rqSeq === response.rqSeq);
  if (!pending || !match || response.cmd !== pending.request.cmd || response.netFn !== (pending.request.netFn | 1))
    return;
  state.roundTrip = learn(state.roundTrip, input.nowMs - match.atMs);
  state.breaker = CLOSED_BREAKER;
  abandon(work, { ...pending, sent: pending.sent.filter((sent) => sent !== match) });
  if (response.completionCode === COMPLETION.nodeBusy && pending.attempts < state.config.tries) {
    const paused: Pending = { ...pending, sent: [], inFlight: false, deadlineMs: input.nowMs + BUSY_PAUSE_MS };
    return phase.internal ? setInternal(state, phase.internal.purpose, paused) : void (state.head = paused);
  }
  if (phase.internal) return onInternalAnswer(work, phase.internal.purpose, response.completionCode);
  state.head = undefined;
  work.effects.push({
    kind: 'resolve',
    id: pending.request.id,
    completionCode: response.completionCode,
    data: response.data,
  });
}

function setInternal(state: Draft, purpose: InternalPurpose, pending: Pending): void {
  if (state.phase.kind === 'open') state.phase = { ...state.phase, internal: { purpose, pending } };
}

function onInternalAnswer(work: Work, purpose: InternalPurpose, completionCode: number): void {
  const { state } = work;
  const phase = { ...(state.phase as OpenPhase), internal: undefined };
  state.phase = phase;
  if (purpose === 'close') state.phase = { kind: 'closed' };
  if (purpose !== 'privilege') return;
  if (completionCode === COMPLETION.ok) {
    state.phase = { ...phase, session: { ...phase.session, isRaised: true } };
    return;
  }
  const meaning = describeCompletionCode(completionCode, setSessionPrivilegeLevel.completionCodes);
  failAll(
    work,
    {
      code: 'PRIVILEGE_REFUSED',
      message: `BMC ${state.config.bmc} refused the privilege level (0x${completionCode.toString(16)}, ${meaning}): raise the user's level on the BMC or ask for a lower one`,
      details: { completionCode },
    },
    // The session itself is good and is given back.
    phase,
  );
  startInternal(work, 'close');
}

function applyHandshake(work: Work, outcome: HandshakeOutcome): void {
  const { state, input, effects } = work;
  switch (outcome.kind) {
    case 'ignored':
      return;
    case 'send':
      if (outcome.sampleMs !== undefined) state.roundTrip = learn(state.roundTrip, outcome.sampleMs);
      state.phase = { kind: 'opening', handshake: outcome.handshake };
      effects.push({ kind: 'send', datagram: outcome.handshake.datagram });
      return;
    case 'established':
      state.knowsCapabilities = true;
      state.phase = { kind: 'open', session: openedSession(outcome.established, input.nowMs), internal: undefined };
      return;
    case 'failed': {
      const { failure } = outcome;
      state.knowsCapabilities = false;
      if (failure.code === 'TIMEOUT') state.breaker = afterSilence(state.breaker, input.nowMs, state.config.breaker);
      // The BMC has answered, if only to refuse.
      else state.breaker = CLOSED_BREAKER;
      if (failure.code === 'AUTHENTICATION_FAILED')
        state.hold = { failure, untilMs: input.nowMs + state.config.authenticationHoldMs };
      failAll(work, failure);
    }
  }
}

/** Everyone who waits for this BMC hears the same: they would all run into it. A non-repeatable command that went out says so. */
function failAll({ state, effects }: Work, failure: Failure, phase: Phase = { kind: 'closed' }): void {
  if (state.head) {
    const details = state.head.attempts > 0 ? { ...failure.details, mayHaveBeenReceived: true } : failure.details;
    effects.push({ kind: 'reject', id: state.head.request.id, failure: details ? { ...failure, details } : failure });
  }
  for (const request of state.queue) effects.push({ kind: 'reject', id: request.id, failure });
  state.head = undefined;
  state.queue = [];
  state.phase = phase;
}

function onTick(work: Work): void {
  const { state, input } = work;
  if (state.phase.kind === 'opening') {
    const { handshake } = state.phase;
    if (input.nowMs >= handshake.deadlineMs)
      applyHandshake(work, onHandshakeTimeout(state.config, handshake, input, state.roundTrip));
    return;
  }
  if (state.phase.kind !== 'open') return;
  const { internal } = state.phase;
  const pending = internal?.pending ?? state.head;
  if (!pending?.inFlight || input.nowMs < pending.deadlineMs) return;
  state.phase = {
    ...state.phase,
    session: { ...state.phase.session, silences: state.phase.session.silences + 1 },
  };
  if (internal) return onInternalTimeout(work, internal.purpose, internal.pending);
  onHeadTimeout(work, pending);
}

function sessionIsGone(phase: OpenPhase): boolean {
  return phase.session.silences >= SESSION_GONE_AFTER || phase.session.unanswered >= MAX_UNANSWERED;
}

function onInternalTimeout(work: Work, purpose: InternalPurpose, pending: Pending): void {
  const { state, input } = work;
  const phase = state.phase as OpenPhase;
  if (purpose === 'close') {
    if (pending.attempts >= CLOSE_TRIES) state.phase = { kind: 'closed' };
    else setInternal(state, purpose, { ...pending, inFlight: false, deadlineMs: input.nowMs });
    return;
  }
  if (purpose === 'keepAlive' && sessionIsGone(phase)) {
    // Nobody may be waiting; if somebody is, `pump` opens a new session.
    return leaveSession(work);
  }
  if (pending.attempts < state.config.tries)
    return setInternal(state, purpose, { ...pending, inFlight: false, deadlineMs: input.nowMs });
  state.breaker = afterSilence(state.breaker, input.nowMs, state.config.breaker);
  leaveSession(work);
  failAll(work, silence(state, pending));
}

/**
 * Gives up a session that seems dead. One Close Session goes after it, unasked for an answer: if only the network was bad,
 * the BMC has its slot back at once instead of after its idle time.
 */
function leaveSession(work: Work): void {
  const { state, input } = work;
  if (state.phase.kind !== 'open') return;
  const request = internalRequest('close', state, state.phase);
  transmit(work, { request, sent: [], attempts: 0, inFlight: false, deadlineMs: input.nowMs });
  state.phase = { kind: 'closed' };
}

function silence(state: EndpointState, pending: Pending): Failure {
  return {
    code: 'TIMEOUT',
    message: `BMC ${state.config.bmc} did not answer ${pending.request.name} (${pending.attempts} tries): check the network to it, then the BMC`,
    details: { attempts: pending.attempts },
  };
}

function onHeadTimeout(work: Work, head: Pending): void {
  const { state, input, effects } = work;
  const { id, name, isIdempotent } = head.request;
  if (!isIdempotent) {
    abandon(work, head);
    state.head = undefined;
    effects.push({
      kind: 'reject',
      id,
      failure: {
        code: 'OUTCOME_UNKNOWN',
        message: `BMC ${state.config.bmc} did not answer ${name}: it may have been carried out, and it is not sent again; look at the machine before repeating it`,
        details: { attempts: head.attempts, mayHaveBeenReceived: true },
      },
    });
    return;
  }
  if (head.attempts >= state.config.tries) {
    state.breaker = afterSilence(state.breaker, input.nowMs, state.config.breaker);
    effects.push({ kind: 'reject', id, failure: silence(state, head) });
    state.head = undefined;
    leaveSession(work);
    if (state.breaker.kind === 'open') failAll(work, circuitOpen(state, state.breaker.untilMs - input.nowMs));
    return;
  }
  state.head = { ...head, inFlight: false, deadlineMs: input.nowMs };
}

/**
 * Gives up what may not be sent any more. Called before every step that could send: a timer that was to cancel a request comes
 * too late in a process that stood still, since the answers that waited for it are handled first. A request in flight is left to
 * its answer.
 */
function dropExpired(work: Work): void {
  const { state, input, effects } = work;
  const isExpired = ({ notAfterMs }: Request): boolean => notAfterMs !== undefined && input.nowMs > notAfterMs;
  const reject = (request: Request, attempts: number): void => {
    const repeat = attempts > 0 ? ' again' : '';
    effects.push({
      kind: 'reject',
      id: request.id,
      failure: {
        code: 'EXPIRED',
        message: `${request.name} was not sent${repeat} to BMC ${state.config.bmc}: the time in which it was allowed is over`,
        details: { attempts, mayHaveBeenReceived: attempts > 0 },
      },
    });
  };
  const { head } = state;
  const late = state.queue.filter(isExpired);
  if (late.length > 0) state.queue = state.queue.filter((request) => !isExpired(request));
  const isHeadLate = head !== undefined && !head.inFlight && isExpired(head.request);
  if (isHeadLate) {
    abandon(work, head);
    state.head = undefined;
    reject(head.request, head.attempts);
  }
  for (const request of late) reject(request, 0);
  if ((isHeadLate || late.length > 0) && !state.head && state.queue.length === 0)
    state.breaker = afterCancelledProbe(state.breaker, input.nowMs);
}

/** Does what can be done next; called after every event. */
function pump(work: Work): void {
  const { state, input, effects } = work;
  dropExpired(work);
  if (!state.head && state.queue.length > 0) {
    const [request, ...rest] = state.queue;
    state.head = { request: request!, sent: [], attempts: 0, inFlight: false, deadlineMs: input.nowMs };
    state.queue = rest;
  }
  if (state.phase.kind === 'open') dropDeadSession(work, state.phase);
  if (state.phase.kind === 'closed') {
    if (state.head) {
      const handshake = startHandshake(state.config, input, state.knowsCapabilities);
      state.phase = { kind: 'opening', handshake };
      effects.push({ kind: 'send', datagram: handshake.datagram });
    } else if (state.isClosing) effects.push({ kind: 'closed' });
    return;
  }
  if (state.phase.kind !== 'open') return;
  const { internal, session } = state.phase;
  if (internal) {
    if (!internal.pending.inFlight && input.nowMs >= internal.pending.deadlineMs)
      setInternal(state, internal.purpose, transmit(work, internal.pending));
    return;
  }
  if (state.head?.inFlight) return;
  if (!session.isRaised) return startInternal(work, 'privilege');
  if (state.head) {
    if (input.nowMs < state.head.deadlineMs) return;
    if (!state.head.request.isIdempotent && input.nowMs - session.lastHeardMs > PROBE_AFTER_SILENCE_MS)
      return startInternal(work, 'keepAlive');
    state.head = transmit(work, state.head);
    return;
  }
  if (state.isClosing) return startInternal(work, 'close');
  const { keepAliveMs } = state.config;
  if (keepAliveMs > 0 && input.nowMs - session.lastHeardMs >= keepAliveMs) startInternal(work, 'keepAlive');
}

/** A session that is silent for too long, or out of its sequence window, is left; a waiting request opens another. */
function dropDeadSession(work: Work, phase: OpenPhase): void {
  const { state, input } = work;
  if (phase.internal || state.head?.inFlight) return;
  const isStale = input.nowMs - phase.session.lastHeardMs >= state.config.sessionSilenceMs;
  if (!isStale && !sessionIsGone(phase)) return;
  leaveSession(work);
  if (state.head) state.head = { ...state.head, sent: [] };
}

/** Sends a request in the open session and gives back its new state. */
function transmit({ state, input, effects }: Work, pending: Pending): Pending {
  const phase = state.phase as OpenPhase;
  const { session, datagram, rqSeq } = sealRequest(phase.session, pending.request, input.nowMs, input.entropy);
  state.phase = { ...phase, session };
  effects.push({ kind: 'send', datagram });
  // A command that is sent once is given the time of one that is sent again and again.
  const patience = pending.request.isIdempotent ? 1 : state.config.tries;
  return {
    request: pending.request,
    sent: [...pending.sent, { rqSeq, atMs: input.nowMs }],
    attempts: pending.attempts + 1,
    inFlight: true,
    deadlineMs: input.nowMs + retransmitAfterMs(state.roundTrip) * patience,
  };
}

function internalRequest(purpose: InternalPurpose, state: EndpointState, phase: OpenPhase): Request {
  const make = (command: { name: string; netFn: number; cmd: number }, data: Uint8Array): Request => ({
    id: INTERNAL_ID,
    name: command.name,
    netFn: command.netFn,
    cmd: command.cmd,
    data,
    isIdempotent: true,
  });
  switch (purpose) {
    case 'privilege':
      return make(setSessionPrivilegeLevel, setSessionPrivilegeLevel.encode({ privilege: state.config.privilege }));
    case 'keepAlive':
      return make(getDeviceId, getDeviceId.encode());
    case 'close':
      return make(closeSession, closeSession.encode({ bmcSessionId: phase.session.bmcSessionId }));
  }
}

function startInternal(work: Work, purpose: InternalPurpose): void {
  const { state, input } = work;
  if (state.phase.kind !== 'open') return;
  const request = internalRequest(purpose, state, state.phase);
  const pending = transmit(work, { request, sent: [], attempts: 0, inFlight: false, deadlineMs: input.nowMs });
  setInternal(state, purpose, pending);
}

function wakeAt(state: EndpointState): number | undefined {
  if (state.phase.kind === 'opening') return state.phase.handshake.deadlineMs;
  if (state.phase.kind !== 'open') return undefined;
  const pending = state.phase.internal?.pending ?? state.head;
  if (pending) return pending.deadlineMs;
  if (state.config.keepAliveMs === 0) return undefined;
  return state.phase.session.lastHeardMs + state.config.keepAliveMs;
}
