// The parts of a release that need no program to be built. The packages themselves: `bun run test:release`.

import { expect, test } from "bun:test";
import { loadConfig } from "../../src/config/load.ts";
import { firstConfig } from "../../src/release/installed.ts";
import { DEB_SCRIPTS } from "../../src/release/scripts/deb.ts";
import { tar } from "../../src/release/tar.ts";
import { findProgram } from "../helper/packages.ts";
import { behaviour } from "../helper/scene.ts";

const PLACE = { env: {}, uid: null, stateDirDefault: "/run/fcgivisor" } as const;

behaviour(
  "the first config has no pool; without its marks it is one that can be used",
  {},
  async (scene) => {
    const text = firstConfig();
    const bare = scene.write("bare.toml", text);
    await expect(loadConfig({ file: bare, ...PLACE })).rejects.toThrow("problem");
    const filled = text.replace(/^# (# |\[pools|[a-z_]+ = )/gm, "$1");
    const { config } = await loadConfig({ file: scene.write("filled.toml", filled), ...PLACE });
    expect(config.pools.map(({ name }) => name)).toEqual(["www"]);
  },
);

behaviour("tar reads an archive as it was meant", {}, async (scene) => {
  const entries = [
    { path: "usr/", mode: 0o755, data: new Uint8Array() },
    { path: "usr/program", mode: 0o755, data: Buffer.from("x".repeat(1000)) },
    { path: "usr/note", mode: 0o644, data: Buffer.from("note") },
  ];
  await Bun.write(scene.path("a.tar"), tar(entries, 1_000_000_000));
  const { stdout, stderr } = await scene.command(["tar", "-tvf", scene.path("a.tar")], {
    env: { TZ: "UTC" },
  });
  expect(stderr).toBe("");
  expect(stdout.replaceAll(/ +/g, " ")).toBe(
    [
      "drwxr-xr-x root/root 0 2001-09-09 01:46 usr/",
      "-rwxr-xr-x root/root 1000 2001-09-09 01:46 usr/program",
      "-rw-r--r-- root/root 4 2001-09-09 01:46 usr/note",
      "",
    ].join("\n"),
  );
  await scene.command(["tar", "-xf", scene.path("a.tar")]);
  expect(await Bun.file(scene.path("usr/note")).text()).toBe("note");
});

test("a path that does not fit is refused", () => {
  const long = { path: "x".repeat(101), mode: 0o644, data: new Uint8Array() };
  expect(() => tar([long], 0)).toThrow("too long");
});

behaviour(
  "shellcheck has nothing to say of the maintainer scripts",
  { needs: ["shellcheck"] },
  async (scene) => {
    for (const [name, text] of Object.entries(DEB_SCRIPTS)) {
      const { stdout } = await scene.command([findProgram("shellcheck")!, scene.write(name, text)]);
      expect([name, stdout]).toEqual([name, ""]);
    }
  },
);
