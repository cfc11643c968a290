// The end of the supervisor's own process: a stop answers when the workers have left, the process goes a
// moment later.

import { Fault } from "../../fault.ts";
import { now, sleep } from "../../sys/clock.ts";
import { lives, type ProcessId, processStat } from "../../sys/proc/procfs.ts";
import { listener } from "../../sys/socket/credentials.ts";

const POLL_MS = 5;
/** A process that closes its files waits for a disk at most. */
const END_MOST_MS = 30_000;

/** Waits for the end of who listens on the socket now; throws a Fault when it does not come. */
export function endOf(socket: string): () => Promise<void> {
  const id = listenerOf(socket);
  return async () => {
    if (id !== null) await untilGone(id);
  };
}

/** null where nobody does, or where he cannot be seen from here (another process namespace). */
function listenerOf(socket: string): ProcessId | null {
  const pid = listener(socket)?.pid ?? 0;
  return pid === 0 ? null : processStat(pid);
}

async function untilGone({ pid, startTime }: ProcessId): Promise<void> {
  const isThere = () => lives(pid) && processStat(pid)?.startTime === startTime;
  for (const since = now(); isThere(); await sleep(POLL_MS))
    if (now() - since > END_MOST_MS)
      throw new Fault(
        `all workers have left, but the supervisor itself (process ${pid}) has not ended within ${END_MOST_MS / 1000} s`,
        {
          hint: `see what it waits for: cat /proc/${pid}/wchan; \`kill -9 ${pid}\` ends it, and no request is lost by that`,
        },
      );
}
