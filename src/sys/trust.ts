// Who else than root and this user could change a file, a folder, or what they lead to. Whoever may write in a
// folder can put something else in the place of what is there; so a path is as safe as every folder on the way.

import { lstatSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Stats } from "node:fs";
import { Fault } from "../fault.ts";
import { userOf } from "./machine/users.ts";

/** A place that somebody else can change, and who that is, in words. */
export interface Exposure {
  readonly place: string;
  readonly to: string;
  /** Of whom it belongs to, where that is why; null: several can. */
  readonly uid: number | null;
}

/** Links that are followed on one way, at most; the kernel's own limit is the same (path_resolution(7)). */
const LINKS_MOST = 40;
const STICKY = 0o1000;

/**
 * The first place on the way to `path`, the path itself included, that somebody other than root and this user
 * could change; null: none. What is not there, or cannot be looked at, exposes nothing. In a folder with the
 * sticky bit, as /tmp is, others can add files, but not touch ours: it is safe to pass through, and no place to
 * keep names that others can guess, unless `sticky` says that it is good enough for the last one.
 */
export function exposure(path: string, sticky: "only on the way" | "anywhere"): Exposure | null {
  let links = 0;
  const walk = (place: string, isLast: boolean): Exposure | null => {
    const parent = dirname(place);
    const above = parent === place ? null : walk(parent, false);
    if (above !== null) return above;
    const stat = statOf(place);
    if (stat === null) return null;
    if (!isOurs(stat.uid)) return belongsTo(stat, place);
    if (stat.isSymbolicLink())
      return ++links > LINKS_MOST ? null : walk(resolve(parent, readlinkSync(place)), isLast);
    const passes = stat.isDirectory() && (stat.mode & STICKY) !== 0;
    if (passes && (!isLast || sticky === "anywhere")) return null;
    return writers(stat, place);
  };
  return walk(resolve(path), true);
}

/** Whether this user id is root's, or that of this process. */
export function isOurs(uid: number): boolean {
  return uid === 0 || uid === process.geteuid!() || (uid === OVERFLOW_UID && !mapsEveryUser());
}

/** Whether its mode lets others than its owner write. The group of root has no members to speak of. */
export function othersMayWrite({ mode, gid }: Stats): boolean {
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0);
}

/** The user that a process runs as (its effective id); null when it is gone. */
export function userIdOf(pid: number): number | null {
  return statOf(`/proc/${pid}`)?.uid ?? null;
}

/** A person's name for a user id. */
export function nameOf(uid: number): string {
  const user = userOf(uid);
  return user === null ? `user ${uid}` : user.name;
}

/**
 * Throws the Fault of a folder that others can change; `what` it would be used as, `hint` what to do. For root
 * every folder on the way counts. Others run nobody's code but their own, and often in places where the way is
 * open (a volume of a container, a home of a group): for them the folder itself does.
 */
export function refuseExposed(path: string, what: string, hint: string): void {
  const found = process.geteuid!() === 0 ? exposure(path, "only on the way") : ownExposure(path);
  if (found === null) return;
  throw new Fault(`${what} can be changed by others: ${exposureText(found)}`, {
    where: path,
    hint,
  });
}

export function exposureText({ place, to }: Exposure): string {
  return `${place}: ${to}`;
}

function ownExposure(path: string): Exposure | null {
  const stat = statOf(path, statSync);
  if (stat === null) return null;
  return isOurs(stat.uid) ? writers(stat, path) : belongsTo(stat, path);
}

function belongsTo({ uid }: Stats, place: string): Exposure {
  return { place, to: `it belongs to ${nameOf(uid)}`, uid };
}

function writers(stat: Stats, place: string): Exposure | null {
  if (!othersMayWrite(stat)) return null;
  const who = (stat.mode & 0o002) !== 0 ? "everybody" : `its group ${stat.gid}`;
  return { place, to: `${who} may write in it`, uid: null };
}

/** Who owns what belongs to nobody in this user namespace (user_namespaces(7)): the system around it. */
const OVERFLOW_UID = 65534;

function mapsEveryUser(): boolean {
  try {
    return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
  } catch {
    return true;
  }
}

function statOf(place: string, look: (path: string) => Stats = lstatSync): Stats | null {
  try {
    return look(place);
  } catch {
    return null; // not there, or not ours to look at
  }
}
