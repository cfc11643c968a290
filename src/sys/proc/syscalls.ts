// The system calls that a worker can be found in, by the kernel's numbers for this kind of machine (its
// unistd tables), and what kind of waiting each is.

export type SyscallKind =
  | "read"
  | "write"
  | "connect"
  | "poll"
  | "select"
  | "epoll"
  | "sleep"
  | "lock"
  | "sync"
  | "child"
  | "mutex"
  | "accept"
  | "other";

export interface SyscallName {
  readonly name: string;
  readonly kind: SyscallKind;
}

/** Name, kind, number on x64, number on arm64; null where there is none of it. */
type Row = readonly [string, SyscallKind, number | null, number | null];

const ROWS: readonly Row[] = [
  ["read", "read", 0, 63],
  ["readv", "read", 19, 65],
  ["pread64", "read", 17, 67],
  ["recvfrom", "read", 45, 207],
  ["recvmsg", "read", 47, 212],
  ["recvmmsg", "read", 299, 243],
  ["write", "write", 1, 64],
  ["writev", "write", 20, 66],
  ["pwrite64", "write", 18, 68],
  ["sendto", "write", 44, 206],
  ["sendmsg", "write", 46, 211],
  ["sendmmsg", "write", 307, 269],
  ["connect", "connect", 42, 203],
  ["poll", "poll", 7, null],
  ["ppoll", "poll", 271, 73],
  ["select", "select", 23, null],
  ["pselect6", "select", 270, 72],
  ["epoll_wait", "epoll", 232, null],
  ["epoll_pwait", "epoll", 281, 22],
  ["epoll_pwait2", "epoll", 441, 441],
  ["nanosleep", "sleep", 35, 101],
  ["clock_nanosleep", "sleep", 230, 115],
  ["pause", "sleep", 34, null],
  ["flock", "lock", 73, 32],
  ["fcntl", "lock", 72, 25],
  ["fsync", "sync", 74, 82],
  ["fdatasync", "sync", 75, 83],
  ["wait4", "child", 61, 260],
  ["waitid", "child", 247, 95],
  ["futex", "mutex", 202, 98],
  ["semop", "mutex", 65, 193],
  ["semtimedop", "mutex", 220, 192],
  ["accept", "accept", 43, 202],
  ["accept4", "accept", 288, 242],
  ["open", "other", 2, null],
  ["openat", "other", 257, 56],
  ["stat", "other", 4, null],
  ["newfstatat", "other", 262, 79],
  ["statx", "other", 332, 291],
  ["rename", "other", 82, null],
  ["unlink", "other", 87, null],
  ["getdents64", "other", 217, 61],
  ["msgrcv", "other", 70, 188],
  ["execve", "other", 59, 221],
  ["mmap", "other", 9, 222],
  ["munmap", "other", 11, 215],
];

const COLUMN: Partial<Record<NodeJS.Architecture, 2 | 3>> = { x64: 2, arm64: 3 };

const BY_NUMBER: ReadonlyMap<number, SyscallName> = new Map(
  ROWS.flatMap((row): [number, SyscallName][] => {
    const column = COLUMN[process.arch];
    const number = column === undefined ? null : row[column];
    return number === null ? [] : [[number, { name: row[0], kind: row[1] }]];
  }),
);

/** One that is not in the table is told by its number. */
export function syscallName(number: number): SyscallName {
  return BY_NUMBER.get(number) ?? { name: `system call ${number}`, kind: "other" };
}
