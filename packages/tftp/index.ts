/**
 * A read-only TFTP server (RFC 1350 with the options of RFC 2347, 2348, 2349 and 7440) for network boot loaders.
 * Three layers: `codec.ts` turns bytes into packets and back, `transfer.ts` is one transfer as a pure step function,
 * `server.ts` joins both to sockets. `folder.ts` opens files below one folder.
 */
export { decodePacket, encodePacket, ERROR_CODES } from './codec.ts';
export type { DecodeResult, TftpErrorCode, TftpPacket } from './codec.ts';
export { negotiateOptions } from './options.ts';
export type { Negotiated, OptionLimits } from './options.ts';
export { startTransfer, stepTransfer } from './transfer.ts';
export type { TransferEffect, TransferEvent, TransferOutcome, TransferState } from './transfer.ts';
export { createTftpServer } from './server.ts';
export type { OpenedFile, OpenResult, TftpServer, TftpServerDeps, TransferReport } from './server.ts';
export { openFromFolder } from './folder.ts';
