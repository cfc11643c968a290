// What there is to tell of a request that takes long, at the moment when that is noticed.

import type { LongRequest } from "../event.ts";
import type { WorkerView } from "../observe/sample.ts";
import type { RequestRecord } from "../observe/request.ts";
import { stackLines } from "../observe/stack-text.ts";
import { waitingOf } from "../observe/waits-for.ts";
import type { Group } from "../worker/group.ts";

/** Lines; a recursion without end has more. */
const STACK_MOST = 100;

/** `cpuMs`: used by the request so far, or null. */
export function longRequest(
  { context: { pool, runtime } }: Group,
  { pid, activity }: WorkerView,
  record: RequestRecord,
  age: { readonly ageMs: number; readonly limitMs: number; readonly cpuMs: number | null },
): LongRequest {
  const known = record === null || record === "none" ? null : record;
  const connection = activity.doing === "busy" ? activity.connection.inode : null;
  const stack = runtime.stackReader?.(pid).read() ?? { got: "nothing" };
  return {
    pool: pool.name,
    pid,
    ...age,
    method: known?.method ?? "",
    uri: known?.uri ?? "",
    script: known?.script ?? "",
    waiting: waitingOf(pid, connection).text,
    stack: stackLines(stack, STACK_MOST),
    slowLog: pool.slowLog,
  };
}
