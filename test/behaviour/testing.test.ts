// `fcgivisor/testing` in an application's own tests: the example is put into a folder of its own, with this package among
// its packages, and its tests are run there as its developer would.

import { expect } from "bun:test";
import { cpSync, mkdirSync, readdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { alive } from "../helper/processes.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { eventually } from "../helper/wait.ts";

const ROOT = join(import.meta.dir, "../..");

function example(scene: Scene): { readonly cwd: string; readonly env: Record<string, string> } {
  const cwd = scene.path("app");
  cpSync(join(ROOT, "test/example"), cwd, { recursive: true });
  renameSync(join(cwd, "application.example.ts"), join(cwd, "application.test.ts"));
  renameSync(join(cwd, "package.example.json"), join(cwd, "package.json"));
  mkdirSync(join(cwd, "node_modules"));
  symlinkSync(ROOT, join(cwd, "node_modules/fcgivisor"));
  mkdirSync(scene.path("tmp"));
  return { cwd, env: { TMPDIR: scene.path("tmp"), FCGIVISOR_BINARY: BINARY } };
}

behaviour("the example's tests pass, and leave nothing", { needs: ["php-cgi"] }, async (scene) => {
  const { code, stderr } = await scene.command([process.execPath, "test"], example(scene));
  expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
  expect(stderr).toMatch(/^ 5 pass$/m);
  expect(readdirSync(scene.path("tmp"))).toEqual([]);
});

behaviour(
  "an example that is broken fails, and tells the log",
  { needs: ["php-cgi"] },
  async (scene) => {
    const options = example(scene);
    scene.write("app/public/index.php", "<?php exit(1);");
    const { code, stderr } = await scene.command([process.execPath, "test"], options);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ [1-9] fail$/m);
  },
);

behaviour(
  "a test that is killed takes its supervisor along",
  { needs: ["php-cgi"] },
  async (scene) => {
    const { cwd, env } = example(scene);
    const mark = scene.path("log-of-it");
    const script = `import { startFcgivisor } from "fcgivisor/testing";
const app = await startFcgivisor({ command: ["php-cgi"] });
await Bun.write(${JSON.stringify(mark)}, app.log());
await new Promise(() => setInterval(() => {}, 1000));
`;
    scene.write("app/hangs.ts", script);
    const child = scene.spawn([process.execPath, "run", "hangs.ts"], { cwd, env });
    await eventually(() => textOf(mark).includes("is ready"), { what: "it has started" });
    const pid = Number(/as process (\d+)/.exec(textOf(mark))![1]);
    expect(alive(pid)).toBe(true);
    child.kill("SIGKILL");
    await eventually(() => !alive(pid), { what: "the supervisor has followed" });
    await eventually(() => readdirSync(scene.path("tmp")).length === 0, {
      what: "its folder is gone",
    });
  },
);
