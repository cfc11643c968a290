// As whom a pool's workers run. Only root may choose: for anybody else user and group are ignored.

import type { PoolConfig } from "../config/model.ts";
import { neededGroup, neededUser } from "../sys/machine/machine.ts";
import { findUser, groupsOf, userOf } from "../sys/machine/users.ts";

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** As initgroups(3) gives them; only the gid for a user without a name. */
  readonly groups: readonly number[];
}

export function isRoot(): boolean {
  return process.geteuid!() === 0;
}

/** The ids to take on, or null to stay as the supervisor is. Throws a Fault for unknown names. */
export function identityOf(pool: PoolConfig): Identity | null {
  if (!isRoot() || (pool.user === null && pool.group === null)) return null;
  const where = `pool ${pool.name}`;
  const user = pool.user === null ? null : neededUser(pool.user, where);
  const group = pool.group === null ? null : neededGroup(pool.group, where);
  const uid = user?.uid ?? process.getuid!();
  const gid = group ?? user?.gid ?? process.getgid!();
  const named = user !== null && userOf(user.uid) !== null;
  return { uid, gid, groups: named ? groupsOf(user.name, gid) : [gid] };
}

/** USER and HOME of the pool's user, as php-fpm sets them. */
export function userVariables(pool: PoolConfig): Record<string, string> {
  const user = isRoot() && pool.user !== null ? findUser(pool.user) : userOf(process.getuid!());
  return user === null || user.home === "" ? {} : { USER: user.name, HOME: user.home };
}
