// What the kernel says of one Unix socket, asked by its inode through netlink's sock_diag(7): what waits in
// its queue, and which file it is bound to, whatever stands at that path by now, and who is at its other end.

import { libc, ptr } from "../libc.ts";

const AF_UNIX = 1;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST = 1;
const TCPF_ALL = 0xffffffff;
// linux/unix_diag.h: what is asked for, and the attribute it comes in.
const VFS = { show: 0x02, attribute: 1 } as const;
const PEER = { show: 0x04, attribute: 2 } as const;
const QUEUE = { show: 0x10, attribute: 4 } as const;

/** Connections that wait on a listening socket, and the most that may; null when the kernel cannot say. */
export function unixQueue(inode: number): { length: number; limit: number } | null {
  const pair = askedPair(inode, QUEUE);
  return pair === null ? null : { length: pair[0], limit: pair[1] };
}

/**
 * The number of the file that the socket is bound to (the lower 32 bits of it, as the kernel tells them); null
 * when it is bound to none, is in another network namespace, or the kernel cannot say.
 */
export function boundFile(inode: number): number | null {
  return askedPair(inode, VFS)?.[0] ?? null;
}

/** The inode of the socket at the other end of a connection; null when there is none, or the kernel cannot say. */
export function unixPeer(inode: number): number | null {
  return askedPair(inode, PEER)?.[0] ?? null;
}

type Asked = typeof VFS | typeof QUEUE | typeof PEER;

/** The attributes are two 32-bit numbers, or one of them. */
function askedPair(inode: number, { show, attribute }: Asked): readonly [number, number] | null {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return null;
  try {
    // nlmsghdr (16 bytes), then unix_diag_req: family, protocol, pad, states, inode, show, cookie.
    const request = new DataView(new ArrayBuffer(40));
    request.setUint32(0, 40, true);
    request.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
    request.setUint16(6, NLM_F_REQUEST, true);
    request.setUint8(16, AF_UNIX);
    request.setUint32(20, TCPF_ALL, true);
    request.setUint32(24, inode, true);
    request.setUint32(28, show, true);
    request.setUint32(32, 0xffffffff, true);
    request.setUint32(36, 0xffffffff, true);
    if (Number(libc.send(fd, ptr(request), 40, 0)) !== 40) return null;
    const answer = new DataView(new ArrayBuffer(512));
    const length = Number(libc.recv(fd, ptr(answer), 512, 0));
    if (length < 32 || answer.getUint16(4, true) !== SOCK_DIAG_BY_FAMILY) return null;
    return pairIn(answer, length, attribute);
  } finally {
    libc.close(fd);
  }
}

/** Looks for it among the attributes behind nlmsghdr and unix_diag_msg (16 bytes each). */
function pairIn(
  answer: DataView,
  length: number,
  attribute: number,
): readonly [number, number] | null {
  for (let at = 32; at + 8 <= length;) {
    const size = answer.getUint16(at, true);
    if (answer.getUint16(at + 2, true) === attribute)
      return [answer.getUint32(at + 4, true), answer.getUint32(at + 8, true)];
    if (size < 4) return null;
    at += (size + 3) & ~3;
  }
  return null;
}
