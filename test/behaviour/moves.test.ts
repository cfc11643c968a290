// Pools that go from one address to another while requests are in hand: a socket is closed when nobody
// has a use for it any more, an operation in progress included, and it is closed once.

import { expect } from "bun:test";
import { rmSync } from "node:fs";
import { fcgi } from "../helper/fcgi.ts";
import { barePool, bodyOf, gatedPool, inHand, tcpSpot, workersReach } from "../helper/pool.ts";
import { listenersAt } from "../helper/processes.ts";
import { behaviour } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

for (const word of ["reload", "restart"] as const) {
  behaviour(
    `a ${word} back to the old address, while the last request there ends: the socket stays`,
    {},
    async (scene) => {
      const from = await tcpSpot(scene);
      const to = await tcpSpot(scene);
      const log = { file: scene.path("fcgivisor.log") };
      const supervisor = await scene.start({ pools: { www: barePool(scene, from) }, log });
      const sockets = listenersAt(from.where);
      const slow = fcgi(from.where, { query: "2" }).catch(() => "cut");
      await inHand(from);
      scene.config({ pools: { www: barePool(scene, to) }, log });
      const there = supervisor.control("reload");
      await workersReach(to, 2);
      await eventually(async () => (await bodyOf(to, {})).includes("hello"));

      const gate = scene.write("gate", "");
      scene.config({ pools: { www: gatedPool(scene, from, gate) }, log });
      const back = supervisor.control(word);
      expect(await there).toMatchObject({ code: 0 });
      if (word === "reload") expect(await slow).toMatchObject({ body: expect.any(String) });
      rmSync(gate);
      expect(await back).toMatchObject({ code: 0 });
      expect(listenersAt(from.where)).toEqual(sockets);
      expect(await bodyOf(from, {})).toContain("hello");
      await eventually(() => listenersAt(to.where).length === 0);
    },
  );
}

behaviour("an address is free when its own workers have left", {}, async (scene) => {
  const [from, to, other] = [await tcpSpot(scene), await tcpSpot(scene), await tcpSpot(scene)];
  const log = { file: scene.path("fcgivisor.log") };
  const busy = barePool(scene, other);
  const supervisor = await scene.start({ pools: { www: barePool(scene, from), busy }, log });
  const slow = fcgi(other.where, { query: "4" });
  await inHand(other);
  scene.config({ pools: { www: barePool(scene, to), busy }, log });
  expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
  await eventually(() => listenersAt(from.where).length === 0);

  scene.config({ pools: { busy: barePool(scene, other) }, log });
  expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
  await eventually(() => listenersAt(to.where).length === 0);
  const status = await supervisor.control("status", "--json");
  expect(JSON.parse(status.stdout).pools.map(({ name }: { name: string }) => name)).toEqual([
    "busy",
  ]);

  scene.config({ pools: { www: barePool(scene, from), busy }, log });
  expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
  expect(await bodyOf(from, {})).toContain("hello");
  expect((await slow).body).toContain("hello");
});

behaviour(
  "a restart that fails while a pool and an address are on their way out brings neither back",
  {},
  async (scene) => {
    const [from, to, gone] = [await tcpSpot(scene), await tcpSpot(scene), await tcpSpot(scene)];
    const log = { file: scene.path("fcgivisor.log") };
    const supervisor = await scene.start({
      pools: { www: barePool(scene, from), old: barePool(scene, gone) },
      log,
    });
    const slow = [from, gone].map(({ where }) => fcgi(where, { query: "5" }).catch(() => "cut"));
    await inHand(from);
    await inHand(gone);
    scene.config({ pools: { www: barePool(scene, to) }, log });
    expect(await supervisor.control("reload", "--no-wait")).toMatchObject({ code: 0 });
    scene.config({ pools: { www: barePool(scene, to, {}, "die") }, log });
    expect(await supervisor.control("restart")).toMatchObject({ code: 1 });
    await Promise.all(slow);
    for (const spot of [from, gone]) expect(listenersAt(spot.where)).toEqual([]);
    expect(await bodyOf(to, {})).toContain("hello");
  },
);

behaviour("reload POOL gives a pool no address that another one keeps", {}, async (scene) => {
  const [one, two] = [await tcpSpot(scene), await tcpSpot(scene)];
  const log = { file: scene.path("fcgivisor.log") };
  const supervisor = await scene.start({
    pools: { www: barePool(scene, one), api: barePool(scene, two) },
    log,
  });
  const before = await workersReach(two, 2);
  scene.config({ pools: { www: barePool(scene, two), api: barePool(scene, one) }, log });
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
