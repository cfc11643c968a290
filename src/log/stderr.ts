// stderr as the log: a terminal, a container's pipe or the journal's socket, whose reader may be gone
// or may stall. A supervisor must not stand still because nobody reads its log, and O_NONBLOCK must
// not be set on fd 2, as that flag is shared with the shell and everybody else who has it open.
// So each kind gets a way of its own to write without waiting:
//
//   pipe, terminal   opened again through /dev/stderr, which gives a description (and flag) of our own
//   socket           send(2) with MSG_DONTWAIT; a socket cannot be opened again
//   plain file       written directly; it has no reader. Opened again it would have a second file
//                    position, and other output on fd 2 would overwrite the log
//
// The limit: when a pipe or terminal cannot be opened again (stderr belongs to another user, or there
// is no /dev), it is written directly, and then a reader that stalls stalls the supervisor.

import { closeSync, constants, fstatSync, openSync, writeSync, type Stats } from "node:fs";
import { checked, libc, ptr } from "../sys/libc.ts";
import { LineWriter, type Put } from "./line-writer.ts";
import type { AnnounceLost, LogTarget } from "./target.ts";

const STDERR = 2;
// Linux, x64 and arm64 alike (bits/socket.h).
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** The process's own stderr; there is no file to reopen, and closing leaves fd 2 open. */
export class StderrLog implements LogTarget {
  private readonly own: number | null = openAgain();
  private readonly writer: LineWriter;

  constructor(announce: AnnounceLost) {
    this.writer = new LineWriter(this.own === null ? putToStderr() : putTo(this.own), announce);
  }

  write(record: string): void {
    this.writer.write(record);
  }

  reopen(): readonly string[] {
    return [];
  }

  close(): void {
    this.writer.close();
    if (this.own !== null) closeSync(this.own);
  }
}

function putTo(fd: number): Put {
  return (bytes) => writeSync(fd, bytes);
}

function putToStderr(): Put {
  if (kindOfStderr()?.isSocket() !== true) return putTo(STDERR);
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  return (bytes) =>
    checked("send", libc.send(STDERR, ptr(bytes), BigInt(bytes.length), flags), "to stderr");
}

function openAgain(): number | null {
  const kind = kindOfStderr();
  if (kind?.isFIFO() !== true && kind?.isCharacterDevice() !== true) return null;
  try {
    return openSync(
      "/dev/stderr",
      constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch {
    return null;
  }
}

/** null when fd 2 is closed; then every write fails with EBADF and is counted like any other. */
function kindOfStderr(): Stats | null {
  try {
    return fstatSync(STDERR);
  } catch {
    return null;
  }
}
