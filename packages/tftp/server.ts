/** The TFTP server's thin part: sockets, timers and reads around `transfer.ts`. One socket per transfer (its TID). */
import type { Clock, DatagramPeer, Datagrams, DatagramSocket, Log, Timer } from '@bessemer/ports';
import { decodePacket, encodePacket, ERROR_CODES } from './codec.ts';
import type { TftpErrorCode, TftpPacket } from './codec.ts';
import { negotiateOptions } from './options.ts';
import type { OptionLimits } from './options.ts';
import { startTransfer, stepTransfer } from './transfer.ts';
import type { Step, TransferOutcome, TransferState } from './transfer.ts';

/** A file as the server reads it. `read` gives exactly `length` bytes from `offset`; both lie within `sizeBytes`. */
export interface OpenedFile {
  readonly sizeBytes: number;
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): unknown;
}

export type OpenResult = OpenedFile | { readonly error: 'not-found' | 'denied' };

/** What became of one request. `path` is as the client wrote it: hostile until shown otherwise. */
export interface TransferReport {
  readonly peer: DatagramPeer;
  readonly path: string;
  /** Bytes of the file that the client acknowledged. */
  readonly bytes: number;
  readonly ms: number;
  readonly outcome: TransferOutcome;
  /** Why, when the outcome is not `complete`. */
  readonly detail: string;
  readonly blockSizeBytes: number;
  readonly windowBlocks: number;
  /** Data packets sent, repeats included. */
  readonly blocksSent: number;
}

export interface TftpServerDeps {
  readonly datagrams: Datagrams;
  readonly clock: Clock;
  readonly log: Log;
  /** The address to listen on and to answer from. */
  readonly address: string;
  /** 69 unless given; 0 picks a free one. */
  readonly port?: number;
  /** Gives the file behind a path exactly as the client sent it, or why not. A rejection is told the client as a failure. */
  open(path: string, peer: DatagramPeer): Promise<OpenResult>;
  /** Called once per request, when it has ended. */
  onTransfer?(report: TransferReport): void;
  /** Defaults: 1468-byte blocks, windows of 32. */
  readonly limits?: Partial<OptionLimits>;
  /** Requests beyond so many running transfers are dropped: the client asks again. 512 unless given. */
  readonly maxTransfers?: number;
}

export interface TftpServer {
  readonly local: DatagramPeer;
  readonly runningTransfers: number;
  /** Ends all transfers (outcome `stopped`) and closes every socket. */
  stop(): Promise<void>;
}

/** Read ahead at least so much: a boot program is then one read, and a kernel one read per few hundred blocks. */
const READ_AHEAD_BYTES = 256 * 1024;

/** The same request from the same port is a new one after so much silence: firmware that was reset uses its port again. */
const RESTART_AFTER_QUIET_MS = 1000;

interface Transfer {
  readonly request: string;
  /** Milliseconds since the client last acknowledged something new (or asked). */
  quietMs(): number;
  /** Ends it and tells the client. */
  end(outcome: TransferOutcome, detail: string): void;
  /** Ends it in silence. */
  drop(outcome: TransferOutcome, detail: string): void;
  readonly ended: Promise<void>;
}

/**
 * Listens on `address`:`port`. Reads only: a write request is answered with ERROR 2. The only mode is octet.
 * @throws when the port cannot be bound (the adapter's error).
 */
