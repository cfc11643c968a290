// Descriptors that a service manager hands over at the start (sd_listen_fds(3)): from 3 on, as many
// as LISTEN_FDS says, if LISTEN_PID means this process. They arrive without close-on-exec.

import { libc } from "../libc.ts";

const FIRST = 3;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** More than any manager hands over; LISTEN_FDS is text that anybody may have set. */
const MOST = 4096;

export interface HandedDescriptor {
  readonly fd: number;
  /** "" when the manager told no name. */
  readonly name: string;
}

type Environment = Record<string, string | undefined>;

/** What was handed over, made close-on-exec. Takes the variables out of `env`, so that nobody else believes them. */
export function receiveDescriptors(env: Environment, pid: number): HandedDescriptor[] {
  const { LISTEN_FDNAMES } = env;
  const handed = handedDescriptors(env, pid);
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"])
    delete env[name];
  const names = (LISTEN_FDNAMES ?? "").split(":");
  return handed
    .map((fd, i) => ({ fd, name: names[i] ?? "" }))
    .filter(({ fd }) => libc.fcntl(fd, F_SETFD, FD_CLOEXEC) === 0);
}

/** Leaves them open for the program that this process becomes: Bun makes all but the first close-on-exec. */
export function passDescriptors(env: Environment, pid: number): void {
  for (const fd of handedDescriptors(env, pid)) libc.fcntl(fd, F_SETFD, 0);
}

function handedDescriptors({ LISTEN_PID, LISTEN_FDS }: Environment, pid: number): number[] {
  if (LISTEN_PID !== String(pid) || !/^[0-9]+$/.test(LISTEN_FDS ?? "")) return [];
  return Array.from({ length: Math.min(Number(LISTEN_FDS), MOST) }, (_, i) => FIRST + i);
}
