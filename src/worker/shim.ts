// The shim: this program started once more, which takes on a worker's limits, root and user, and
// then becomes the worker. Its order is php-fpm's: limits, priority, chroot, chdir, then the user last.
// What fails is told on stderr, which the supervisor shows as the worker's last words.

import { writeSync } from "node:fs";
import {
  becomeUser,
  beNice,
  changeRoot,
  limit,
  readyToExecute,
  setUmask,
} from "../sys/exec/become.ts";
import { shortage } from "../sys/scarcity.ts";
import { SHIM_VARIABLE, type ShimTask } from "./shim-task.ts";

/** Does not return when all goes well; else the exit code (126 as shells have it for "cannot execute"). */
export function runShim(): number {
  const task = JSON.parse(process.env[SHIM_VARIABLE] ?? "null") as ShimTask | null;
  if (task === null) {
    process.stderr.write("fcgivisor: worker-shim is for internal use only\n");
    return 2;
  }
  for (const { what, needed, act } of steps(task)) {
    try {
      act();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const short = shortage(error);
      const more = short === undefined ? "" : ` (${short.hint})`;
      writeSync(2, `fcgivisor: cannot ${what}: ${reason}${more}\n`);
      if (needed) return 126;
    }
  }
  return 126;
}

interface Step {
  readonly what: string;
  /** A limit or a priority that cannot be had is told, but does not stop the worker (as in php-fpm). */
  readonly needed: boolean;
  readonly act: () => void;
}

function steps(task: ShimTask): Step[] {
  const { rlimitFiles, rlimitCore, nice, chroot, chdir, identity, umask } = task;
  const all: Step[] = [];
  const wish = (what: string, act: () => void) => all.push({ what, needed: false, act });
  const need = (what: string, act: () => void) => all.push({ what, needed: true, act });
  if (rlimitFiles !== null)
    wish(`set rlimit_files to ${rlimitFiles}`, () => limit("files", rlimitFiles));
  if (rlimitCore !== null)
    wish(`set rlimit_core to ${rlimitCore}`, () => limit("core", rlimitCore));
  if (nice !== null) wish(`set nice to ${nice}`, () => beNice(nice));
  if (chroot !== null) need(`chroot to ${chroot}`, () => changeRoot(chroot));
  need(`change to the directory ${chdir}`, () => process.chdir(chdir));
  if (umask !== null) wish("set the umask", () => void setUmask(umask));
  const program = task.argv[0]!;
  const { become } = readyToExecute(program, task.argv, task.env);
  if (identity !== null) {
    const { uid, gid, groups } = identity;
    need(`become user ${uid}, group ${gid}`, () => becomeUser(uid, gid, groups));
  }
  need(`start ${program}`, become);
  return all;
}
