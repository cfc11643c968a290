// Users and groups as the C library's name service knows them (files, LDAP, whatever is set up). A question
// may cost a hundred system calls, or a server's answer, and hundreds of pools ask the same ones: an answer
// counts for a moment. That somebody is not known is asked again each time.

import { now } from "../clock.ts";
import { cString, libc, ptr, read, type Pointer } from "../libc.ts";

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

const DIGITS = /^[0-9]+$/;
const MOMENT_MS = 1000;

/** Answers that were got within the last moment. */
class Recent<K, V> {
  private readonly answers = new Map<K, V>();
  private since = 0;

  of(key: K, ask: () => V | null): V | null {
    if (now() - this.since > MOMENT_MS) {
      this.answers.clear();
      this.since = now();
    }
    const known = this.answers.get(key) ?? ask();
    if (known !== null) this.answers.set(key, known);
    return known;
  }
}

const byName = new Recent<string, User>();
const byId = new Recent<number, User>();
const groupIds = new Recent<string, number>();
const groupLists = new Recent<string, number[]>();

/** struct passwd: name, passwd (pointers), uid, gid (32 bit), gecos, dir, shell (pointers). */
function passwd(entry: Pointer | null): User | null {
  if (entry === null) return null;
  return {
    name: textAt(entry, 0),
    uid: read.u32(entry, 16),
    gid: read.u32(entry, 20),
    home: textAt(entry, 32),
  };
}

function textAt(base: Pointer, offset: number): string {
  const at = read.ptr(base, offset) as Pointer;
  let end = 0;
  while (read.u8(at, end) !== 0) end++;
  const bytes = new Uint8Array(end);
  for (let i = 0; i < end; i++) bytes[i] = read.u8(at, i);
  return new TextDecoder().decode(bytes);
}

/** The user of a name or a numeric id; null when there is none of that name. */
export function findUser(nameOrId: string): User | null {
  if (DIGITS.test(nameOrId)) return userOf(Number(nameOrId)) ?? bareUser(Number(nameOrId));
  return byName.of(nameOrId, () => {
    const name = cString(nameOrId);
    return passwd(libc.getpwnam(ptr(name)) as Pointer | null);
  });
}

/** The passwd entry of an id, or null. */
export function userOf(uid: number): User | null {
  return byId.of(uid, () => passwd(libc.getpwuid(uid) as Pointer | null));
}

function bareUser(uid: number): User {
  return { name: String(uid), uid, gid: uid, home: "" };
}

/** The id of a group's name or number; null when there is none of that name. */
export function findGroup(nameOrId: string): number | null {
  if (DIGITS.test(nameOrId)) return Number(nameOrId);
  return groupIds.of(nameOrId, () => {
    const name = cString(nameOrId);
    const entry = libc.getgrnam(ptr(name)) as Pointer | null;
    // struct group: name, passwd (pointers), gid (32 bit).
    return entry === null ? null : read.u32(entry, 16);
  });
}

/** The groups that initgroups(3) would set, `gid` among them. */
export function groupsOf(user: string, gid: number): number[] {
  return groupLists.of(`${user} ${gid}`, () => askGroups(user, gid))!;
}

function askGroups(user: string, gid: number): number[] {
  const name = cString(user);
  let room = 64;
  for (;;) {
    const groups = new Uint32Array(room);
    const count = new Int32Array([room]);
    if (libc.getgrouplist(ptr(name), gid, ptr(groups), ptr(count)) >= 0) {
      return [...groups.subarray(0, count[0]!)];
    }
    room = Math.max(count[0]!, room * 2);
  }
}