export async function createTftpServer(deps: TftpServerDeps): Promise<TftpServer> {
  const limits: OptionLimits = {
    maxBlockSizeBytes: deps.limits?.maxBlockSizeBytes ?? 1468,
    maxWindowBlocks: deps.limits?.maxWindowBlocks ?? 32,
  };
  const maxTransfers = deps.maxTransfers ?? 512;
  const transfers = new Map<string, Transfer>();
  const main = await deps.datagrams.bind({ address: deps.address, port: deps.port ?? 69 });
  main.onError((error) => deps.log.warn('tftp: socket error', { error: error.message }));
  main.onMessage((bytes, peer) => {
    const decoded = decodePacket(bytes);
    if (!decoded.ok) return deps.log.debug('tftp: malformed request', { peer, reason: decoded.reason });
    const { packet } = decoded;
    if (packet.kind === 'write')
      return refuse(packet.path, peer, ERROR_CODES.accessViolation, 'writing is refused: this server only reads');
    // An ERROR or ACK to the well-known port is a straggler: an answer to it could bounce between two servers for ever.
    if (packet.kind !== 'read') return;
    if (packet.mode !== 'octet')
      return refuse(packet.path, peer, ERROR_CODES.illegalOperation, 'this server knows only mode octet (binary)');
    accept(packet, Buffer.from(bytes).toString('latin1'), peer);
  });

  function refuse(path: string, peer: DatagramPeer, code: TftpErrorCode, message: string): void {
    main.send(encodePacket({ kind: 'error', code, message }), peer);
    report({ peer, path, bytes: 0, ms: 0, outcome: 'refused', detail: message, ...noBlocks });
  }

  function accept(packet: ReadRequest, request: string, peer: DatagramPeer): void {
    const key = `${peer.address} ${peer.port}`;
    const running = transfers.get(key);
    if (running) {
      // A doubled datagram, or a client that did not hear our first answer: the transfer's own timer repeats that.
      if (running.request === request && running.quietMs() < RESTART_AFTER_QUIET_MS) return;
      // Not a word to the client: an ERROR would end its new request.
      running.drop('aborted', 'the client started again');
    } else if (transfers.size >= maxTransfers) {
      return deps.log.warn('tftp: too many transfers, request dropped', { peer, maxTransfers });
    }
    const transfer = runTransfer(deps, limits, packet, request, peer, report);
    transfers.set(key, transfer);
    void transfer.ended.then(() => {
      if (transfers.get(key) === transfer) transfers.delete(key);
    });
  }

  function report(what: TransferReport): void {
    deps.log.debug('tftp: transfer ended', { ...what });
    deps.onTransfer?.(what);
  }

  return {
    local: main.local,
    get runningTransfers() {
      return transfers.size;
    },
    async stop() {
      const last = [...transfers.values()];
      for (const transfer of last) transfer.end('stopped', 'the server stops');
      await Promise.all(last.map((t) => t.ended));
      await main.close();
    },
  };
}

type ReadRequest = Extract<TftpPacket, { mode: string }>;
const noBlocks = { blockSizeBytes: 0, windowBlocks: 0, blocksSent: 0 };

