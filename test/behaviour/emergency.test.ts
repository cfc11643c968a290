// What is noticed of workers inside a php-cgi group, which their leader reaps: crashes in a row, and a
// leader that forks without end.

import { expect } from "bun:test";
import { bodyOf, inHand, phpPool, tcpSpot, workersReach } from "../helper/pool.ts";
import { alive, leadersAt, workersAt } from "../helper/processes.ts";
import { behaviour } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

behaviour(
  "a leader that forks without end is ended and started anew",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.run({ pools: { www: phpPool(spot, { workers: 3 }) } });
    const workers = await workersReach(spot, 3);
    const long = bodyOf(spot, { script: scene.fixture("php/slow.php"), query: "ms=8000" });
    const busy = await inHand(spot);
    const [leader] = leadersAt(spot.where);
    // After USR1 every worker that a leader forks leaves at once, and it forks the next.
    process.kill(leader!, "SIGUSR1");
    process.kill(
      workers.find((pid) => pid !== busy)!,
      "SIGKILL",
    );
    await eventually(() => !alive(leader!), { what: "the storm is ended" });
    await workersReach(spot, 3);
    expect(supervisor.log()).toContain("keeps forking workers that die before they serve");
    expect(await long).toBe(`slept ${busy}`);
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
  },
);

behaviour(
  "crashes in a row reload everything (emergency_restart_threshold)",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const settings = { emergency_restart_threshold: 3, emergency_restart_interval: "1m" };
    const supervisor = await scene.run({
      supervisor: settings,
      pools: { www: phpPool(spot, { workers: 3 }) },
    });
    await workersReach(spot, 3);
    const [leader] = leadersAt(spot.where);
    await eventually(
      () => {
        for (const pid of workersAt(spot.where).slice(0, 1)) process.kill(pid, "SIGSEGV");
        return !alive(leader!);
      },
      { every: 1_200, what: "everything is reloaded" },
    );
    await workersReach(spot, 3);
    expect(supervisor.log()).toContain("workers crashed within");
  },
);

behaviour(
  "single workers that crash in a row count by their signal",
  { needs: ["php-cgi"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const settings = { emergency_restart_threshold: 2, emergency_restart_interval: "1m" };
    const pool = phpPool(spot, { workers: 2, group_size: 1 });
    const supervisor = await scene.run({ supervisor: settings, pools: { www: pool } });
    for (const pid of await workersReach(spot, 2)) process.kill(pid, "SIGSEGV");
    await eventually(() => supervisor.log().includes("workers crashed within"), {});
    await eventually(() => supervisor.log().includes("generation 2 of pool www serves"), {});
    await workersReach(spot, 2);
  },
);
