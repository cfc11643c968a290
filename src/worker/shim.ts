// The shim: this program started once more, which takes on a worker's limits, root and user, and
// then becomes the worker. Its order is php-fpm's: limits, priority, mounts (which php-fpm has not), chroot, chdir, then the user last.
// What fails is told on stderr, which the supervisor shows as the worker's last words.

import { writeSync } from "node:fs";
import { join } from "node:path";
import {
  becomeUser,
  beNice,
  changeRoot,
  emptyBoundingSet,
  limit,
  noDearerThanOthers,
  noNewPrivileges,
  ownKeyring,
  readyToExecute,
  setUmask,
  usualFiles,
} from "../sys/exec/become.ts";
import { makeReadOnly, mountTemporary, ownMounts } from "../sys/exec/mounts.ts";
import { shortage } from "../sys/machine/scarcity.ts";
import { takeTask } from "../sys/process.ts";
import type { ShimTask } from "./shim-task.ts";

/** Does not return when all goes well; else the exit code (126 as shells have it for "cannot execute"). */
export function runShim(fd: string | undefined): number {
  const text = takeTask(Number(fd ?? Number.NaN));
  const task = text === null ? null : taskIn(text);
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

/** Whoever calls the hidden word by hand may have anything open there. */
function taskIn(text: string): ShimTask | null {
  try {
    return JSON.parse(text) as ShimTask;
  } catch {
    return null;
  }
}

const OWN_MOUNTS =
  "have mounts of its own (give it CAP_SYS_ADMIN, or set private_tmp and read_only to false)";
const TEMPORARY = ["/tmp", "/var/tmp"];

/** Those of the workers, and where these enter the root directory themselves, those of their leader. */
function temporaryFolders({ chroot, staysRoot }: ShimTask): string[] {
  const inside = TEMPORARY.map((path) => join(chroot ?? "/", path));
  if (chroot === null || !staysRoot) return inside;
  return [...inside, ...TEMPORARY.filter((path) => !chroot.startsWith(`${path}/`))];
}

interface Step {
  readonly what: string;
  /** A limit or a priority that cannot be had is told, but does not stop the worker (as in php-fpm). */
  readonly needed: boolean;
  readonly act: () => void;
}

function steps(task: ShimTask): Step[] {
  const { rlimitFiles, rlimitCore, rlimitProcesses, rlimitMemory } = task;
  const { staysRoot, nice, chroot, chdir, identity, umask, noNewPrivs } = task;
  const { privateTmp, readOnly, writable } = task;
  const inside = (paths: readonly string[]) => paths.map((path) => join(chroot ?? "/", path));
  const all: Step[] = [];
  const wish = (what: string, act: () => void) => all.push({ what, needed: false, act });
  const need = (what: string, act: () => void) => all.push({ what, needed: true, act });
  if (rlimitFiles !== null)
    wish(`set rlimit_files to ${rlimitFiles}`, () => limit("files", rlimitFiles));
  else if (identity !== null) wish("set the usual limit of open files", usualFiles);
  if (rlimitCore !== null)
    wish(`set rlimit_core to ${rlimitCore}`, () => limit("core", rlimitCore));
  if (rlimitProcesses !== null)
    wish(`set rlimit_processes to ${rlimitProcesses}`, () => limit("processes", rlimitProcesses));
  wish("be as likely to be killed as others when memory is short", noDearerThanOthers);
  if (nice !== null) wish(`set nice to ${nice}`, () => beNice(nice));
  if (privateTmp || readOnly) need(OWN_MOUNTS, ownMounts);
  if (readOnly) need("make all but writable read-only", () => makeReadOnly(inside(writable)));
  if (privateTmp)
    need("have a /tmp of its own", () => temporaryFolders(task).forEach(mountTemporary));
  if (chroot !== null && !staysRoot) need(`chroot to ${chroot}`, () => changeRoot(chroot));
  need(`change to the directory ${chdir}`, () => process.chdir(chdir));
  if (umask !== null) wish("set the umask", () => void setUmask(umask));
  const program = task.argv[0]!;
  const { become } = readyToExecute(program, task.argv, task.env);
  if (noNewPrivs)
    need("set no_new_privs", () => {
      // The way to another user needs them.
      if (!staysRoot) emptyBoundingSet();
      noNewPrivileges();
    });
  if (identity !== null) {
    const { uid, gid, groups } = identity;
    need(`become user ${uid}, group ${gid}`, () => becomeUser(uid, gid, groups));
  }
  wish("have a session keyring of its own", ownKeyring);
  // This runtime has more address space than a worker needs: nothing but the program itself comes after it.
  if (rlimitMemory !== null)
    need(`set rlimit_memory to ${rlimitMemory}`, () => limit("memory", rlimitMemory));
  need(`start ${program}`, become);
  return all;
}
