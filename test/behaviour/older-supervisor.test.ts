// `status` of a package that was upgraded while its supervisor ran on: what that one does not tell yet is shown as
// unknown. The older one is played by a server that tells less of a real status.

import { expect } from "bun:test";
import { behaviour } from "../helper/scene.ts";
import { startBare } from "../helper/serving.ts";
import { statusOf } from "../helper/status.ts";

/** Names of a pool that have come in the course of time. */
const LATER = ["load", "memory", "counts", "last_error", "background", "follows_load"];

behaviour("an older supervisor tells less, and status shows the rest", {}, async (scene) => {
  const { supervisor } = await startBare(scene);
  const { last_reload: _, emergencies: __, ...status } = await statusOf(supervisor);
  const pools = status.pools.map((pool) =>
    Object.fromEntries(Object.entries(pool).filter(([name]) => !LATER.includes(name))),
  );
  const socket = scene.path("older.sock");
  const older = Bun.serve({ unix: socket, fetch: () => Response.json({ ...status, pools }) });
  scene.atEnd(() => void older.stop(true));
  const asked = (...words: string[]) => scene.fcgivisor(["status", "--socket", socket, ...words]);
  const all = await asked();
  expect(all).toMatchObject({ code: 0, stderr: "" });
  expect(all.stdout).toMatch(/^www +serving +\S+ +0\/2 +0\/\d+ +\?% +\?$/m);
  const one = await asked("www");
  expect(one).toMatchObject({ code: 0, stderr: "" });
  expect(one.stdout).toContain("at most ? busy");
  // As data it is what was told, and nothing that was not.
  const { code, stdout } = await asked("--json");
  expect([code, JSON.parse(stdout)]).toEqual([0, JSON.parse(JSON.stringify({ ...status, pools }))]);
});
