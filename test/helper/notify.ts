// A service manager's end of the notify socket: a real AF_UNIX datagram socket that takes descriptors
// too (SCM_RIGHTS), read on the tests' own account.

import { dlopen, ptr } from "bun:ffi";
import { readFileSync, readlinkSync, rmSync } from "node:fs";
import { eventually } from "./wait.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  recvmsg: { args: ["i32", "ptr", "i32"], returns: "i64" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
});

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;

export interface Notice {
  readonly lines: readonly string[];
  /** Inodes of the sockets that came with it. */
  readonly inodes: readonly string[];
}

export interface NotifyEnd {
  /** What has come so far. */
  readonly notices: () => readonly Notice[];
  /** Waits for a message with this line, after the first `skip` messages; returns its index. */
  readonly wait: (line: string | RegExp, skip?: number) => Promise<number>;
  /** Sends datagrams to itself until its queue is full; returns how many. */
  readonly fill: () => number;
  readonly close: () => void;
}

/** Listens at an absolute path, or at an abstract name that begins with `@`. */
export function notifyEnd(path: string): NotifyEnd {
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const address = Buffer.from(`\x01\0${path.replace(/^@/, "\0")}`);
  if (libc.bind(fd, ptr(address), address.length) !== 0) throw new Error(`cannot bind ${path}`);
  const notices: Notice[] = [];
  const look = () => {
    for (let notice = receive(fd); notice !== null; notice = receive(fd)) notices.push(notice);
    return notices;
  };
  const matches = (line: string, wanted: string | RegExp) =>
    typeof wanted === "string" ? line === wanted : wanted.test(line);
  return {
    notices: look,
    wait: (wanted, skip = 0) =>
      eventually(
        () => {
          const index = look().findIndex(
            ({ lines }, i) => i >= skip && lines.some((line) => matches(line, wanted)),
          );
          return index < 0 ? null : { index };
        },
        { what: `the service manager is told ${wanted}` },
      ).then(({ index }) => index),
    fill() {
      const text = Buffer.from("FILLER=1");
      let sent = 0;
      while (
        libc.sendto(fd, ptr(text), text.length, MSG_DONTWAIT, ptr(address), address.length) > 0
      )
        sent++;
      return sent;
    },
    close() {
      libc.close(fd);
      if (!path.startsWith("@")) rmSync(path, { force: true });
    },
  };
}

function receive(fd: number): Notice | null {
  const text = Buffer.alloc(8192);
  const control = new DataView(new ArrayBuffer(256));
  const iovec = new BigUint64Array([BigInt(ptr(text)), BigInt(text.length)]);
  const message = new BigUint64Array([
    0n,
    0n,
    BigInt(ptr(iovec)),
    1n,
    BigInt(ptr(control)),
    BigInt(control.byteLength),
    0n,
  ]);
  const length = Number(libc.recvmsg(fd, ptr(message), MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
  if (length < 0) return null;
  const fds: number[] = [];
  const end = message[5] === 0n ? 0 : Number(control.getBigUint64(0, true));
  for (let at = 16; at < end; at += 4) fds.push(control.getInt32(at, true));
  const inodes = fds.map((one) => /\d+/.exec(readlinkSync(`/proc/self/fd/${one}`))?.[0] ?? "");
  for (const one of fds) libc.close(one);
  return { lines: text.subarray(0, length).toString().split("\n"), inodes };
}

/** CLOCK_MONOTONIC in microseconds. */
export function monotonicMicroseconds(): number {
  const time = new BigInt64Array(2);
  libc.clock_gettime(1, ptr(time));
  return Number(time[0]! * 1_000_000n + time[1]! / 1_000n);
}

/** The variables of a process's environment that a service manager sets, as /proc shows them. */
export function managerVariables(pid: number): string[] {
  return readFileSync(`/proc/${pid}/environ`, "utf8")
    .split("\0")
    .map((pair) => pair.split("=")[0]!)
    .filter((name) => /^(NOTIFY_|WATCHDOG_|LISTEN_|FCGIVISOR_LISTEN)/.test(name));
}
