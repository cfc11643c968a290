// What a listening address is, how it is written, and how the kernel wants it. It stands in sys,
// below both config and socket, because the config names addresses and the sockets open them.

export type Address =
  | { readonly kind: "inet"; readonly host: string; readonly port: number }
  | { readonly kind: "inet6"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** What a config can name: an address, or a socket that systemd opens and hands over under that name. */
export type ListenAddress = Address | { readonly kind: "systemd"; readonly name: string };

/** Longest path a Unix socket can have, in bytes (sun_path less the closing NUL; unix(7)). */
export const UNIX_PATH_MAX = 107;

/** The address as people write it, and as listeners are told apart by. */
export function addressText(address: ListenAddress): string {
  switch (address.kind) {
    case "inet":
      return `${address.host}:${address.port}`;
    case "inet6":
      return `[${address.host}]:${address.port}`;
    case "unix":
      return address.path;
    case "systemd":
      return `systemd:${address.name}`;
  }
}

/** Whether both mean the same, however they are written (`[::1]` and `[0:0:0:0:0:0:0:1]`). */
export function sameAddress(a: ListenAddress, b: ListenAddress): boolean {
  return a.kind === b.kind && plain(a) === plain(b);
}

function plain(address: ListenAddress): string {
  if (address.kind !== "inet6") return addressText(address);
  const bytes = ipv6Bytes(address.host);
  return `${bytes === null ? address.host : ipv6Text(bytes)} ${address.port}`;
}

const DIGITS = /^[0-9]+$/;

export type ParsedAddress =
  { readonly ok: Address } | { readonly problem: string; readonly hint: string };

/**
 * Reads `9000` (all IPv4 addresses), `127.0.0.1:9000`, `[::1]:9000`, `*:9000`, or the path of a
 * Unix socket (`unix:` before it is allowed). A relative path goes through `resolvePath`.
 */
export function parseAddress(text: string, resolvePath: (path: string) => string): ParsedAddress {
  if (text === "") return problem("the address is empty");
  if (DIGITS.test(text)) return inet("0.0.0.0", text);
  if (text.startsWith("unix:")) return unix(resolvePath(text.slice(5)));
  if (/^[a-z0-9+]+:\/\//i.test(text)) return problem(`"${text}" is a URL, not an address`);
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(text);
  if (bracketed) return inet6(bracketed[1]!, bracketed[2]!);
  if (text.includes("/")) return unix(resolvePath(text));
  // Nobody means a Unix socket of that name.
  if (isHost(text)) return problem(`"${text}" has no port`, `write it as "${text}:9000"`);
  const colon = text.lastIndexOf(":");
  if (colon < 0) return unix(resolvePath(text));
  const host = text.slice(0, colon);
  if (host.includes(":") && ipv6Bytes(host) === null) return problem(`"${text}" is not an address`);
  if (host.includes(":"))
    return problem(
      `"${text}" is an IPv6 address without brackets`,
      `write it as "[${host}]:${text.slice(colon + 1)}"`,
    );
  return inet(host === "*" ? "0.0.0.0" : host, text.slice(colon + 1));
}

function isHost(text: string): boolean {
  return text === "localhost" || /^\[[^\]]*\]$/.test(text) || ipv4Bytes(text) !== null;
}

function problem(
  what: string,
  hint = 'examples: "127.0.0.1:9000", "9000", "[::1]:9000", "/run/www.sock"',
): ParsedAddress {
  return { problem: what, hint };
}

function portOf(text: string): number | null {
  const port = Number(text);
  return DIGITS.test(text) && port >= 1 && port <= 65535 ? port : null;
}

function inet(host: string, portText: string): ParsedAddress {
  const port = portOf(portText);
  if (port === null)
    return problem(`"${portText}" is not a port`, "a port is a number from 1 to 65535");
  if (host === "localhost") return { ok: { kind: "inet", host: "127.0.0.1", port } };
  if (ipv4Bytes(host) === null)
    return problem(
      `"${host}" is not an IPv4 address`,
      'write an IP address ("127.0.0.1"), or only a port for all of them',
    );
  return { ok: { kind: "inet", host, port } };
}

function inet6(host: string, portText: string): ParsedAddress {
  const port = portOf(portText);
  if (port === null)
    return problem(`"${portText}" is not a port`, "a port is a number from 1 to 65535");
  const bytes = ipv6Bytes(host);
  if (bytes === null) return problem(`"${host}" is not an IPv6 address`, 'example: "[::1]:9000"');
  const quad = bytes.subarray(12).join(".");
  // Its sockets take IPv6 only, so the kernel would refuse it (EINVAL).
  if (bytes.subarray(0, 12).toHex() === "00000000000000000000ffff")
    return problem(`"${host}" is an IPv4 address in IPv6 form`, `write it as "${quad}:${port}"`);
  return { ok: { kind: "inet6", host, port } };
}

function unix(path: string): ParsedAddress {
  return pathProblem(path) ?? { ok: { kind: "unix", path } };
}

/** Why a Unix socket cannot have this path; null = it can. */
export function pathProblem(path: string): { problem: string; hint: string } | null {
  const length = Buffer.byteLength(path);
  if (length <= UNIX_PATH_MAX) return null;
  return {
    problem: `the socket path ${path} is ${length} bytes long; the limit is ${UNIX_PATH_MAX}`,
    hint: "choose a shorter path, for example below /run",
  };
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
