// Whom a start after a death takes for workers of the earlier supervisor where nobody lets it see who holds the socket:
// real processes, known by the group that they were started as.

import { afterAll, expect, test } from "bun:test";
import { Scoreboard } from "../../src/observe/scoreboard.ts";
import { generic } from "../../src/runtime/generic.ts";
import { SocketHolders } from "../../src/sys/proc/proc-sockets.ts";
import { processStat } from "../../src/sys/proc/procfs.ts";
import { LeftOverWorkers } from "../../src/worker/left-over-workers.ts";

const child = Bun.spawn(["sleep", "600"], { detached: true });
afterAll(() => child.kill("SIGKILL"));
const { pid, startTime } = processStat(child.pid)!;

/** Pids of those that are found for a group of this number and beginning. */
function found(began: number): number[] {
  const workers = new LeftOverWorkers({
    pool: { name: "www", stopSignal: null, drainTimeoutMs: 0 },
    runtime: generic,
    listener: { inode: 2 ** 32, address: { kind: "unix", path: "/nowhere" } },
    scoreboard: new Scoreboard(),
    command: null,
    uid: null,
    groups: [{ pid, startTime: began }],
    emit: () => {},
  });
  return workers.find(new SocketHolders(), new Set()).map((stat) => stat.pid);
}

test("the group that was started", () => expect(found(startTime)).toEqual([pid]));

test("not the group of another process that has its number by now", () => {
  expect(found(startTime - 1)).toEqual([]);
  expect(found(startTime + 1)).toEqual([]);
});
