/** RMCP+ session establishment payloads (IPMI v2.0 sections 13.17 to 13.23): open session and RAKP messages 1 to 4. */
import { concat, readUint32, uint32 } from './bytes.ts';
import { malformed, ok } from './result.ts';
import type { Result } from './result.ts';

/** RMCP+ and RAKP message status codes (section 13.24, table 13-15). */
export const RAKP_STATUS: Readonly<Record<number, string>> = {
  0x00: 'no errors',
  0x01: 'insufficient resources to create a session',
  0x02: 'invalid session id',
  0x03: 'invalid payload type',
  0x04: 'invalid authentication algorithm',
  0x05: 'invalid integrity algorithm',
  0x06: 'no matching authentication payload',
  0x07: 'no matching integrity payload',
  0x08: 'inactive session id',
  0x09: 'invalid role',
  0x0a: 'unauthorized role or privilege level requested',
  0x0b: 'insufficient resources to create a session at the requested role',
  0x0c: 'invalid name length',
  0x0d: 'unauthorized name',
  0x0e: 'unauthorized GUID',
  0x0f: 'invalid integrity check value',
  0x10: 'invalid confidentiality algorithm',
  0x11: 'no cipher suite match with proposed security algorithms',
  0x12: 'illegal or unrecognized parameter',
};

/** The numbers of the three algorithms of a cipher suite on the wire (section 13.28, tables 13-17 to 13-19). */
export interface SuiteAlgorithms {
  readonly authentication: number;
  readonly integrity: number;
  readonly confidentiality: number;
}

export interface OpenSessionRequest extends SuiteAlgorithms {
  readonly tag: number;
  /** 0 asks for the highest level that the algorithms allow. */
  readonly maxPrivilege: number;
  readonly consoleSessionId: number;
}

export interface OpenSessionResponse extends SuiteAlgorithms {
  readonly tag: number;
  readonly status: 0;
  readonly maxPrivilege: number;
  readonly consoleSessionId: number;
  readonly bmcSessionId: number;
}

/** An Open Session Response, RAKP 2 or RAKP 4 with an error: some BMCs leave the session id away. */
export interface RakpFailure {
  readonly tag: number;
  readonly status: number;
  readonly consoleSessionId: number | undefined;
}

export interface Rakp1 {
  readonly tag: number;
  readonly bmcSessionId: number;
  /** R_M, 16 bytes. */
  readonly consoleRandom: Uint8Array;
  /** Role_M: bits 3:0 the privilege level, bit 4 "look the user up by name alone". */
  readonly role: number;
  readonly username: Uint8Array;
}

export interface Rakp2 {
  readonly tag: number;
  readonly status: 0;
  readonly consoleSessionId: number;
  /** R_C, 16 bytes. */
  readonly bmcRandom: Uint8Array;
  /** GUID_C, 16 bytes. */
  readonly bmcGuid: Uint8Array;
  readonly authCode: Uint8Array;
}

export interface Rakp3 {
  readonly tag: number;
  readonly status: number;
  readonly bmcSessionId: number;
  readonly authCode: Uint8Array;
}

export interface Rakp4 {
  readonly tag: number;
  readonly status: 0;
  readonly consoleSessionId: number;
  readonly integrityCheck: Uint8Array;
}

const MAX_USERNAME_BYTES = 16;

/** One algorithm record: payload type, reserved, length 8, algorithm, reserved (section 13.17, table 13-9). */
function algorithm(type: number, value: number): Uint8Array {
  return Uint8Array.of(type, 0, 0, 8, value, 0, 0, 0);
}

function algorithms(suite: SuiteAlgorithms): Uint8Array {
  return concat(algorithm(0, suite.authentication), algorithm(1, suite.integrity), algorithm(2, suite.confidentiality));
}

/** Reads the three records at `offset`. A record length of 0 means "the BMC chooses" and is read as algorithm 0. */
function readAlgorithms(bytes: Uint8Array, offset: number): Result<SuiteAlgorithms> {
  const found = [0, 0, 0];
  for (let i = 0; i < 3; i++) {
    const at = offset + i * 8;
    if (bytes[at] !== i) return malformed(`algorithm record ${i} expected at byte ${at}, got type ${bytes[at]}`);
    found[i] = bytes[at + 4]! & 0x3f;
  }
  return ok({ authentication: found[0]!, integrity: found[1]!, confidentiality: found[2]! });
}

/** Section 13.17. */
export function encodeOpenSessionRequest(message: OpenSessionRequest): Uint8Array {
  return concat(
    Uint8Array.of(message.tag, message.maxPrivilege, 0, 0),
    uint32(message.consoleSessionId),
    algorithms(message),
  );
}

export function decodeOpenSessionRequest(bytes: Uint8Array): Result<OpenSessionRequest> {
  if (bytes.length < 32) return malformed(`Open Session Request of 32 bytes expected, got ${bytes.length}`);
  const suite = readAlgorithms(bytes, 8);
  if (!suite.ok) return suite;
  return ok({
    tag: bytes[0]!,
    maxPrivilege: bytes[1]! & 0x0f,
    consoleSessionId: readUint32(bytes, 4),
    ...suite.value,
  });
}

