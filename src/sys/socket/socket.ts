// Listening sockets as the kernel has them: made blocking and close-on-exec, because a worker that
// finds O_NONBLOCK on fd 0 leaves at once, and the flag is shared by all who hold the socket.

import { type Address, isDualStack } from "./address.ts";
import { ipv4Bytes, ipv6Bytes, ipv6Text } from "./ip.ts";
import { optionsOf, type SocketOptions } from "./socket-options.ts";
import { checked, libc, ptr } from "../libc.ts";
import { unixAddress } from "./unix-connect.ts";

const AF = { unix: 1, inet: 2, inet6: 10 } as const;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_RCVTIMEO = 20;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_GETFL = 3;
const F_SETFL = 4;
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;
const SO_LOCK_FILTER = 44;
const POLLHUP = 0x10;
const POLLRDHUP = 0x2000;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/** The address as struct sockaddr_in, sockaddr_in6 or sockaddr_un. */
function sockaddr(address: Address): Uint8Array {
  switch (address.kind) {
    case "unix":
      return unixAddress(address.path);
    case "inet": {
      const bytes = new Uint8Array(16);
      bytes[0] = AF.inet;
      new DataView(bytes.buffer).setUint16(2, address.port);
      bytes.set(ipv4Bytes(address.host)!, 4);
      return bytes;
    }
    case "inet6": {
      const bytes = new Uint8Array(28);
      bytes[0] = AF.inet6;
      new DataView(bytes.buffer).setUint16(2, address.port);
      bytes.set(ipv6Bytes(address.host)!, 8);
      return bytes;
    }
  }
}

function socketFor(address: Address, flags: number): number {
  return checked("socket", libc.socket(AF[address.kind], SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
}

/** Whether this kernel has IPv6 at all. */
export function hasIpv6(): boolean {
  const fd = libc.socket(AF.inet6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  libc.close(fd);
  return true;
}

function setOption(fd: number, level: number, option: number, value: number): void {
  const data = new Int32Array([value]);
  checked("setsockopt", libc.setsockopt(fd, level, option, ptr(data), 4));
}

/** Binds a new blocking socket to the address. Throws a SysError, EADDRINUSE among them. */
export function bindSocket(address: Address): number {
  const fd = socketFor(address, 0);
  try {
    if (address.kind !== "unix") setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address.kind === "inet6")
      setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, isDualStack(address) ? 0 : 1);
    const bytes = sockaddr(address);
    checked("bind", libc.bind(fd, ptr(bytes), bytes.length));
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/**
 * Lets a worker have a connection only when its request has begun to arrive (tcp(7), TCP_DEFER_ACCEPT):
 * it is woken once instead of twice, and a client that keeps silent holds no worker.
 */
export function deferAccept(fd: number): void {
  setOption(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_SECONDS);
}

/** The options of a TCP socket of this family as `bindSocket` and `deferAccept` leave them. */
export function usualOptions(kind: "inet" | "inet6"): SocketOptions {
  const fd = checked("socket", libc.socket(AF[kind], SOCK_STREAM | SOCK_CLOEXEC, 0));
  try {
    deferAccept(fd);
    return optionsOf(fd);
  } finally {
    libc.close(fd);
  }
}

/** Starts listening, or changes the backlog of a socket that listens already. */
export function listenOn(fd: number, backlog: number): void {
  checked("listen", libc.listen(fd, backlog));
}

/** The address a socket is bound to; null when it is no stream socket that listens. */
export function listeningAddress(fd: number): Address | null {
  if (intOption(fd, SO_ACCEPTCONN) !== 1 || intOption(fd, SO_TYPE) !== SOCK_STREAM) return null;
  const bytes = new Uint8Array(128);
  const size = new Uint32Array([bytes.length]);
  if (libc.getsockname(fd, ptr(bytes), ptr(size)) !== 0) return null;
  const port = new DataView(bytes.buffer).getUint16(2);
  switch (bytes[0]) {
    case AF.unix: {
      const path = bytes.subarray(2, size[0]);
      const end = path.indexOf(0);
      return {
        kind: "unix",
        path: new TextDecoder().decode(end < 0 ? path : path.subarray(0, end)),
      };
    }
    case AF.inet:
      return { kind: "inet", host: bytes.subarray(4, 8).join("."), port };
    case AF.inet6: {
      const host = ipv6Text(bytes.subarray(8, 24));
      const only = host === "::" && intOption(fd, IPV6_V6ONLY, IPPROTO_IPV6) === 1;
      return { kind: "inet6", host, port, ...(only ? { ipv6Only: true } : {}) };
    }
    default:
      return null;
  }
}

/** Makes accept(2) wait, as workers need it; the flag is shared by all who hold the socket. */
export function makeBlocking(fd: number): void {
  const flags = checked("fcntl", libc.fcntl(fd, F_GETFL, 0));
  if ((flags & SOCK_NONBLOCK) !== 0)
    checked("fcntl", libc.fcntl(fd, F_SETFL, flags & ~SOCK_NONBLOCK));
}

export function isBlocking(fd: number): boolean {
  return (checked("fcntl", libc.fcntl(fd, F_GETFL, 0)) & SOCK_NONBLOCK) === 0;
}

/** Whether accept(2) gives up after a time (SO_RCVTIMEO). */
export function hasAcceptTimeout(fd: number): boolean {
  const time = new BigInt64Array(2);
  const size = new Uint32Array([16]);
  const got = libc.getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, ptr(time), ptr(size));
  return got === 0 && time.some((part) => part !== 0n);
}

export function clearAcceptTimeout(fd: number): void {
  const none = new BigInt64Array(2);
  checked("setsockopt", libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, ptr(none), 16));
}

/** Whether it listens, and nobody has shut it down: a Unix socket goes on "listening" after that. */
export function isAccepting(fd: number): boolean {
  if (intOption(fd, SO_ACCEPTCONN) !== 1) return false;
  // struct pollfd: descriptor, then what is asked for and what is, 16 bit each.
  const asked = new DataView(new ArrayBuffer(8));
  asked.setInt32(0, fd, true);
  asked.setInt16(4, POLLRDHUP, true);
  libc.poll(ptr(asked), 1n, 0);
  return (asked.getInt16(6, true) & (POLLRDHUP | POLLHUP)) === 0;
}

/** Puts a descriptor in the place of another one, which is closed, close-on-exec. */
export function replaceDescriptor(fd: number, by: number): void {
  checked("dup2", libc.dup2(by, fd));
  checked("fcntl", libc.fcntl(fd, F_SETFD, FD_CLOEXEC));
  libc.close(by);
}

function intOption(fd: number, option: number, level = SOL_SOCKET): number | null {
  const value = new Int32Array(1);
  const size = new Uint32Array([4]);
  return libc.getsockopt(fd, level, option, ptr(value), ptr(size)) === 0 ? value[0]! : null;
}

/** Ends listening for every holder of the socket, and frees its address: shutdown(2), both ways. */
export function endListening(fd: number): void {
  const SHUT_RDWR = 2;
  libc.shutdown(fd, SHUT_RDWR);
}

export function closeSocket(fd: number): void {
  libc.close(fd);
}

/** One instruction of classic BPF (linux/filter.h). */
export interface BpfInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** Puts a filter on a socket (connections it rejects are dropped unanswered); null takes it off. */
export function attachFilter(fd: number, program: readonly BpfInstruction[] | null): void {
  if (program === null) {
    // ENOENT: there was none.
    libc.setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, ptr(new Int32Array(1)), 4);
    return;
  }
  const bytes = filterBytes(program);
  // struct sock_fprog: 16 bit length, padding, pointer.
  const fprog = new DataView(new ArrayBuffer(16));
  fprog.setUint16(0, program.length, true);
  fprog.setBigUint64(8, BigInt(ptr(bytes)), true);
  const holder = new Uint8Array(fprog.buffer);
  checked("setsockopt", libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, ptr(holder), 16));
}

