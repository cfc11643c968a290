// Where a PHP process has its engine: the addresses of its two records and the layout of its version. They
// stay the same while it runs, so whoever looks often asks once.

import { closeSync } from "node:fs";
import { loadAddress, openProgram } from "../sys/proc/memory.ts";
import { symbolIn } from "./elf.ts";
import { type PhpLayout, phpLayout } from "./php-layout.ts";
import { phpVersionIn } from "./php-version.ts";

export interface PhpProgram {
  readonly layout: PhpLayout;
  /** Addresses in the memory of the process. */
  readonly executorGlobals: number;
  readonly sapiGlobals: number;
}

/** Why there is no stack to be read, for a person. */
export interface Lack {
  readonly lack: string;
}

/** PHP in the process, or what is in the way of reading it. */
export function phpProgramOf(pid: number): PhpProgram | Lack {
  const fd = openProgram(pid);
  const base = loadAddress(pid);
  if (fd === null) return { lack: "the kernel does not let its program be read" };
  try {
    return base === null
      ? { lack: "the kernel does not let its memory be read" }
      : inFile(fd, base);
  } catch {
    return { lack: "its program cannot be read" };
  } finally {
    closeSync(fd);
  }
}

function inFile(fd: number, base: number): PhpProgram | Lack {
  const executor = symbolIn(fd, "executor_globals");
  const sapi = symbolIn(fd, "sapi_globals");
  // A thread-safe build exports other names.
  if (executor === null || sapi === null) return { lack: "its program shows no PHP engine" };
  const version = phpVersionIn(fd);
  if (version === null) return { lack: "its program does not say which PHP it is" };
  const layout = phpLayout(version);
  if (layout === null) return { lack: `the memory layout of PHP ${version} is not known here` };
  return { layout, executorGlobals: base + executor, sapiGlobals: base + sapi };
}
