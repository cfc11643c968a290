// One question about one socket to the kernel (netlink(7), sock_diag(7)), and the attributes of the answer.

import { libc, ptr } from "../libc.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST = 1;
/** Bytes of a struct nlmsghdr, before what is asked and what is answered. */
const HEADER = 16;
/** Bytes; the attributes of one socket take less. */
const ANSWER_MOST = 4096;
const answer = new DataView(new ArrayBuffer(ANSWER_MOST));

/** What an answer holds by its number; good until the next question. */
export type Attributes = ReadonlyMap<number, DataView>;

/**
 * Asks with this struct (unix_diag_req, inet_diag_req_v2); the answer's own struct has so many bytes. null: there is no
 * such socket, or the kernel cannot say.
 */
export function askSockDiag(question: Uint8Array, bytes: number): Attributes | null {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return null;
  try {
    const request = new DataView(new ArrayBuffer(HEADER + question.length));
    request.setUint32(0, request.byteLength, true);
    request.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
    request.setUint16(6, NLM_F_REQUEST, true);
    new Uint8Array(request.buffer).set(question, HEADER);
    const sent = Number(libc.send(fd, ptr(request), request.byteLength, 0));
    if (sent !== request.byteLength) return null;
    const filled = Number(libc.recv(fd, ptr(answer), ANSWER_MOST, 0));
    const isAnswer = filled >= HEADER + bytes && answer.getUint16(4, true) === SOCK_DIAG_BY_FAMILY;
    return isAnswer ? attributesIn(HEADER + bytes, filled) : null;
  } finally {
    libc.close(fd);
  }
}

/** struct rtattr: length with these 4 bytes, number, then the value. */
function attributesIn(from: number, to: number): Attributes {
  const found = new Map<number, DataView>();
  for (let at = from; at + 4 <= to;) {
    const size = answer.getUint16(at, true);
    if (size < 4 || at + size > to) break;
    found.set(answer.getUint16(at + 2, true), new DataView(answer.buffer, at + 4, size - 4));
    at += (size + 3) & ~3;
  }
  return found;
}
