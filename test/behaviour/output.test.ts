// What a command prints reaches its reader whole, or the exit code says that it did not.

import { expect } from "bun:test";
import { barePool, tcpSpot } from "../helper/pool.ts";
import { BINARY } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";

async function shell(scene: Scene, script: string) {
  return scene.command(["bash", "-c", script, BINARY]);
}

/** A config whose dump is far longer than what a pipe holds. */
function longConfig(scene: Scene): string {
  const pools = Array.from(
    { length: 900 },
    (_, i) => `[pools.p${i}]\nlisten = "${scene.path(`${i}.sock`)}"\ncommand = ["/bin/true"]\n`,
  );
  return scene.write("long.toml", pools.join(""));
}

behaviour("a reader that comes late gets all of it", {}, async (scene) => {
  const config = longConfig(scene);
  const whole = await shell(
    scene,
    `"$0" convert ${config} > ${scene.path("whole")}; wc -c < whole`,
  );
  // However late it comes: nothing is lost, so no time is too short for this to pass.
  const late = await shell(scene, `"$0" convert ${config} | { read -r; sleep 0.3; cat; } | wc -l`);
  const lines = await shell(scene, `tail -n +2 ${scene.path("whole")} | wc -l`);
  expect(Number(whole.stdout)).toBeGreaterThan(65_536);
  expect(late.stdout).toBe(lines.stdout);
});

behaviour("a full disk under the output fails the command", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const config = scene.config({ pools: { www: barePool(scene, spot) } });
  for (const words of [
    `convert ${config}`,
    `check --dump -c ${config}`,
    "schema",
    "init",
    "help",
  ]) {
    const outcome = await shell(scene, `"$0" ${words} > /dev/full`);
    expect(outcome, words).toMatchObject({ code: 1 });
    expect(outcome.stderr, words).toContain("cannot write the output");
    expect(outcome.stderr, words).toContain("ENOSPC");
    expect(outcome.stderr, words).not.toContain("    at ");
  }
});

behaviour("a full disk under the report says that the work is done", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const supervisor = await scene.start({ pools: { www: barePool(scene, spot) } });
  const reload = await shell(scene, `"$0" reload --socket ${supervisor.socket} > /dev/full`);
  expect(reload.code).toBe(1);
  expect(reload.stderr).toContain("the reload is done all the same");
  const status = await supervisor.control("status", "--json");
  expect(JSON.parse(status.stdout)).toMatchObject({ generation: 2 });
});

behaviour("a reader that has seen enough is no failure, and ends a watch", {}, async (scene) => {
  const spot = await tcpSpot(scene);
  const { socket } = await scene.start({ pools: { www: barePool(scene, spot) } });
  for (const word of ["status", "status --json", "status --watch", "check --dump"]) {
    const place = word.startsWith("status") ? `--socket ${socket}` : "-c fcgivisor.toml";
    const outcome = await shell(scene, `set -o pipefail; "$0" ${word} ${place} | head -c 1`);
    expect(outcome, word).toMatchObject({ code: 0, stderr: "" });
  }
});
