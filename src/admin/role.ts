// Who may do what over the control socket: by the user and the groups that the kernel knows of whoever has
// connected. Pure but for the lookup of the groups' names.

import type { AdminConfig } from "../config/model.ts";
import { findGroup, findUser } from "../sys/machine/users.ts";
import type { Peer } from "../sys/socket/peer.ts";
import { isOurs } from "../sys/trust.ts";
import type { Operation } from "./contract.ts";

export type Role =
  /** Root, or the user the supervisor runs as. */
  | "own"
  /** Whom the socket's own rights let in: everything but what is executed or shown as our user. */
  | "admin"
  | "operator"
  | "reader"
  | "none";

type Named = Pick<AdminConfig, "owner" | "group" | "mode" | "operators" | "readers">;

/** Whether the config gives roles; else the socket's mode alone decides. */
export function hasRoles({ operators, readers }: Pick<AdminConfig, "operators" | "readers">) {
  return operators !== null || readers !== null;
}

/** `peer`: null where the kernel does not say who it is. */
export function roleOf(peer: Peer | null, admin: Named): Role {
  if (peer !== null && isOurs(peer.uid)) return "own";
  if (!hasRoles(admin)) return "admin";
  if (peer === null) return "none";
  const isIn = (group: string | null) => isMember(peer, group);
  if (admin.owner !== null && findUser(admin.owner)?.uid === peer.uid) return "admin";
  if (isIn(admin.group)) return "admin";
  if (isIn(admin.operators)) return "operator";
  return isIn(admin.readers) ? "reader" : "none";
}

function isMember({ groups }: Peer, group: string | null): boolean {
  const gid = group === null ? null : findGroup(group);
  return gid !== null && groups.includes(gid);
}

/** The service as a whole, and the program that runs as root, are not an operator's. */
const NOT_FOR_OPERATORS: readonly Operation[] = ["stop", "quit", "upgrade"];

export function mayOperate(role: Role, operation: Operation): boolean {
  if (role === "operator") return !NOT_FOR_OPERATORS.includes(operation);
  return role === "own" || role === "admin";
}

/** The config, even without its secrets, is not what a monitor is for; nor is what workers write, and who has done what. */
const NOT_FOR_READERS = ["/v1/config", "/v1/diff", "/v1/logs", "/v1/events"];

export function mayLookAt(role: Role, page: string): boolean {
  if (role === "reader") return !NOT_FOR_READERS.includes(page);
  return role !== "none";
}
