/** Frames of the manager's socket: one JSON value per line, each at most MAX_FRAME_BYTES long. */
import type {
  CheckedPlay,
  ConnectionInfo,
  ConnectionStacks,
  ManagerInfo,
  Play,
  PlayEvent,
  PlayResult,
} from './types.ts';
import type { ExecutorErrorBody } from './errors.ts';

/** Version of this protocol; `ping` tells it. */
export const PROTOCOL_VERSION = 1;
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** From a caller. `id` is the caller's own number for the call; answers carry it. */
export type RequestFrame =
  | { readonly id: number; readonly op: 'runPlay'; readonly request: unknown }
  | { readonly id: number; readonly op: 'cancel'; readonly call: number }
  | { readonly id: number; readonly op: 'checkPlay'; readonly play: Play }
  | { readonly id: number; readonly op: 'ping' | 'list' | 'stacks' }
  | { readonly id: number; readonly op: 'close'; readonly connection?: string };

/** To a caller: any number of events, then one result or one error. */
export type AnswerFrame =
  | { readonly id: number; readonly event: PlayEvent }
  | {
      readonly id: number;
      readonly result:
        | PlayResult
        | ManagerInfo
        | CheckedPlay
        | number
        | readonly ConnectionInfo[]
        | readonly ConnectionStacks[];
    }
  | { readonly id: number; readonly error: ExecutorErrorBody };

export function encodeFrame(frame: RequestFrame | AnswerFrame): string {
  return `${JSON.stringify(frame)}\n`;
}

export type FrameResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: string };

/**
 * A reader of frames. Feed it bytes as they come; it gives the frames that are whole. After an error it gives nothing more:
 * where the next frame begins is not known.
 */
export function createFrameReader(maxFrameBytes = MAX_FRAME_BYTES): (bytes: Uint8Array) => FrameResult[] {
  let parts: Uint8Array[] = [];
  let heldBytes = 0;
  let broken = false;
  return (bytes) => {
    const frames: FrameResult[] = [];
    let rest = bytes;
    while (!broken) {
      const end = rest.indexOf(0x0a);
      if (heldBytes + (end < 0 ? rest.length : end) > maxFrameBytes) {
        broken = true;
        frames.push({ ok: false, error: `a frame is longer than ${maxFrameBytes} bytes` });
        break;
      }
      if (end < 0) {
        if (rest.length > 0) parts.push(rest);
        heldBytes += rest.length;
        break;
      }
      const line = Buffer.concat([...parts, rest.subarray(0, end)]).toString('utf8');
      parts = [];
      heldBytes = 0;
      rest = rest.subarray(end + 1);
      try {
        frames.push({ ok: true, value: JSON.parse(line) });
      } catch {
        broken = true;
        frames.push({ ok: false, error: 'a frame is not JSON' });
      }
    }
    return frames;
  };
}
