/**
 * Builds IPMI packets the naive way: lists of numbers, no shared helper with the codec, so that the codec is not its own
 * judge. For tests.
 */

/** 32 bits, least significant byte first. */
export function le32(value: number): number[] {
  const hex = value.toString(16).padStart(8, '0');
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

/** The checksum of IPMI v2.0 section 13.8 by trial: the byte that makes the sum a multiple of 256. */
function checksumByTrial(bytes: readonly number[]): number {
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  for (let candidate = 0; candidate < 256; candidate++) if ((sum + candidate) % 256 === 0) return candidate;
  throw new Error('one of 256 candidates fits');
}

/** rsAddr, netFn/rsLun, checksum, rqAddr, rqSeq/rqLun, cmd, data, checksum. */
export function lanRequest(netFn: number, cmd: number, rqSeq: number, data: readonly number[]): number[] {
  const head = [0x20, netFn * 4];
  const body = [0x81, rqSeq * 4, cmd, ...data];
  return [...head, checksumByTrial(head), ...body, checksumByTrial(body)];
}

export function lanResponse(
  netFn: number,
  cmd: number,
  rqSeq: number,
  code: number,
  data: readonly number[],
): number[] {
  const head = [0x81, (netFn + 1) * 4];
  const body = [0x20, rqSeq * 4, cmd, code, ...data];
  return [...head, checksumByTrial(head), ...body, checksumByTrial(body)];
}

/** RMCP header and IPMI v1.5 session header without authentication. */
export function v15(payload: readonly number[]): number[] {
  return [0x06, 0x00, 0xff, 0x07, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, payload.length, ...payload];
}

/** RMCP header and RMCP+ session header outside a session. */
export function v20(payloadType: number, payload: readonly number[]): number[] {
  return [0x06, 0x00, 0xff, 0x07, 0x06, payloadType, 0, 0, 0, 0, 0, 0, 0, 0, payload.length, 0, ...payload];
}
