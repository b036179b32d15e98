/**
 * Boot plans and the other answers as iPXE scripts. Pure. Every value is checked against what it may hold: iPXE expands
 * `${...}` and splits at spaces, so text that is not of the expected form must never reach a script.
 */
import type { BootPlan } from './plan.ts';

const URL_FORM = /^https?:\/\/[A-Za-z0-9.:[\]-]+(\/[A-Za-z0-9._~/-]*)?(\?[A-Za-z0-9._~=&-]*)?$/;
const MAC_FORM = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
/** A plan's argument may hold more than a URL, and still nothing that iPXE reads as its own. */
const ARGUMENT_FORM = /^[^\s"'`$\\#&|{}<>\p{Cc}]+$/u;

/** What a machine of the network fetches first: it asks for its own script, and again every 5 s while nobody answers. */
export function renderChain(baseUrl: string): string {
  // netX is the port that iPXE booted from. The settings are expanded by iPXE, percent-encoded where they are free text.
  const query = [
    'mac=${netX/mac:hexhyp}',
    'uuid=${uuid}',
    'serial=${serial:uristring}',
    'arch=${buildarch:uristring}',
    'platform=${platform:uristring}',
  ].join('&');
  return script([
    ':ask',
    `chain --replace ${url(baseUrl)}/boot/script?${query} ||`,
    'echo bessemer: the boot service gave no script, asking again in 5 s',
    'sleep 5',
    'goto ask',
  ]);
}

export function renderIpxe(plan: BootPlan, chainUrl: string): string {
  for (const arg of plan.args)
    if (!ARGUMENT_FORM.test(arg)) throw new RangeError('a kernel argument that iPXE would read');
  return script([
    // UEFI's kernel looks its ramdisk up by the name in initrd=.
    `kernel --name kernel ${url(plan.kernel)} initrd=rd ${plan.args.join(' ')} || goto again`,
    `initrd --name rd ${url(plan.initrd)} || goto again`,
    'boot || goto again',
    ':again',
    // From the start, not from here: the token of this script may be used up by then.
    'echo bessemer: kernel or ramdisk did not load, starting again in 5 s',
    'sleep 5',
    'imgfree',
    `chain --replace ${url(chainUrl)} || goto again`,
  ]);
}

/**
 * Boot from disk. `exit 1` leaves iPXE with a failure, at which both firmwares go on to the next entry of their boot
 * order: after `exit 0` UEFI takes the boot for done and shows its menu. On UEFI the next entries may be the same NIC's
 * others (IPv6, HTTP boot): the machine then asks once more, or waits for DHCPv6, before its disk has its turn.
 */
export function renderLocal(mac: string): string {
  return script([`echo bessemer: no network boot was ordered for ${macAddress(mac)}, booting from disk`, 'exit 1']);
}

/** For a machine nobody registered: says so, and asks again every 30 s. */
export function renderUnknown(mac: string, chainUrl: string): string {
  return renderWait(
    [`this machine is not registered, its port is ${macAddress(mac)}`, 'it is listed as unknown'],
    30,
    chainUrl,
  );
}

/** For a machine whose plan cannot be rendered: the reason is in the service's log, as it may hold text of users. */
export function renderRefused(chainUrl: string): string {
  return renderWait(["this machine's boot plan was refused, see the events of its node"], 30, chainUrl);
}

/** For a request that does not say which machine asks. */
export function renderUnnamed(chainUrl: string): string {
  return renderWait(['the request named no MAC address'], 30, chainUrl);
}

function renderWait(says: readonly string[], seconds: number, chainUrl: string): string {
  return script([
    ':wait',
    ...says.map((line) => `echo bessemer: ${line}`),
    `echo bessemer: asking again in ${seconds} s`,
    `sleep ${seconds}`,
    `chain --replace ${url(chainUrl)} || goto wait`,
  ]);
}

function script(lines: readonly string[]): string {
  return `#!ipxe\n${lines.join('\n')}\n`;
}

function url(value: string): string {
  if (!URL_FORM.test(value)) throw new RangeError(`not a URL that may stand in a script: ${JSON.stringify(value)}`);
  return value;
}

function macAddress(value: string): string {
  if (!MAC_FORM.test(value)) throw new RangeError(`not a MAC address: ${JSON.stringify(value)}`);
  return value;
}
