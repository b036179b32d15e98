/** The kernel command line, as far as it is for the agent. */
import type { Result } from '@bessemer/agent-protocol';

export interface AgentConfig {
  /** WebSocket addresses of the service: any of them will do. */
  readonly urls: readonly string[];
  /** The boot's token. */
  readonly token: string;
  /** SHA-256 of the service's public key (SubjectPublicKeyInfo, DER), 64 lower-case hex digits. */
  readonly pin: string;
  /** The service's time when the machine was told to boot, for a clock that was never set. Milliseconds since the epoch. */
  readonly timeMs?: number;
  /** MAC of the port the machine booted from, colons. */
  readonly bootMac?: string;
}

const MAX_LENGTH = 4096;

/**
 * Reads /proc/cmdline: `bessemer.agent=wss://host:port/path[,wss://...]`, `bessemer.pin=sha256:HEX`, `bessemer.token=TEXT`,
 * `bessemer.time=SECONDS`, `BOOTIF=01-aa-bb-cc-dd-ee-ff` (PXELINUX's form) or with colons. The last of repeated words counts.
 */
export function parseCmdline(cmdline: string): Result<AgentConfig> {
  if (cmdline.length > MAX_LENGTH) return bad(`the kernel command line is longer than ${MAX_LENGTH} characters`);
  const words = new Map(
    cmdline
      .trim()
      .split(/\s+/)
      .map((word) => {
        const at = word.indexOf('=');
        return at < 0 ? ([word, ''] as const) : ([word.slice(0, at), word.slice(at + 1)] as const);
      }),
  );
  const urls = (words.get('bessemer.agent') ?? '').split(',').filter((url) => url !== '');
  if (urls.length === 0) return bad('the kernel command line has no bessemer.agent=wss://...');
  for (const url of urls)
    if (!URL.canParse(url) || new URL(url).protocol !== 'wss:')
      return bad(`bessemer.agent: ${JSON.stringify(url)} is not a wss:// address`);
  const pin = /^sha256:([0-9a-f]{64})$/i.exec(words.get('bessemer.pin') ?? '')?.[1];
  if (!pin)
    return bad(
      'bessemer.pin must be sha256: and 64 hex digits: without it the service cannot be told from an impostor',
    );
  const token = words.get('bessemer.token') ?? '';
  if (token.length < 16) return bad('bessemer.token is missing or shorter than 16 characters');
  const time = words.get('bessemer.time');
  if (time !== undefined && !/^\d{1,12}$/.test(time)) return bad('bessemer.time must be seconds since 1970');
  const mac = /^(?:[0-9a-f]{2}-)?((?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2})$/i.exec(words.get('BOOTIF') ?? '')?.[1];
  return {
    ok: true,
    value: {
      urls,
      token,
      pin: pin.toLowerCase(),
      ...(time === undefined ? {} : { timeMs: Number(time) * 1000 }),
      ...(mac === undefined ? {} : { bootMac: mac.toLowerCase().replaceAll('-', ':') }),
    },
  };
}

const bad = (error: string): { ok: false; error: string } => ({ ok: false, error });
