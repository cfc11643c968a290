// `check` beside a running supervisor: the plan of a reload, without touching anything.

import { expect } from "bun:test";
import { barePool, tcpSpot, workersReach } from "../helper/pool.ts";
import { behaviour } from "../helper/scene.ts";

behaviour(
  "check --against running tells what a reload with that file would do",
  { needs: ["perl-fcgi"] },
  async (scene) => {
    const [one, two, three] = [await tcpSpot(scene), await tcpSpot(scene), await tcpSpot(scene)];
    const pools = { one: barePool(scene, one), two: barePool(scene, two) };
    const supervisor = await scene.run({ pools });
    const before = await workersReach(one, 2);
    const next = scene.config(
      {
        log: { level: "debug" },
        supervisor: { pid_file: scene.path("other.pid") },
        pools: { one: { ...pools.one, workers: 3 }, three: barePool(scene, three) },
      },
      "next.toml",
    );
    const words = ["check", "-c", next, "--against", "running", "--socket", supervisor.socket];
    const said = await scene.fcgivisor(words);
    expect(said).toMatchObject({ code: 0 });
    expect(said.stdout).toContain(`add pool three (${three.listen})`);
    expect(said.stdout).toContain(`remove pool two (${two.listen})`);
    expect(said.stdout).toContain("workers: 2 -> 3");
    expect(said.stdout).toContain("other.pid");
    const json = JSON.parse((await scene.fcgivisor([...words, "--json"])).stdout);
    expect(json).toMatchObject({ ok: true, plan: { dry_run: true } });
    expect(await workersReach(one, 2)).toEqual(before);

    const nobody = await scene.fcgivisor([...words.slice(0, -1), scene.path("none.sock")]);
    expect(nobody.code).toBe(3);
    expect((await scene.fcgivisor([...words.slice(0, 4), "yesterday"])).code).toBe(2);
  },
);
