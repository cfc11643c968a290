// What happens when descriptors or processes run out: the living workers go on, what is scarce is said,
// and all is well by itself when there is room again.

import { expect } from "bun:test";
import { barePool, bodyOf, tcpSpot, workersReach } from "../helper/pool.ts";
import { descriptorsOf } from "../helper/processes.ts";
import { behaviour } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

behaviour(
  "out of descriptors: a reload is refused with the reason, the old workers stay",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.run({ pools: { www: barePool(scene, spot, { workers: 4 }) } });
    const before = await workersReach(spot, 4);
    const limit = (most: string) =>
      scene.command(["prlimit", `--pid=${supervisor.pid}`, `--nofile=${most}:20000`]);
    // Enough for the control connection, too few for four more workers.
    expect((await limit(String(descriptorsOf(supervisor.pid).size + 6))).code).toBe(0);
    const refused = await supervisor.control("reload");
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toMatch(/EMFILE|too many open files/i);
    expect(await workersReach(spot, 4)).toEqual(before);
    expect(await bodyOf(spot, {})).toContain("hello");
    await limit("20000");
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  },
);

behaviour(
  "a worker that cannot be replaced for want of descriptors is replaced when there is room",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const supervisor = await scene.run({ pools: { www: barePool(scene, spot) } });
    const [worker] = await workersReach(spot, 2);
    const limit = (most: string) =>
      scene.command(["prlimit", `--pid=${supervisor.pid}`, `--nofile=${most}:20000`]);
    expect((await limit("8")).code).toBe(0);
    process.kill(worker!, "SIGKILL");
    await eventually(() => /EMFILE|too many open files/i.test(supervisor.log()), {
      timeout: 10_000,
    });
    expect(await bodyOf(spot, {})).toContain("hello");
    await limit("20000");
    await workersReach(spot, 2, 15_000);
  },
);
