/** Which of a client's options the server takes, and at what value (RFC 2347, 2348, 2349, 7440). Pure. */

/** What a transfer is bound to from the server's side. */
export interface OptionLimits {
  /** 1468 fills an Ethernet frame of 1500; a larger one is fragmented by IP, and firmware seldom reassembles. */
  readonly maxBlockSizeBytes: number;
  readonly maxWindowBlocks: number;
}

/** The values that hold for a transfer. `accepted` is the content of the OACK; empty means that none is sent. */
export interface Negotiated {
  readonly blockSizeBytes: number;
  readonly windowBlocks: number;
  /** The client's wish for the time between retransmissions (RFC 2349), as milliseconds. */
  readonly timeoutMs?: number;
  readonly accepted: ReadonlyMap<string, string>;
}

/** RFC 1350: the block size when none is negotiated. */
const DEFAULT_BLOCK_SIZE_BYTES = 512;

/**
 * Unknown options and values outside their range are left out of the answer, as RFC 2347 asks: the client then goes on
 * with the default.
 */
export function negotiateOptions(
  requested: ReadonlyMap<string, string>,
  sizeBytes: number,
  limits: OptionLimits,
): Negotiated {
  const accepted = new Map<string, string>();
  let blockSizeBytes = DEFAULT_BLOCK_SIZE_BYTES;
  let windowBlocks = 1;
  let timeoutMs: number | undefined;
  for (const [name, text] of requested) {
    if (name === 'blksize') {
      const wanted = decimal(text, 8, 65_464);
      if (wanted === undefined) continue;
      blockSizeBytes = Math.min(wanted, limits.maxBlockSizeBytes);
      accepted.set(name, String(blockSizeBytes));
    } else if (name === 'windowsize') {
      const wanted = decimal(text, 1, 65_535);
      if (wanted === undefined) continue;
      windowBlocks = Math.min(wanted, limits.maxWindowBlocks);
      accepted.set(name, String(windowBlocks));
    } else if (name === 'timeout') {
      const seconds = decimal(text, 1, 255);
      if (seconds === undefined) continue;
      timeoutMs = seconds * 1000;
      accepted.set(name, String(seconds));
    } else if (name === 'tsize') {
      // A read asks with 0; firmware that asks with another number wants the same answer.
      if (decimal(text, 0, Number.MAX_SAFE_INTEGER) !== undefined) accepted.set(name, String(sizeBytes));
    }
  }
  return { blockSizeBytes, windowBlocks, accepted, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

function decimal(text: string, min: number, max: number): number | undefined {
  if (!/^[0-9]{1,15}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}
