// What a command prints reaches its reader whole, or the exit code says that it did not.

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { gate } from "../helper/gate.ts";
import { barePool, tcpSpot } from "../helper/pool.ts";
import { allPids, commandOf, procText } from "../helper/processes.ts";
import { BINARY } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { startBare } from "../helper/serving.ts";
import { eventually } from "../helper/wait.ts";

async function shell(scene: Scene, script: string) {
  return scene.command(["bash", "-c", script, BINARY]);
}

/** What a pipe holds. */
const PIPE_BYTES = 65_536;

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
  const file = scene.path("whole");
  expect(await shell(scene, `"$0" convert ${config} > ${file}`)).toMatchObject({ code: 0 });
  const whole = readFileSync(file, "utf8");
  expect(whole.length).toBeGreaterThan(PIPE_BYTES);
  const { path, open } = gate(scene);
  const reader = `{ read -r; echo "$REPLY"; while [ -e ${path} ]; do sleep 0.02; done; cat; }`;
  const late = shell(scene, `set -o pipefail; "$0" convert ${config} | ${reader}`);
  await eventually(() => isWriting(config), { what: "it waits for its reader" });
  open();
  expect(await late).toMatchObject({ code: 0, stdout: whole });
});

/** Whether a command with this file is in the midst of write(2), and stays there. */
function isWriting(file: string): boolean {
  const pid = allPids().find(
    (one) => commandOf(one)[0] === BINARY && commandOf(one).includes(file),
  );
  return pid !== undefined && procText(pid, "wchan").includes("pipe_w");
}

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
  const { supervisor } = await startBare(scene);
  const reload = await shell(scene, `"$0" reload --socket ${supervisor.socket} > /dev/full`);
  expect(reload.code).toBe(1);
  expect(reload.stderr).toContain("the reload is done all the same");
  const status = await supervisor.control("status", "--json");
  expect(JSON.parse(status.stdout)).toMatchObject({ generation: 2 });
});

behaviour("a reader that has seen enough is no failure, and ends a watch", {}, async (scene) => {
  const { supervisor } = await startBare(scene);
  const { socket } = supervisor;
  for (const word of ["status", "status --json", "status --watch", "check --dump"]) {
    const place = word.startsWith("status") ? `--socket ${socket}` : "-c fcgivisor.toml";
    const outcome = await shell(scene, `set -o pipefail; "$0" ${word} ${place} | head -c 1`);
    expect(outcome, word).toMatchObject({ code: 0, stderr: "" });
    expect(outcome.stdout, word).toHaveLength(1);
  }
});