/** Section 13.18. */
export function encodeOpenSessionResponse(message: OpenSessionResponse): Uint8Array {
  return concat(
    Uint8Array.of(message.tag, message.status, message.maxPrivilege, 0),
    uint32(message.consoleSessionId),
    uint32(message.bmcSessionId),
    algorithms(message),
  );
}

/** The short form of an Open Session Response, RAKP 2 or RAKP 4 that says no (sections 13.18, 13.21, 13.23). */
export function encodeRakpFailure(message: RakpFailure): Uint8Array {
  const head = Uint8Array.of(message.tag, message.status, 0, 0);
  return message.consoleSessionId === undefined ? head : concat(head, uint32(message.consoleSessionId));
}

/** The first bytes shared by all answers; a failure is read here, whatever its length. */
function readFailure(bytes: Uint8Array, name: string): Result<RakpFailure | undefined> {
  if (bytes.length < 2) return malformed(`${name} of at least 2 bytes expected, got ${bytes.length}`);
  if (bytes[1] === 0) return ok(undefined);
  return ok({
    tag: bytes[0]!,
    status: bytes[1]!,
    consoleSessionId: bytes.length >= 8 ? readUint32(bytes, 4) : undefined,
  });
}

export function decodeOpenSessionResponse(bytes: Uint8Array): Result<OpenSessionResponse | RakpFailure> {
  const failure = readFailure(bytes, 'Open Session Response');
  if (!failure.ok) return failure;
  if (failure.value) return ok(failure.value);
  if (bytes.length < 36) return malformed(`Open Session Response of 36 bytes expected, got ${bytes.length}`);
  const suite = readAlgorithms(bytes, 12);
  if (!suite.ok) return suite;
  return ok({
    tag: bytes[0]!,
    status: 0,
    maxPrivilege: bytes[2]! & 0x0f,
    consoleSessionId: readUint32(bytes, 4),
    bmcSessionId: readUint32(bytes, 8),
    ...suite.value,
  });
}

/** Section 13.20. */
export function encodeRakp1(message: Rakp1): Uint8Array {
  return concat(
    Uint8Array.of(message.tag, 0, 0, 0),
    uint32(message.bmcSessionId),
    message.consoleRandom,
    Uint8Array.of(message.role, 0, 0, message.username.length),
    message.username,
  );
}

export function decodeRakp1(bytes: Uint8Array): Result<Rakp1> {
  if (bytes.length < 28) return malformed(`RAKP Message 1 of at least 28 bytes expected, got ${bytes.length}`);
  const length = bytes[27]!;
  if (length > MAX_USERNAME_BYTES)
    return malformed(`RAKP Message 1 with a user name of ${length} bytes, at most 16 allowed`);
  if (bytes.length < 28 + length)
    return malformed(`RAKP Message 1 announces a user name of ${length} bytes, ${bytes.length - 28} came`);
  return ok({
    tag: bytes[0]!,
    bmcSessionId: readUint32(bytes, 4),
    consoleRandom: bytes.slice(8, 24),
    role: bytes[24]!,
    username: bytes.slice(28, 28 + length),
  });
}

/** Section 13.21. */
export function encodeRakp2(message: Rakp2): Uint8Array {
  return concat(
    Uint8Array.of(message.tag, message.status, 0, 0),
    uint32(message.consoleSessionId),
    message.bmcRandom,
    message.bmcGuid,
    message.authCode,
  );
}

export function decodeRakp2(bytes: Uint8Array): Result<Rakp2 | RakpFailure> {
  const failure = readFailure(bytes, 'RAKP Message 2');
  if (!failure.ok) return failure;
  if (failure.value) return ok(failure.value);
  if (bytes.length < 40) return malformed(`RAKP Message 2 of at least 40 bytes expected, got ${bytes.length}`);
  return ok({
    tag: bytes[0]!,
    status: 0,
    consoleSessionId: readUint32(bytes, 4),
    bmcRandom: bytes.slice(8, 24),
    bmcGuid: bytes.slice(24, 40),
    authCode: bytes.slice(40),
  });
}

/** Section 13.22. */
export function encodeRakp3(message: Rakp3): Uint8Array {
  return concat(Uint8Array.of(message.tag, message.status, 0, 0), uint32(message.bmcSessionId), message.authCode);
}

export function decodeRakp3(bytes: Uint8Array): Result<Rakp3> {
  if (bytes.length < 8) return malformed(`RAKP Message 3 of at least 8 bytes expected, got ${bytes.length}`);
  return ok({
    tag: bytes[0]!,
    status: bytes[1]!,
    bmcSessionId: readUint32(bytes, 4),
    authCode: bytes.slice(8),
  });
}

/** Section 13.23. */
export function encodeRakp4(message: Rakp4): Uint8Array {
  return concat(
    Uint8Array.of(message.tag, message.status, 0, 0),
    uint32(message.consoleSessionId),
    message.integrityCheck,
  );
}

export function decodeRakp4(bytes: Uint8Array): Result<Rakp4 | RakpFailure> {
  const failure = readFailure(bytes, 'RAKP Message 4');
  if (!failure.ok) return failure;
  if (failure.value) return ok(failure.value);
  if (bytes.length < 8) return malformed(`RAKP Message 4 of at least 8 bytes expected, got ${bytes.length}`);
  return ok({
    tag: bytes[0]!,
    status: 0,
    consoleSessionId: readUint32(bytes, 4),
    integrityCheck: bytes.slice(8),
  });
}
