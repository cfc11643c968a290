// Keys for signed TCP segments (tcp(7), TCP_MD5SIG): whoever holds a listening socket can give it some, and then
// clients that do not sign are not heard. getsockopt(2) does not tell of them; sock_diag(7) does, to root.

import type { Address } from "./address.ts";
import { ipv4Bytes, ipv6Bytes } from "./ip.ts";
import { askSockDiag } from "./sock-diag.ts";

const IPPROTO_TCP = 6;
const FAMILY = { inet: 2, inet6: 10 } as const;
const ALL_STATES = 0xffffffff;
const NO_COOKIE = 0xffffffff;
/** Bytes of a struct inet_diag_msg. */
const MESSAGE = 72;
/** Bit of INET_DIAG_INFO: without it the kernel leaves the keys out. */
const WITH_INFO = 1 << 1;
const INET_DIAG_MD5SIG = 18;

/** Whether the listening socket at this address has any; false where the kernel does not say. */
export function hasSignatureKeys(address: Exclude<Address, { kind: "unix" }>): boolean {
  const { kind, host, port } = address;
  // inet_diag_req_v2: family, protocol, extensions, pad, states, then ports, addresses, device and cookie.
  const question = new DataView(new ArrayBuffer(56));
  question.setUint8(0, FAMILY[kind]);
  question.setUint8(1, IPPROTO_TCP);
  question.setUint8(2, WITH_INFO);
  question.setUint32(4, ALL_STATES, true);
  question.setUint16(8, port);
  new Uint8Array(question.buffer).set(kind === "inet" ? ipv4Bytes(host)! : ipv6Bytes(host)!, 12);
  question.setUint32(48, NO_COOKIE, true);
  question.setUint32(52, NO_COOKIE, true);
  return askSockDiag(new Uint8Array(question.buffer), MESSAGE)?.has(INET_DIAG_MD5SIG) === true;
}
