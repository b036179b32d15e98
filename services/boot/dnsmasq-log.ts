/** dnsmasq's `log-dhcp` lines as events, and its lease file. Pure. */

export interface DhcpEvent {
  readonly message: 'discover' | 'offer' | 'request' | 'ack' | 'nak' | 'decline' | 'release' | 'proxy';
  /** Lower case, with colons. */
  readonly mac: string;
  readonly address?: string;
  /** The client's processor architecture as a number (RFC 4578 section 2.1), when it named one. */
  readonly arch?: number;
  /** Who asks: firmware's PXE, iPXE, or (absent) an operating system. */
  readonly stage?: 'firmware' | 'ipxe';
}

interface Exchange {
  arch?: number;
  stage?: 'firmware' | 'ipxe';
}

const MESSAGES: Record<string, DhcpEvent['message']> = {
  DHCPDISCOVER: 'discover',
  DHCPOFFER: 'offer',
  DHCPREQUEST: 'request',
  DHCPACK: 'ack',
  DHCPNAK: 'nak',
  DHCPDECLINE: 'decline',
  DHCPRELEASE: 'release',
  PXE: 'proxy',
};
const LINE = /^dnsmasq-dhcp(?:\[[0-9]+\])?: ([0-9]+) (.*)$/;
const MESSAGE = /^([A-Z]+)\([^)]*\) (?:([0-9]+(?:\.[0-9]+){3}) )?([0-9a-f]{2}(?::[0-9a-f]{2}){5})(?: |$)/i;
const VENDOR = /^vendor class: (?:PXEClient|HTTPClient)(?::Arch:([0-9]{5}))?/;
/** Exchanges whose first lines are remembered: what a room of machines powered on at once can have open. */
const MAX_EXCHANGES = 1024;

/**
 * A reader of one dnsmasq's lines in order. Lines of one exchange carry its transaction id; vendor and user class come
 * before the message they belong to. Lines that are no message give undefined.
 */
export function createDhcpLogReader(): (line: string) => DhcpEvent | undefined {
  const exchanges = new Map<string, Exchange>();
  return (line) => {
    const [, id, text] = LINE.exec(line) ?? [];
    if (id === undefined || text === undefined) return undefined;
    const vendor = VENDOR.exec(text);
    if (vendor) {
      const arch = vendor[1] === undefined ? {} : { arch: Number(vendor[1]) };
      remember(id, { stage: 'firmware', ...exchanges.get(id), ...arch });
      return undefined;
    }
    if (text === 'user class: iPXE') {
      remember(id, { ...exchanges.get(id), stage: 'ipxe' });
      return undefined;
    }
    const [, word = '', address, mac] = MESSAGE.exec(text) ?? [];
    const message = MESSAGES[word];
    if (!message || mac === undefined) return undefined;
    return { message, mac: mac.toLowerCase(), ...(address ? { address } : {}), ...exchanges.get(id) };
  };

  function remember(id: string, exchange: Exchange): void {
    exchanges.delete(id);
    exchanges.set(id, exchange);
    if (exchanges.size > MAX_EXCHANGES) exchanges.delete(exchanges.keys().next().value!);
  }
}

/** dnsmasq's lease file (`expiry mac address name client-id` a line): MAC by address. Lines of another form are passed over. */
export function parseLeaseFile(text: string): Map<string, string> {
  const macs = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [expiry, mac, address] = line.split(' ');
    if (!expiry || !mac || !address || !/^[0-9]+$/.test(expiry)) continue;
    if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac) || !/^[0-9]+(\.[0-9]+){3}$/.test(address)) continue;
    macs.set(address, mac.toLowerCase());
  }
  return macs;
}