/** Whether the filter on a socket is this program; null = there is none. */
export function hasFilter(fd: number, program: readonly BpfInstruction[] | null): boolean {
  // SO_GET_FILTER has the number of SO_ATTACH_FILTER; lengths are instructions, 0 asks for the number.
  const size = new Uint32Array([0]);
  const none = new Uint8Array(8);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, ptr(none), ptr(size)) !== 0) return false;
  if (size[0] !== (program?.length ?? 0)) return false;
  if (program === null) return true;
  const bytes = new Uint8Array(program.length * 8);
  const got = libc.getsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, ptr(bytes), ptr(size));
  return got === 0 && Buffer.from(filterBytes(program)).equals(bytes);
}

/** Whether its filter, or that it has none, can be changed no more, by nobody (SO_LOCK_FILTER). */
export function isFilterLocked(fd: number): boolean {
  return intOption(fd, SO_LOCK_FILTER) === 1;
}

function filterBytes(program: readonly BpfInstruction[]): Uint8Array {
  const code = new DataView(new ArrayBuffer(program.length * 8));
  for (const [i, instruction] of program.entries()) {
    code.setUint16(i * 8, instruction.code, true);
    code.setUint8(i * 8 + 2, instruction.jt);
    code.setUint8(i * 8 + 3, instruction.jf);
    code.setUint32(i * 8 + 4, instruction.k >>> 0, true);
  }
  return new Uint8Array(code.buffer);
}

const IPPROTO_TCP = 6;
const TCP_DEFER_ACCEPT = 9;
/** So long a silent client is kept waiting; then a worker gets it all the same. */
const DEFER_SECONDS = 5;
const TCP_INFO = 11;

/** Connections waiting on a listening TCP socket, and the most that may (tcp_info's unacked and sacked). */
export function tcpQueue(fd: number): { length: number; limit: number } {
  const info = new DataView(new ArrayBuffer(256));
  const size = new Uint32Array([256]);
  checked("getsockopt", libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, ptr(info), ptr(size)));
  return { length: info.getUint32(24, true), limit: info.getUint32(28, true) };
}
