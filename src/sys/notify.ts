// Datagrams to a service manager (sd_notify(3)): lines of NAME=VALUE, with descriptors attached where
// it is to keep them. Sent without waiting, because a manager that stalls must not stall us; written
// here because the protocol is a socket and a few words, and libsystemd is not on every machine.

import { checked, errno, libc, ptr, SysError } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SUN_PATH_MAX = 108;

export class NotifySocket {
  private readonly path: string;
  private readonly address: Uint8Array;
  private readonly fd: number;

  private constructor(path: string, address: Uint8Array) {
    this.path = path;
    this.address = address;
    this.fd = checked("socket", libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  }

  /** Opens the way to the manager at `path`: absolute, or with `@` in the abstract namespace. Null for anything else. */
  static open(path: string): NotifySocket | null {
    const address = sockaddrOf(path);
    return address === null ? null : new NotifySocket(path, address);
  }

  /** "later": its queue is full. Throws a SysError when it cannot be reached at all. */
  send(text: string, fds: readonly number[] = []): "sent" | "later" {
    if (sendmsg(this.fd, this.address, Buffer.from(text), fds) >= 0) return "sent";
    const error = new SysError("sendmsg", errno(), this.path);
    if (error.code === "EAGAIN") return "later";
    throw error;
  }

  close(): void {
    libc.close(this.fd);
  }
}

function sockaddrOf(path: string): Uint8Array | null {
  const name = Buffer.from(path);
  if (!/^[/@]./.test(path) || name.length >= SUN_PATH_MAX) return null;
  const abstract = name[0] === 0x40;
  // An abstract name has its length from the address, a path its end from a NUL.
  const bytes = new Uint8Array(2 + name.length + (abstract ? 0 : 1));
  bytes[0] = AF_UNIX;
  bytes.set(name, 2);
  if (abstract) bytes[2] = 0;
  return bytes;
}

/** struct msghdr and struct cmsghdr as 64 bit Linux lays them out. */
function sendmsg(
  fd: number,
  address: Uint8Array,
  text: Uint8Array,
  fds: readonly number[],
): number {
  const iovec = new BigUint64Array([BigInt(ptr(text)), BigInt(text.length)]);
  const control = rights(fds);
  const message = new BigUint64Array([
    BigInt(ptr(address)),
    BigInt(address.length),
    BigInt(ptr(iovec)),
    1n,
    control === null ? 0n : BigInt(ptr(control)),
    control === null ? 0n : BigInt(control.length),
    0n,
  ]);
  return Number(libc.sendmsg(fd, ptr(message), MSG_DONTWAIT | MSG_NOSIGNAL));
}

const CMSG_HEADER = 16;

function rights(fds: readonly number[]): Uint8Array | null {
  if (fds.length === 0) return null;
  const length = CMSG_HEADER + 4 * fds.length;
  const control = new DataView(new ArrayBuffer((length + 7) & ~7));
  control.setBigUint64(0, BigInt(length), true);
  control.setInt32(8, SOL_SOCKET, true);
  control.setInt32(12, SCM_RIGHTS, true);
  for (const [i, fd] of fds.entries()) control.setInt32(CMSG_HEADER + 4 * i, fd, true);
  return new Uint8Array(control.buffer);
}
