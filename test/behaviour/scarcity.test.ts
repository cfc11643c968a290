// What happens when descriptors or processes run out: the living workers go on, what is scarce is said,
// and everything recovers by itself when there is room again.

import { expect } from "bun:test";
import { allLeft } from "../helper/crash.ts";
import { descriptorsAtRest } from "../helper/descriptors.ts";
import { Lost } from "../helper/fcgi.ts";
import { controlGroup } from "../helper/kernel.ts";
import { bodyOf, phpPool, tcpSpot, workersReach } from "../helper/pool.ts";
import { alive, leadersAt, threadsOf, workersAt } from "../helper/processes.ts";
import type { Supervisor } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { runBare, startPhp } from "../helper/serving.ts";

const MANY = 20_000;

async function limitDescriptors(scene: Scene, { pid }: Supervisor, most: number): Promise<void> {
  const limited = await scene.command(["prlimit", `--pid=${pid}`, `--nofile=${most}:${MANY}`]);
  expect(limited).toMatchObject({ code: 0 });
}

behaviour(
  "out of descriptors: a reload is refused with the reason, the old workers stay",
  {},
  async (scene) => {
    const { spot, supervisor, workers: before } = await runBare(scene, { workers: 4 });
    // Enough for the control connection, too few for four more workers.
    await limitDescriptors(scene, supervisor, (await descriptorsAtRest(supervisor)) + 6);
    const refused = await supervisor.control("reload");
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toMatch(/EMFILE|too many open files/i);
    expect(await workersReach(spot, 4)).toEqual(before);
    expect(await bodyOf(spot, {})).toContain("hello");
    await limitDescriptors(scene, supervisor, MANY);
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    expect((await workersReach(spot, 4)).filter((pid) => before.includes(pid))).toEqual([]);
  },
);

behaviour(
  "a worker that cannot be replaced for want of descriptors is replaced when there is room",
  {},
  async (scene) => {
    const {
      spot,
      supervisor,
      workers: [worker, other],
    } = await runBare(scene);
    await limitDescriptors(scene, supervisor, 8);
    process.kill(worker!, "SIGKILL");
    await supervisor.logged(/EMFILE|too many open files/i);
    expect(workersAt(spot.where)).toEqual([other!]);
    expect(await bodyOf(spot, {})).toContain("hello");
    await limitDescriptors(scene, supervisor, MANY);
    expect(await workersReach(spot, 2)).toContain(other!);
  },
);

behaviour(
  "no process more to be had: a reload is refused with the reason, all go on, and recover",
  { needs: ["php-cgi", "a control group for pids"] },
  async (scene) => {
    const { spot, supervisor, workers: before } = await startPhp(scene, { workers: 3 });
    const [leader] = leadersAt(spot.where);
    const group = controlGroup(scene, "pids");
    for (const pid of [supervisor.pid, leader!, ...before]) group.add(pid);
    group.limit(1);
    const refused = await supervisor.control("reload");
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain("as many processes run as a limit allows");
    expect(await workersReach(spot, 3)).toEqual(before);
    process.kill(before[0]!, "SIGKILL");
    await allLeft([before[0]!]);
    for (let i = 0; i < 200; i++) {
      expect((await supervisor.http("/v1/status")).status).toBe(200);
    }
    // Threads that end when they are idle, and that it could not have back now.
    expect(threadsOf(supervisor.pid).join()).not.toMatch(/JITWorker|HeapHelper/);
    expect(alive(supervisor.pid)).toBe(true);
    expect(workersAt(spot.where).toSorted()).toEqual(before.slice(1).toSorted());
    group.limit(null);
    // The leader could not fork and gave up, so that a new group takes over from what it left.
    await workersReach(spot, 3);
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  },
);

behaviour(
  "no memory left: the kernel ends a worker, it is said, and another takes its place",
  { needs: ["php-cgi", "a control group for memory"] },
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = phpPool(spot, {
      workers: 2,
      group_size: 1,
      php: { defines: { memory_limit: "-1" } },
    });
    const supervisor = await scene.start({ pools: { www: pool } });
    const before = await workersReach(spot, 2);
    const group = controlGroup(scene, "memory");
    for (const pid of before) group.add(pid);
    group.limit(64 * 1024 * 1024);
    const script = scene.write("big.php", "<?php echo strlen(str_repeat('x', 500000000));");
    await expect(bodyOf(spot, { script })).rejects.toBeInstanceOf(Lost);
    await supervisor.logged("out-of-memory killer");
    const after = await workersReach(spot, 2);
    expect(after.filter((pid) => before.includes(pid)).length).toBe(1);
    expect(await bodyOf(spot, { script: scene.fixture("php/hello.php") })).toContain("hello");
  },
);
