// Thousands of workers that have nothing to do: they leave together, in about the time it took to start
// them, and the log has no line for each.

import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { findProgram } from "../helper/packages.ts";
import { unixSpot, NO_HURRY, workersReach } from "../helper/pool.ts";
import { behaviour } from "../helper/scene.ts";

const MOST = 2000;
/** A fcgiwrap has half of it, and as much is left to others. */
const ROOM_BYTES = 2 * 1024 * 1024;
/** Descriptors that the supervisor has open for each: its pidfd, and where its output comes from. */
const DESCRIPTORS = 4;

/** How many workers this machine lets a test have. */
function roomFor(): number {
  const kilobytes = /^MemAvailable: +(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  const files = /^Max open files +\d+ +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  const room = [
    (Number(kilobytes) * 1024) / ROOM_BYTES,
    Number(files) / DESCRIPTORS,
    processesLeft() / 2,
  ];
  return Math.max(2, Math.floor(Math.min(MOST, ...room)));
}

/** How many more a control group allows. */
function processesLeft(): number {
  const group = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"].find((dir) =>
    existsSync(`${dir}/pids.max`),
  );
  if (group === undefined) return Infinity;
  const [max, now] = ["max", "current"].map((name) =>
    readFileSync(`${group}/pids.${name}`, "utf8"),
  );
  return max!.startsWith("max") ? Infinity : Number(max) - Number(now);
}

behaviour(
  "thousands of idle workers leave in the time of their start, with one line for all",
  { needs: ["fcgiwrap"] },
  async (scene) => {
    const count = roomFor();
    const spot = unixSpot(scene);
    const command = [findProgram("fcgiwrap")!];
    const began = performance.now();
    const supervisor = await scene.start({
      log: { level: "notice" },
      pools: { www: { listen: spot.listen, command, workers: count, ...NO_HURRY } },
    });
    const startMs = performance.now() - began;
    await workersReach(spot, count);
    const before = supervisor.log();

    const quit = await supervisor.control("quit");
    expect(quit).toMatchObject({ code: 0, stderr: "" });
    await supervisor.gone();
    // Who waits for a deadline would take ten minutes.
    expect(quit.ms).toBeLessThan(2 * startMs);
    const told = supervisor.log().slice(before.length).trim().split("\n");
    const about = told.filter(
      (line) => !/control socket|no longer listening|has stopped/.test(line),
    );
    expect(about).toEqual([
      expect.stringContaining(`is draining: ${count} workers may finish`),
      expect.stringContaining("has drained after"),
    ]);
  },
);
