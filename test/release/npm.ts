// The npm packages, installed into an empty folder from their tarballs alone, and called as npx calls them.

import { expect } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { findProgram } from "../helper/packages.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { barePool, unixSpot, workersReach } from "../helper/pool.ts";
import { alive } from "../helper/processes.ts";
import { released, VERSION } from "./releases.ts";

const NPM = ["--offline", "--no-audit", "--no-fund", "--no-update-notifier"];

async function install(scene: Scene, ...tarballs: RegExp[]): Promise<void> {
  const files = tarballs.map((name) => released(name));
  const { code, stderr } = await scene.command([findProgram("npm")!, "install", ...NPM, ...files]);
  expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
}

const MAIN = /^fcgivisor-\d[\d.]*\.tgz$/;
const PLATFORM = new RegExp(`^fcgivisor-linux-${process.arch}-\\d[\\d.]*\\.tgz$`);

behaviour("npx fcgivisor works from the tarballs, with exit codes", {}, async (scene) => {
  await install(scene, PLATFORM, MAIN);
  const npx = (...words: string[]) =>
    scene.command([findProgram("npx")!, "--offline", "fcgivisor", ...words]);
  expect(await npx("--version")).toMatchObject({ code: 0, stdout: `fcgivisor ${VERSION}\n` });
  expect(await npx("nonsense")).toMatchObject({ code: 2, stdout: "" });
  const demo = await npx("demo");
  expect([demo.code, /^all well: \d+ requests.* 0 lost/m.test(demo.stdout)]).toEqual([0, true]);
});

for (const [how, words] of [
  ["as Node can", []],
  ["by a Node that cannot become another program", ["-r", "./old-node.cjs"]],
] as const) {
  behaviour(`the launcher hands on signals and the exit code, ${how}`, {}, async (scene) => {
    await install(scene, PLATFORM, MAIN);
    scene.write("old-node.cjs", "process.execve = undefined;");
    const spot = unixSpot(scene);
    const launcher = scene.path("node_modules/fcgivisor/bin/fcgivisor.cjs");
    const supervisor = await scene.run(
      { pools: { www: barePool(scene, spot) } },
      { binary: launcher, under: [findProgram("node")!, ...words] },
    );
    await workersReach(spot, 2);
    supervisor.signal("SIGTERM");
    expect(await supervisor.exited).toBe(0);
    expect(alive(supervisor.pid)).toBe(false);
    expect(supervisor.log()).toContain("fcgivisor has stopped");
    const node = [findProgram("node")!, ...words, launcher];
    expect((await scene.command([...node, "check", "-c", "/no/such/file"])).code).toBe(1);
  });
}

behaviour("without the optional package it says what to do", {}, async (scene) => {
  await install(scene, PLATFORM, MAIN);
  rmSync(scene.path("node_modules/@fcgivisor"), { recursive: true });
  const launcher = scene.path("node_modules/fcgivisor/bin/fcgivisor.cjs");
  const { code, stderr } = await scene.command([findProgram("node")!, launcher, "--version"]);
  expect(code).toBe(1);
  expect(stderr).toContain(`no program for linux-${process.arch}`);
  expect(stderr).toContain("hint:");
});

behaviour("npm takes a package for the machine it is for, and no other", {}, async (scene) => {
  const other = process.arch === "x64" ? "arm64" : "x64";
  const file = released(new RegExp(`^fcgivisor-linux-${other}-\\d[\\d.]*\\.tgz$`));
  const { code, stderr } = await scene.command([findProgram("npm")!, "install", ...NPM, file]);
  expect([code > 0, stderr.includes("EBADPLATFORM")]).toEqual([true, true]);
});

behaviour("each platform's package says which libc it is for", {}, async (scene) => {
  for (const [name, libc] of [
    [PLATFORM, "glibc"],
    [new RegExp(`^fcgivisor-linux-${process.arch}-musl-`), "musl"],
  ] as const) {
    await scene.command(["tar", "-xzf", released(name), "package/package.json"]);
    const manifest = JSON.parse(readFileSync(scene.path("package/package.json"), "utf8"));
    expect(manifest).toMatchObject({ os: ["linux"], cpu: [process.arch], libc: [libc] });
  }
});

behaviour("fcgivisor/testing is in the package", { needs: ["php-cgi"] }, async (scene) => {
  await install(scene, PLATFORM, MAIN);
  const script = `import { startFcgivisor } from "fcgivisor/testing";
await using app = await startFcgivisor({ command: ["php-cgi"] });
console.log((await app.request("/hello.php")).text);`;
  scene.write("hello.php", "<?php echo 'hello';");
  scene.write("ask.ts", script);
  const { code, stdout, stderr } = await scene.command([process.execPath, "run", "ask.ts"]);
  expect([code, stdout, stderr]).toEqual([0, "hello\n", ""]);
});