function runTransfer(
  deps: TftpServerDeps,
  limits: OptionLimits,
  packet: ReadRequest,
  request: string,
  peer: DatagramPeer,
  report: (what: TransferReport) => void,
): Transfer {
  const startedMs = deps.clock.monotonicMs();
  let socket: DatagramSocket | undefined;
  let file: OpenedFile | undefined;
  let state: TransferState | undefined;
  let timer: Timer | undefined;
  let isEnded = false;
  let settleEnded!: () => void;
  const ended = new Promise<void>((resolve) => {
    settleEnded = resolve;
  });
  let readAhead: { offset: number; bytes: Uint8Array } = { offset: 0, bytes: new Uint8Array(0) };
  /** Counts orders to send: a slow read whose window has moved on is dropped. */
  let order = 0;
  let pendingReads = 0;

  function finish(outcome: TransferOutcome, detail: string): void {
    if (isEnded) return;
    isEnded = true;
    timer?.cancel();
    report({
      peer,
      path: packet.path,
      bytes: state ? Math.min(state.acked * state.blockSizeBytes, state.sizeBytes) : 0,
      ms: deps.clock.monotonicMs() - startedMs,
      outcome,
      detail,
      blockSizeBytes: state?.blockSizeBytes ?? 0,
      windowBlocks: state?.windowBlocks ?? 0,
      blocksSent: state?.blocksSent ?? 0,
    });
    void Promise.allSettled([socket?.close(), file?.close()]).then(settleEnded);
  }

  function fail(outcome: TransferOutcome, code: TftpErrorCode, message: string): void {
    if (!isEnded) socket?.send(encodePacket({ kind: 'error', code, message }), peer);
    finish(outcome, message);
  }

  function apply(step: Step): void {
    state = step.state;
    for (const effect of step.effects) {
      if (effect.kind === 'send') socket!.send(effect.bytes, peer);
      else if (effect.kind === 'finish') finish(effect.outcome, effect.detail);
      else if (effect.kind === 'timer') arm(effect.delayMs);
      else void sendBlocks(step.state, effect.first, effect.last);
    }
  }

  function arm(delayMs: number): void {
    timer?.cancel();
    timer = deps.clock.setTimer(delayMs, () => {
      // What was not read yet was not sent: silence then says nothing about the client.
      if (pendingReads > 0) arm(delayMs);
      else if (state && !isEnded) apply(stepTransfer(state, { kind: 'timeout', nowMs: deps.clock.monotonicMs() }));
    });
  }

  async function sendBlocks(at: TransferState, first: number, last: number): Promise<void> {
    const mine = ++order;
    const from = (first - 1) * at.blockSizeBytes;
    const to = Math.min(last * at.blockSizeBytes, at.sizeBytes);
    const cached = () => from >= readAhead.offset && to <= readAhead.offset + readAhead.bytes.length;
    if (!cached()) {
      const length = Math.min(Math.max(to - from, READ_AHEAD_BYTES), at.sizeBytes - from);
      pendingReads++;
      try {
        const bytes = await file!.read(from, length);
        if (bytes.length !== length) throw new Error(`${bytes.length} bytes instead of ${length} at ${from}`);
        readAhead = { offset: from, bytes };
      } catch (error) {
        deps.log.error('tftp: read failed', { path: packet.path, error: String(error) });
        return fail('failed', ERROR_CODES.undefined, 'the file could not be read');
      } finally {
        pendingReads--;
      }
      if (isEnded || mine !== order || !cached()) return;
    }
    for (let block = first; block <= last; block++) {
      const start = (block - 1) * at.blockSizeBytes - readAhead.offset;
      const end = Math.min(start + at.blockSizeBytes, at.sizeBytes - readAhead.offset);
      const payload = readAhead.bytes.subarray(start, end);
      socket!.send(encodePacket({ kind: 'data', block: block & 0xffff, payload }), peer);
    }
  }

  function onDatagram(bytes: Uint8Array, from: DatagramPeer): void {
    if (from.port !== peer.port || from.address !== peer.address) {
      const message = 'this port belongs to another transfer';
      return socket!.send(encodePacket({ kind: 'error', code: ERROR_CODES.unknownTransferId, message }), from);
    }
    if (state && !isEnded) apply(stepTransfer(state, { kind: 'datagram', bytes, nowMs: deps.clock.monotonicMs() }));
  }

  async function begin(): Promise<void> {
    socket = await deps.datagrams.bind({ address: deps.address, port: 0 });
    if (isEnded) return void socket.close();
    socket.onError((error) => deps.log.debug('tftp: socket error', { peer, error: error.message }));
    socket.onMessage(onDatagram);
    const opened = await deps.open(packet.path, peer);
    if ('error' in opened) {
      return opened.error === 'denied'
        ? fail('refused', ERROR_CODES.accessViolation, 'this path is not served')
        : fail('refused', ERROR_CODES.notFound, 'no such file');
    }
    if (isEnded) return void opened.close();
    file = opened;
    const nowMs = deps.clock.monotonicMs();
    apply(startTransfer(opened.sizeBytes, negotiateOptions(packet.options, opened.sizeBytes, limits), nowMs));
  }

  begin().catch((error: unknown) => {
    deps.log.error('tftp: transfer failed', { path: packet.path, error: String(error) });
    fail('failed', ERROR_CODES.undefined, 'the server failed to open the file');
  });
  return {
    request,
    quietMs: () => deps.clock.monotonicMs() - (state?.progressAtMs ?? startedMs),
    end: (outcome, detail) => fail(outcome, ERROR_CODES.undefined, detail),
    drop: finish,
    ended,
  };
}
