// Pools that go from one address to another while requests are in flight: a socket is closed when nobody
// has a use for it any more, an operation in progress included, and it is closed once.

import { expect } from "bun:test";
import { rmSync } from "node:fs";
import { hold } from "../helper/gate.ts";
import {
  barePool,
  bodyOf,
  closed,
  gatedPool,
  gatedReach,
  renewed,
  tcpSpot,
  workersReach,
} from "../helper/pool.ts";
import { listenersAt } from "../helper/processes.ts";
import type { Supervisor } from "../helper/program.ts";
import { behaviour } from "../helper/scene.ts";
import { statusOf } from "../helper/status.ts";
import { eventually } from "../helper/wait.ts";

/** Waits until status tells of these pools and of no other. */
async function poolsAre(supervisor: Supervisor, ...names: string[]): Promise<void> {
  const told = async () => (await statusOf(supervisor)).pools.map(({ name }) => name);
  await eventually(async () => Bun.deepEquals(await told(), names), { what: `pools: ${names}` });
}

for (const [word, fate] of [
  ["reload", "ends"],
  ["restart", "is cut"],
] as const) {
  behaviour(
    `a ${word} back to the old address, while the last request there ${fate}: the socket stays`,
    {},
    async (scene) => {
      const from = await tcpSpot(scene);
      const to = await tcpSpot(scene);
      const supervisor = await scene.start({ pools: { www: barePool(scene, from) } });
      const sockets = listenersAt(from.where);
      const old = await workersReach(from, 2);
      const held = await hold(scene, from);
      scene.rewrite({ pools: { www: barePool(scene, to) } });
      const there = supervisor.control("reload");
      await workersReach(to, 2);
      await renewed(from, { count: 0, old, kept: [held.worker] });

      const gate = scene.write("gate", "");
      scene.rewrite({ pools: { www: gatedPool(scene, from, gate) } });
      const back = supervisor.control(word);
      await gatedReach(from, 2);
      if (word === "reload") {
        await held.finish();
      } else await expect(held.answer).rejects.toMatchObject({ kind: "cut" });
      expect(await there).toMatchObject({ code: 0 });
      expect(listenersAt(from.where)).toEqual(sockets);

      rmSync(gate);
      expect(await back).toMatchObject({ code: 0 });
      expect(listenersAt(from.where)).toEqual(sockets);
      expect(await bodyOf(from, {})).toContain("hello");
      await closed(to);
    },
  );
}

behaviour("an address is free when its own workers have left", {}, async (scene) => {
  const [from, to, other] = [await tcpSpot(scene), await tcpSpot(scene), await tcpSpot(scene)];
  const busy = barePool(scene, other);
  const supervisor = await scene.start({ pools: { www: barePool(scene, from), busy } });
  const held = await hold(scene, other);
  scene.rewrite({ pools: { www: barePool(scene, to), busy } });
  expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
  await closed(from);

  scene.rewrite({ pools: { busy } });
  expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
  await closed(to);
  await poolsAre(supervisor, "busy");

  scene.rewrite({ pools: { www: barePool(scene, from), busy } });
  expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
  expect(await bodyOf(from, {})).toContain("hello");
  await held.finish();
});

behaviour(
  "a restart that fails while a pool and an address are leaving brings neither back",
  {},
  async (scene) => {
    const [from, to, gone] = [await tcpSpot(scene), await tcpSpot(scene), await tcpSpot(scene)];
    const supervisor = await scene.start({
      pools: { www: barePool(scene, from), old: barePool(scene, gone) },
    });
    const held = [await hold(scene, from), await hold(scene, gone)];
    scene.rewrite({ pools: { www: barePool(scene, to) } });
    expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
    for (const spot of [from, gone]) expect(listenersAt(spot.where).length).toBe(1);
    scene.rewrite({ pools: { www: barePool(scene, to, {}, "die") } });
    const failed = await supervisor.control("restart");
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stderr).toContain("last words of");
    for (const { answer } of held) await expect(answer).rejects.toMatchObject({ kind: "cut" });
    for (const spot of [from, gone]) expect(listenersAt(spot.where)).toEqual([]);
    await poolsAre(supervisor, "www");
    expect(await bodyOf(to, {})).toContain("hello");
  },
);

behaviour("reload POOL gives a pool no address that another one keeps", {}, async (scene) => {
  const [one, two] = [await tcpSpot(scene), await tcpSpot(scene)];
  const supervisor = await scene.start({
    pools: { www: barePool(scene, one), api: barePool(scene, two) },
  });
  const before = await workersReach(two, 2);
  scene.rewrite({ pools: { www: barePool(scene, two), api: barePool(scene, one) } });
  for (const words of [["--dry-run"], []]) {
    const refused = await supervisor.control("reload", "www", ...words);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain(`pool api serves on it`);
    expect(refused.stderr).toContain("fcgivisor reload www api");
  }
  expect(await workersReach(two, 2)).toEqual(before);
  expect(await supervisor.control("reload", "www", "api")).toMatchObject({ code: 0 });
  for (const spot of [one, two]) expect(await bodyOf(spot, {})).toContain("hello");
});
