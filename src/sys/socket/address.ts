// What a listening address is, how it is written, and how the kernel wants it. It stands in sys,
// below both config and socket, because the config names addresses and the sockets open them.

import { ipv4Bytes, ipv6Bytes, ipv6Text } from "./ip.ts";

export type Address =
  | { readonly kind: "inet"; readonly host: string; readonly port: number }
  /** `::` is all addresses of both families, unless it says `ipv6Only`. */
  | {
      readonly kind: "inet6";
      readonly host: string;
      readonly port: number;
      readonly ipv6Only?: true;
    }
  | { readonly kind: "unix"; readonly path: string };

/** What a config can name: an address, or a socket that systemd opens and hands over under that name. */
export type ListenAddress = Address | { readonly kind: "systemd"; readonly name: string };

/** As nginx writes it behind an address. */
const IPV6_ONLY = " ipv6only=on";

/** Whether a socket of this address gets the connections of both families. */
export function isDualStack(address: ListenAddress): boolean {
  return address.kind === "inet6" && address.ipv6Only !== true && isAll(address.host);
}

/** Whether only processes of this machine can connect to it. */
export function isLoopback(address: Address): boolean {
  switch (address.kind) {
    case "unix":
      return true;
    case "inet":
      return ipv4Bytes(address.host)?.[0] === 127;
    case "inet6":
      return ipv6Bytes(address.host)?.toHex() === `${"0".repeat(31)}1`;
  }
}

function isAll(host: string): boolean {
  return ipv6Bytes(host)?.every((byte) => byte === 0) === true;
}

/** Longest path a Unix socket can have, in bytes (sun_path less the closing NUL; unix(7)). */
export const UNIX_PATH_MAX = 107;

/** The address as people write it, and as listeners are told apart by. */
export function addressText(address: ListenAddress): string {
  switch (address.kind) {
    case "inet":
      return `${address.host}:${address.port}`;
    case "inet6":
      return `[${address.host}]:${address.port}${address.ipv6Only ? IPV6_ONLY : ""}`;
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
  const only = address.ipv6Only ? IPV6_ONLY : "";
  return `${bytes === null ? address.host : ipv6Text(bytes)} ${address.port}${only}`;
}

const DIGITS = /^[0-9]+$/;

export type ParsedAddress =
  { readonly ok: Address } | { readonly problem: string; readonly hint: string };

/**
 * Reads `9000`, `:9000` and `[::]:9000` (all addresses of both families), `[::]:9000 ipv6only=on`,
 * `*:9000` (all IPv4 addresses), `127.0.0.1:9000`, `[::1]:9000`, or the path of a Unix socket (`unix:`
 * before it is allowed). A relative path goes through `resolvePath`.
 */
export function parseAddress(text: string, resolvePath: (path: string) => string): ParsedAddress {
  if (text === "") return problem("the address is empty");
  const portAlone = /^:?([0-9]+)$/.exec(text)?.[1];
  if (portAlone !== undefined) return inet6("::", portAlone);
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

function inet6(host: string, text: string): ParsedAddress {
  const only = text.endsWith(IPV6_ONLY);
  const portText = only ? text.slice(0, -IPV6_ONLY.length) : text;
  const port = portOf(portText);
  if (port === null)
    return problem(`"${portText}" is not a port`, "a port is a number from 1 to 65535");
  const bytes = ipv6Bytes(host);
  if (bytes === null) return problem(`"${host}" is not an IPv6 address`, 'example: "[::1]:9000"');
  const quad = bytes.subarray(12).join(".");
  // Its sockets take IPv6 only, so the kernel would refuse it (EINVAL).
  if (bytes.subarray(0, 12).toHex() === "00000000000000000000ffff")
    return problem(`"${host}" is an IPv4 address in IPv6 form`, `write it as "${quad}:${port}"`);
  if (!only) return { ok: { kind: "inet6", host, port } };
  if (isAll(host)) return { ok: { kind: "inet6", host, port, ipv6Only: true } };
  return problem(`"${host}" is one address, so it is IPv6 only`, `write "[${host}]:${port}"`);
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
