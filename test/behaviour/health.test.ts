// New workers prove themselves before old ones go: health is asked of a canary on a private socket, and
// max_extra bounds how many extra workers a reload may cost.

import { expect } from "bun:test";
import { load } from "../helper/load.ts";
import { findProgram } from "../helper/packages.ts";
import { barePool, bodyOf, phpPool, tcpSpot, workersReach } from "../helper/pool.ts";
import { workersAt } from "../helper/processes.ts";
import { behaviour } from "../helper/scene.ts";

const PHP = { needs: ["php-cgi"] } as const;

behaviour(
  "a healthy canary lets the reload through, and stays out of sight",
  PHP,
  async (scene) => {
    const spot = await tcpSpot(scene);
    const script = scene.fixture("php/hello.php");
    const health = { script, expect: "hello world" };
    const supervisor = await scene.start({ pools: { www: phpPool(spot, { health }) } });
    const before = await workersReach(spot, 2);
    expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
    const after = await workersReach(spot, 2);
    expect(after.some((pid) => before.includes(pid))).toBe(false);
    expect(await bodyOf(spot, { script })).toBe("hello world");
  },
);

for (const [title, edit, health, reason] of [
  ["says something else", '<?php echo "maintenance";', {}, "maintenance"],
  ["has another status", '<?php http_response_code(500); echo "pong";', {}, "500"],
  ["takes too long", "<?php sleep(8);", { timeout: "500ms" }, "500 ms"],
] as const) {
  behaviour(`a reload is refused when the canary ${title}`, PHP, async (scene) => {
    const spot = await tcpSpot(scene);
    const hello = scene.fixture("php/hello.php");
    const script = scene.write("www/ping.php", '<?php echo "pong";');
    const pool = phpPool(spot, { health: { script, expect: "pong", ...health } });
    const supervisor = await scene.start({ pools: { www: pool } });
    const before = await workersReach(spot, 2);
    scene.write("www/ping.php", edit);
    const running = load({ rate: 50, count: 50, send: () => bodyOf(spot, { script: hello }) });
    const outcome = await supervisor.control("reload");
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("www");
    expect(outcome.stderr).toContain(reason);
    expect((await running).lost).toEqual({});
    expect(await workersReach(spot, 2)).toEqual(before);
  });
}

behaviour("health is asked of fcgiwrap, too", { needs: ["fcgiwrap"] }, async (scene) => {
  const spot = await tcpSpot(scene);
  const script = scene.fixture("cgi/hello.sh");
  const command = [findProgram("fcgiwrap")!];
  const pool = { listen: spot.listen, command, workers: 2, health: { script, expect: "shell" } };
  const supervisor = await scene.start({ pools: { app: pool } });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  scene.write("www/cgi/hello.sh", "#!/bin/sh\nprintf 'Status: 503\\r\\n\\r\\nno'\n", 0o755);
  expect((await supervisor.control("reload")).code).toBe(1);
  await workersReach(spot, 2);
});

behaviour(
  "max_extra = 1 rolls through a pool one by one, never below its number",
  {},
  async (scene) => {
    const spot = await tcpSpot(scene);
    const pool = barePool(scene, spot, { workers: 4, reload: { max_extra: 1 } });
    const supervisor = await scene.start({ pools: { www: pool } });
    const before = await workersReach(spot, 4);
    let most = 0;
    let fewest = 99;
    let last = 4;
    const reload = supervisor.control("reload");
    let over = false;
    const done = reload.finally(() => (over = true));
    while (!over) {
      const count = workersAt(spot.where).length;
      most = Math.max(most, count);
      // A look at /proc takes a while; who comes and who goes meanwhile can both be missing from it.
      fewest = Math.min(fewest, Math.max(count, last));
      last = count;
      await Bun.sleep(1);
    }
    expect(await done).toMatchObject({ code: 0 });
    const after = await workersReach(spot, 4);
    expect(after.some((pid) => before.includes(pid))).toBe(false);
    expect(most).toBeLessThanOrEqual(5);
    expect(fewest).toBeGreaterThanOrEqual(4);
  },
);

behaviour("129 pools, of which one goes", { timeout: 90_000 }, async (scene) => {
  const spots = [];
  for (let i = 0; i < 129; i++) {
    const path = scene.path(`s${i}.sock`);
    spots.push({ where: { path }, listen: path });
  }
  const pools = spots.map((spot, i) => [`p${i}`, barePool(scene, spot, { workers: 1 })] as const);
  const supervisor = await scene.start({ pools: Object.fromEntries(pools) });
  const log = { file: scene.path("fcgivisor.log") };
  scene.config({ log, pools: Object.fromEntries(pools.filter(([name]) => name !== "p77")) });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  expect(workersAt(spots[77]!.where)).toEqual([]);
  for (const i of [0, 76, 78, 128]) expect(await bodyOf(spots[i]!, {})).toContain("hello");
});
