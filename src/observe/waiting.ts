// Which system calls the threads of a worker wait in: in accept(2) for a connection, in a select or poll, in
// a read. A worker of one thread costs one look; of more, each may be the one that waits.

import { socketAt } from "../sys/proc/proc-sockets.ts";
import type { ProcessStat } from "../sys/proc/procfs.ts";
import { currentSyscall, type SystemCall, threadsOf } from "../sys/proc/threads.ts";

type Numbers = ReadonlySet<number>;

interface SyscallNumbers {
  readonly accept: Numbers;
  /** select, poll, epoll_wait and their variants. */
  readonly wait: Numbers;
  /** read, recvfrom, recvmsg. */
  readonly read: Numbers;
}

/** From the kernel's unistd tables. */
const TABLES: Partial<Record<NodeJS.Architecture, SyscallNumbers>> = {
  x64: {
    accept: new Set([43, 288]),
    wait: new Set([7, 23, 232, 270, 271, 281, 441]),
    read: new Set([0, 45, 47]),
  },
  arm64: {
    accept: new Set([202, 242]),
    wait: new Set([22, 72, 73, 441]),
    read: new Set([63, 207, 212]),
  },
};
const NONE: SyscallNumbers = { accept: new Set(), wait: new Set(), read: new Set() };
const SYSCALLS = TABLES[process.arch] ?? NONE;

/** What a worker waits in at this moment. */
export class Waiting {
  private readonly pid: number;
  private readonly calls: readonly SystemCall[];

  constructor({ pid, threads }: Pick<ProcessStat, "pid" | "threads">) {
    this.pid = pid;
    const all = threads > 1 ? threadsOf(pid) : [pid];
    this.calls = all.map((thread) => currentSyscall(pid, thread)).filter((call) => call !== null);
  }

  /** The threads that wait in accept(2) on this socket, whatever descriptor that is. */
  inAccept(inode: number): readonly number[] {
    return this.in(SYSCALLS.accept)
      .filter(({ fd }) => socketAt(this.pid, fd) === String(inode))
      .map(({ thread }) => thread);
  }

  /** Whether one waits in a select or poll, for whatever it may be. */
  get inPoll(): boolean {
    return this.in(SYSCALLS.wait).length > 0;
  }

  /** Whether one waits for something to read from this descriptor. */
  inRead(descriptor: number): boolean {
    return this.in(SYSCALLS.read).some(({ fd }) => fd === descriptor);
  }

  private in(numbers: Numbers): readonly SystemCall[] {
    return this.calls.filter(({ number }) => numbers.has(number));
  }
}
