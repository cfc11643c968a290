// IP addresses and blocks of them (CIDR), as people write them and as bytes.

/** Addresses that have their first bits in common. */
export interface IpBlock {
  readonly bytes: Uint8Array;
  /** Leading bits that count: 32 or 128 for a single address. */
  readonly bits: number;
}

/** Reads `192.0.2.1`, `192.0.2.0/24`, `::1`, `2001:db8::/32`; null when it is neither. */
export function parseIpBlock(text: string): IpBlock | null {
  const [host, length, ...more] = text.split("/");
  const bytes = ipBytes(host!);
  if (bytes === null || more.length > 0) return null;
  const most = bytes.length * 8;
  if (length === undefined) return { bytes, bits: most };
  const bits = Number(length);
  return /^[0-9]{1,3}$/.test(length) && bits <= most ? { bytes, bits } : null;
}

/** The bytes of an address of either kind, however it is written; null when it is none. */
export function ipBytes(text: string): Uint8Array | null {
  return ipv4Bytes(text) ?? ipv6Bytes(text);
}

/** The four bytes of a dotted quad, or null when it is none. */
export function ipv4Bytes(text: string): Uint8Array | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const bytes = parts.map((part) => (/^[0-9]{1,3}$/.test(part) ? Number(part) : 256));
  return bytes.every((byte) => byte <= 255) ? Uint8Array.from(bytes) : null;
}

/** The sixteen bytes of an IPv6 address (an embedded dotted quad included), or null. */
export function ipv6Bytes(text: string): Uint8Array | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = words(halves[0]!);
  const tail = halves.length === 2 ? words(halves[1]!) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return Uint8Array.from(all.flatMap((word) => [word >> 8, word & 0xff]));
}

function words(text: string): number[] | null {
  if (text === "") return [];
  const out: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    const quad = i === parts.length - 1 ? ipv4Bytes(part) : null;
    if (quad) out.push((quad[0]! << 8) | quad[1]!, (quad[2]! << 8) | quad[3]!);
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) out.push(Number.parseInt(part, 16));
    else return null;
  }
  return out;
}

/** Sixteen bytes as an IPv6 address, its longest run of zeros shortened (RFC 5952). */
export function ipv6Text(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(i * 2).toString(16));
  const text = groups.join(":");
  const runs = text.match(/(?:^|:)0(?::0)+(?=:|$)/g) ?? [];
  const longest = runs.sort((a, b) => b.length - a.length)[0];
  if (longest === undefined) return text;
  const at = text.indexOf(longest);
  return `${text.slice(0, at)}::${text.slice(at + longest.length).replace(/^:/, "")}`;
}
