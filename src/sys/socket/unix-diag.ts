// What the kernel says of one Unix socket, asked by its inode: what waits in its queue, which file it is bound to,
// whatever stands at that path by now, and who is at its other end.

import { askSockDiag } from "./sock-diag.ts";

const AF_UNIX = 1;
const ALL_STATES = 0xffffffff;
/** No cookie: any socket of this inode. */
const NO_COOKIE = 0xffffffff;
/** Bytes of a struct unix_diag_msg. */
const MESSAGE = 16;
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
  // unix_diag_req: family, protocol, pad, states, inode, show, cookie.
  const question = new DataView(new ArrayBuffer(24));
  question.setUint8(0, AF_UNIX);
  question.setUint32(4, ALL_STATES, true);
  question.setUint32(8, inode, true);
  question.setUint32(12, show, true);
  question.setUint32(16, NO_COOKIE, true);
  question.setUint32(20, NO_COOKIE, true);
  const value = askSockDiag(new Uint8Array(question.buffer), MESSAGE)?.get(attribute);
  if (value === undefined || value.byteLength < 4) return null;
  return [value.getUint32(0, true), value.byteLength < 8 ? 0 : value.getUint32(4, true)];
}
