// The memory of each worker, for who asks for it.

import { memoryShare } from "../sys/proc/memory-share.ts";
import type { Status } from "./status.ts";
import type { WorkerMemory } from "./worker-details.ts";

/** The status with the memory of each worker: the kernel walks all that a process maps, so it is not for every look. */
export function withMemory(status: Status): Status {
  const pools = status.pools.map((pool) => ({
    ...pool,
    groups: pool.groups.map((group) => ({
      ...group,
      workers: group.workers.map((worker) => ({ ...worker, ...workerMemory(worker.pid) })),
    })),
  }));
  return { ...status, pools };
}

function workerMemory(pid: number): WorkerMemory {
  const share = memoryShare(pid);
  if (share === null || share === "stuck") return { pss_bytes: null, private_bytes: null };
  return { pss_bytes: share.pss, private_bytes: share.private };
}
