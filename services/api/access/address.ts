/** Whose request it is, as far as the network tells. */

const bare = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '');

/**
 * The client's address: the peer's, or what a trusted proxy says of its own peer (the last entry of X-Forwarded-For, then further
 * back as long as the entries are trusted proxies too).
 */
export function clientAddress(peer: string | undefined, forwarded: string, trusted: readonly string[] = []): string {
  let address = bare(peer ?? 'unknown');
  const hops = forwarded.split(',').map((hop) => hop.trim());
  while (trusted.includes(address)) {
    const before = hops.pop();
    if (!before || !/^[0-9a-fA-F.:]{2,45}$/.test(before)) break;
    address = bare(before);
  }
  return address;
}
