// What /proc tells of the threads of a process. Of very many the first ones are looked at: how many there are
// is the process's own business.

import { numbersIn } from "./proc-folder.ts";
import { asOwnerOf } from "./eyes.ts";
import { readText } from "./proc-file.ts";

const THREADS_MOST = 128;

/** Its threads, the first one first; none when it is gone. */
export function threadsOf(pid: number): readonly number[] {
  return numbersIn(`/proc/${pid}/task`, THREADS_MOST) ?? [];
}

export function hasOtherThreads(pid: number): boolean {
  return (numbersIn(`/proc/${pid}/task`, 2) ?? []).length > 1;
}

/** Whether no thread of it runs: each is stopped, or has ended. */
export function areAllStopped(pid: number): boolean {
  return threadsOf(pid).every((thread) => {
    const text = readText(`/proc/${pid}/task/${thread}/stat`);
    if (text === null) return true;
    return "TtZX".includes(text.charAt(text.lastIndexOf(")") + 2));
  });
}

export interface SystemCall {
  readonly thread: number;
  /** Of the kernel's table for this architecture. */
  readonly number: number;
  /** The first argument, whatever it means. */
  readonly fd: number;
}

/** The system call that a thread waits in; null when it runs or cannot be seen. */
export function currentSyscall(pid: number, thread = pid): SystemCall | null {
  const path = thread === pid ? `/proc/${pid}/syscall` : `/proc/${pid}/task/${thread}/syscall`;
  const text = asOwnerOf(pid, () => readText(path));
  if (text === null || !/^\d/.test(text)) return null;
  const [number, first] = text.split(" ");
  return { thread, number: Number(number), fd: Number(first) };
}
