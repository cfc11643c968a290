// Connecting to the path of a Unix socket, without waiting: to see who listens there, or whether anybody does.

import { checked, cString, errno, libc, ptr, SysError } from "../libc.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;

/** The path as struct sockaddr_un. */
export function unixAddress(path: string): Uint8Array {
  const name = cString(path);
  const bytes = new Uint8Array(2 + name.length);
  bytes[0] = AF_UNIX;
  bytes.set(name, 2);
  return bytes;
}

function unixSocket(): number {
  const kind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  return checked("socket", libc.socket(AF_UNIX, kind, 0));
}

export type ProbeResult = "accepts" | "refuses" | "missing" | "not-a-socket";

/** Whether somebody listens on a Unix socket's path; asks without waiting and without a request. */
export function probeUnix(path: string): ProbeResult {
  const fd = unixSocket();
  try {
    const bytes = unixAddress(path);
    if (libc.connect(fd, ptr(bytes), bytes.length) === 0) return "accepts";
    const code = new SysError("connect", errno()).code;
    if (code === "ENOENT" || code === "ENOTDIR") return "missing";
    // EAGAIN: its queue is full, so somebody listens. EACCES: somebody's, we may not ask.
    return code === "ECONNREFUSED" ? "refuses" : "accepts";
  } finally {
    libc.close(fd);
  }
}

/** A connection to a Unix socket's path, made without waiting; null where nobody takes it. */
export function connectUnix(path: string): number | null {
  const fd = unixSocket();
  const bytes = unixAddress(path);
  if (libc.connect(fd, ptr(bytes), bytes.length) === 0) return fd;
  libc.close(fd);
  return null;
}
