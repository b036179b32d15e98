/** What a machine boots, as data; `render-ipxe.ts` is one way to write it down. Pure. */

export interface BootPlan {
  /** URLs. */
  readonly kernel: string;
  readonly initrd: string;
  /** Kernel arguments in order, each `name` or `name=value`. */
  readonly args: readonly string[];
}

export interface PlanInput {
  readonly kernelUrl: string;
  readonly initrdUrl: string;
  /** Lower case, with colons. */
  readonly mac: string;
  /** `wss://ADDRESS:PORT/agent` */
  readonly agentUrl: string;
  /** `sha256:` and the hex SHA-256 of the service's public key (its SubjectPublicKeyInfo in DER). */
  readonly agentPin: string;
  readonly token: string;
  /** For a ramdisk whose clock says 1970. */
  readonly nowMs: number;
  /** As an operator wrote them, such as `console=ttyS0`: they come first, so that ours win. */
  readonly kernelArgs: readonly string[];
}

export type PlanResult = { ok: true; plan: BootPlan } | { ok: false; problems: string[] };

/** One kernel argument. Nothing of it means anything to iPXE (`${}`, quotes, `\`, `#`, `&&`, `||`), a shell, or the kernel's parser. */
const ARGUMENT = /^[A-Za-z0-9][A-Za-z0-9_.-]*(?:=[A-Za-z0-9_.,:;/@+~%=!*^-]*)?$/;
/** x86's COMMAND_LINE_SIZE. */
const MAX_COMMAND_LINE_BYTES = 2047;

/** The plan, or all that is wrong with what was asked: arguments an operator wrote are refused, never repaired. */
export function bootPlan(input: PlanInput): PlanResult {
  const problems: string[] = [];
  for (const extra of input.kernelArgs) {
    if (!ARGUMENT.test(extra))
      problems.push(`kernel argument ${JSON.stringify(extra)} has a character that is not allowed`);
    else if (/^(bessemer\.|BOOTIF(=|$))/.test(extra)) problems.push(`kernel argument ${extra} is the service's own`);
  }
  const own = [
    `BOOTIF=01-${input.mac.replaceAll(':', '-')}`,
    `bessemer.agent=${input.agentUrl}`,
    `bessemer.pin=${input.agentPin}`,
    `bessemer.token=${input.token}`,
    `bessemer.time=${Math.floor(input.nowMs / 1000)}`,
  ];
  // The token's value is a secret: only its name goes into a message.
  for (const arg of own)
    if (!ARGUMENT.test(arg)) problems.push(`${arg.slice(0, arg.indexOf('='))} has a value that is not allowed`);
  const args = [...input.kernelArgs, ...own];
  const length = args.join(' ').length;
  if (length > MAX_COMMAND_LINE_BYTES)
    problems.push(
      `the kernel command line has ${length} bytes, ${MAX_COMMAND_LINE_BYTES} are possible: shorten boot.kernel_args`,
    );
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, plan: { kernel: input.kernelUrl, initrd: input.initrdUrl, args } };
}
