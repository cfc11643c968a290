// What is set from outside holds for as long as the supervisor runs, whatever the file says.

import { expect } from "bun:test";
import { barePool, unixSpot, workersReach } from "../helper/pool.ts";
import { behaviour } from "../helper/scene.ts";
import { statusOf } from "../helper/status.ts";

behaviour("--set and the environment hold through a reload and an upgrade", {}, async (scene) => {
  const spot = unixSpot(scene);
  const config = scene.daemonConfig({ pools: { www: barePool(scene, spot, { workers: 1 }) } });
  const words = ["start", "-c", config, "--set", "pools.www.workers=3"];
  const env = { FCGIVISOR_SET_POOLS__WWW__MAX_REQUESTS: "1000" };
  expect(await scene.fcgivisor(words, { env })).toMatchObject({ code: 0 });
  const supervisor = scene.followDaemon(config);
  await workersReach(spot, 3);
  const numbers = async () => {
    const response = await supervisor.http("/v1/config");
    const { pools } = (await response.json()) as {
      pools: [{ workers: number; max_requests: number }];
    };
    return [pools[0].workers, pools[0].max_requests];
  };
  scene.rewrite({ pools: { www: barePool(scene, spot, { workers: 2, max_requests: 7 }) } });
  expect(await supervisor.control("reload")).toMatchObject({ code: 0 });
  expect(await numbers()).toEqual([3, 1000]);
  expect(await supervisor.control("upgrade")).toMatchObject({ code: 0 });
  expect(await numbers()).toEqual([3, 1000]);
  expect((await statusOf(supervisor)).pools[0]!.groups.length).toBe(3);
});

behaviour("a wrong one starts nothing, and says which", {}, async (scene) => {
  const config = scene.config({ pools: { www: barePool(scene, unixSpot(scene)) } });
  for (const [word, said] of [
    [
      "pools.ww.workers=3",
      'fcgivisor: --set pools.ww.workers: there is no pool "ww"; did you mean "www"?',
    ],
    ["pools.www.workerz=3", "--set pools.www.workerz: there is no such setting"],
  ] as const) {
    for (const command of ["run", "check"]) {
      const { code, stderr } = await scene.fcgivisor([command, "-c", config, "--set", word]);
      expect([code > 0, stderr]).toEqual([true, expect.stringContaining(said)]);
    }
  }
  const listen = ["run", "--listen", "9000", "--set", "log.level=debug", "--", "php-cgi"];
  expect((await scene.fcgivisor(listen)).code).toBe(2);
});

behaviour("--state-dir keeps two of one config apart", {}, async (scene) => {
  const config = scene.daemonConfig({
    supervisor: { pid_file: scene.path("pid") },
    pools: { www: barePool(scene, unixSpot(scene)) },
  });
  const start = (dir: string, ...more: string[]) =>
    scene.fcgivisor(["start", "-c", config, "--state-dir", scene.path(dir), "--json", ...more]);
  const first = JSON.parse((await start("one")).stdout);
  expect(first).toMatchObject({ ok: true, already_running: false });
  expect(JSON.parse((await start("one")).stdout)).toMatchObject({
    pid: first.pid,
    already_running: true,
  });
  const other = [
    "--pid-file",
    scene.path("pid2"),
    "--set",
    `pools.www.listen=${scene.path("2.sock")}`,
  ];
  const second = JSON.parse((await start("two", ...other)).stdout);
  expect(second).toMatchObject({ ok: true, already_running: false });
  for (const [dir, { pid }] of [
    ["one", first],
    ["two", second],
  ] as const) {
    const socket = scene.path(dir, "admin.sock");
    const status = JSON.parse(
      (await scene.fcgivisor(["status", "--json", "--socket", socket])).stdout,
    );
    expect(status.pid).toBe(pid);
    expect((await scene.fcgivisor(["stop", "--socket", socket])).code).toBe(0);
  }
});

behaviour(
  'listen = "auto" is a socket of its own, told by status and to a command',
  {},
  async (scene) => {
    const bare = barePool(scene, unixSpot(scene));
    const pools = {
      www: { ...bare, listen: "auto" },
      api: { ...bare, listen: { address: "auto", mode: "0600" } },
    };
    const supervisor = await scene.start({ pools });
    const listens = async () =>
      (await statusOf(supervisor)).pools.map(({ name, listen }) => [name, listen]);
    const expected = [
      ["www", scene.path("run/www.sock")],
      ["api", scene.path("run/api.sock")],
    ];
    expect(await listens()).toEqual(expected);
    expect(await supervisor.control("request", "/", "--pool", "api")).toMatchObject({ code: 0 });
    // A reload changes nothing about it.
    expect((await supervisor.control("reload", "--dry-run")).stdout).not.toContain("listen");
    expect((await supervisor.control("reload")).code).toBe(0);
    expect(await listens()).toEqual(expected);
    expect(await supervisor.control("request", "/")).toMatchObject({ code: 0 });
  },
);
