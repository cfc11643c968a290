// request_timeout: a worker that is too long in one request is ended. Nobody asks the worker; what
// counts is for how long it is seen in the same request, so a limit is kept to within a look or two.

import { activityOf } from "../observe/activity.ts";
import { every, now } from "../sys/clock.ts";
import { bytesRead } from "../sys/procfs.ts";
import type { Group } from "../worker/group.ts";
import type { Pool } from "./pool.ts";

const LOOK_EVERY_MS = 200;

interface Seen {
  /** Changes when the request does. */
  readonly identity: string;
  readonly since: number;
}

/** Looks at the workers of pools that have a limit; the returned function ends it. */
export function watchRequests(pools: () => readonly Pool[]): () => void {
  let seen = new Map<number, Seen>();
  return every(LOOK_EVERY_MS, () => {
    const next = new Map<number, Seen>();
    for (const group of limitedGroups(pools())) {
      for (const { pid } of group.members.workers()) look(group, pid, seen, next);
    }
    seen = next;
  });
}

function limitedGroups(pools: readonly Pool[]): Group[] {
  return pools
    .flatMap((pool) => [pool.current, ...pool.leaving])
    .filter(({ context }) => context.pool.requestTimeoutMs > 0)
    .flatMap((generation) => generation.all);
}

function look(
  group: Group,
  pid: number,
  seen: ReadonlyMap<number, Seen>,
  next: Map<number, Seen>,
): void {
  const identity = requestIdentity(group, pid);
  if (identity === null) return;
  const before = seen.get(pid);
  const since = before?.identity === identity ? before.since : now();
  next.set(pid, { identity, since });
  const { pool, emit } = group.context;
  const ageMs = now() - since;
  if (ageMs < pool.requestTimeoutMs) return;
  emit({ type: "request-timeout", pool: pool.name, pid, ageMs, limitMs: pool.requestTimeoutMs });
  group.endRequest(pid);
}

/**
 * Tells one request from the next; null when there is none. A connection that is not kept is one
 * request. One that is kept may carry many, so what PHP says of the request and how much the worker
 * has read count too: a request that reads all the time over a kept connection has no limit, which
 * is better than ending a busy worker that is well.
 */
function requestIdentity(group: Group, pid: number): string | null {
  const activity = activityOf(pid, group.context.listener.address);
  if (activity.doing !== "busy" || activity.connection.awaited) return null;
  const { inode } = activity.connection;
  const request = group.context.runtime.requestOf?.(pid) ?? null;
  if (request === "none") return null;
  if (request !== null && !request.kept) return inode;
  return [inode, request?.method, request?.uri, request?.script, bytesRead(pid)].join(" ");
}
