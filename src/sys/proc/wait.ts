// What a process waits for: the system call that it is in (proc(5), syscall), and on which of its descriptors.
// Arguments that point into its memory are its own to write: little of it is read, and nothing believed.

import { asOwnerOf } from "./eyes.ts";
import { readText } from "./proc-file.ts";
import { withMemory } from "./memory.ts";
import { type SyscallName, syscallName } from "./syscalls.ts";

export type Wait =
  | { readonly is: "running" }
  | {
      readonly is: "waiting";
      readonly call: SyscallName;
      /** Descriptors that it waits on; none for a sleep, say. */
      readonly fds: readonly number[];
    }
  /** No right to look, or it is gone. */
  | { readonly is: "unknown" };

/** Descriptors that are told of a poll(2) or the like. */
const FDS_MOST = 4;
const POLLED_MOST = 64;
/** Of a select(2): FD_SETSIZE. */
const SELECTED_MOST = 1024;

export function waitOf(pid: number): Wait {
  const text = asOwnerOf(pid, () => readText(`/proc/${pid}/syscall`));
  if (text === null) return { is: "unknown" };
  if (!/^\d/.test(text)) return text.startsWith("running") ? { is: "running" } : { is: "unknown" };
  const [number, ...args] = text.split(" ").map(Number);
  const call = syscallName(number!);
  return { is: "waiting", call, fds: descriptors(pid, call, args).slice(0, FDS_MOST) };
}

function descriptors(pid: number, { kind }: SyscallName, args: readonly number[]): number[] {
  const [first = -1, second = 0] = args;
  switch (kind) {
    case "read":
    case "write":
    case "connect":
    case "lock":
    case "sync":
      return [first];
    case "poll":
      return polled(pid, first, second);
    case "select":
      return selected(pid, first, args.slice(1, 3));
    case "epoll":
      return watched(pid, first);
    default:
      return [];
  }
}

/** Of an array of struct pollfd (eight bytes each, the descriptor first). */
function polled(pid: number, address: number, count: number): number[] {
  const length = 8 * Math.min(count, POLLED_MOST);
  if (length <= 0) return [];
  const bytes = withMemory(pid, (memory) => memory.read(address, length));
  if (bytes === null) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const fds = Array.from({ length: length / 8 }, (_, i) => view.getInt32(8 * i, true));
  return fds.filter((fd) => fd >= 0);
}

/** Of the sets for reading and for writing. */
function selected(pid: number, highest: number, sets: readonly number[]): number[] {
  const count = Math.min(Math.max(0, highest), SELECTED_MOST);
  const bytes = Math.ceil(count / 64) * 8;
  if (bytes === 0) return [];
  const read = withMemory(pid, (memory) =>
    sets.map((address) => (address === 0 ? null : memory.read(address, bytes))),
  );
  const isIn = (set: Uint8Array | null, fd: number) =>
    set !== null && ((set[fd >> 3]! >> (fd & 7)) & 1) === 1;
  const all = Array.from({ length: count }, (_, fd) => fd);
  return all.filter((fd) => (read ?? []).some((set) => isIn(set, fd)));
}

/** Of an epoll instance (proc(5), fdinfo). */
function watched(pid: number, fd: number): number[] {
  const info = asOwnerOf(pid, () => readText(`/proc/${pid}/fdinfo/${fd}`)) ?? "";
  return [...info.matchAll(/^tfd:\s*(\d+)/gm)].map((match) => Number(match[1]));
}
