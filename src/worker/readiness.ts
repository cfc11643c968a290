// When a worker of a starting group is ready: it has reached accept(2). Where /proc does not let us see
// that (another user's process, and no right to look), a worker that sleeps and has used no CPU for a
// while is taken to have settled. Pure but for one look at its sockets.

import type { Sample, WorkerSet, WorkerView } from "../observe/sample.ts";

const SETTLED_MS = 200;

/** `forks`: it was forked by a leader, instead of started, and has no sockets from there. */
export function hasReachedAccept(
  worker: WorkerView,
  set: WorkerSet,
  sample: Sample,
  forks: boolean,
): boolean {
  switch (worker.activity.doing) {
    case "idle":
      return true;
    case "busy":
      // One that got a request before it was looked at has reached accept(2) all the more; but a
      // program that has just been started may have sockets of its own.
      return forks || sample.hasAccepted(worker, set);
    case "unknown":
      return worker.state === "S" && sample.takenAt - worker.since >= SETTLED_MS;
    case "working":
    case "stopped":
      return false;
  }
}
