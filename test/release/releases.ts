// The packages under test: those of `bun run release`, and the same sources under another version, to update to.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import pkg from "../../package.json" with { type: "json" };

const ROOT = join(import.meta.dir, "../..");
export const RELEASE = join(ROOT, "dist/release");
export const VERSION = pkg.version;
export const NEXT = "99.0.0";

/** The path of the one file of the release whose name fits. */
export function released(name: RegExp, folder = RELEASE): string {
  const found = readdirSync(folder).filter((file) => name.test(file));
  if (found.length !== 1)
    throw new Error(`${folder} has ${found.length} files like ${name}; run: bun run release`);
  return join(folder, found[0]!);
}

/** Makes the update, in a folder, and returns it. */
export function makeNext(folder: string, only: string): string {
  const words = ["--folder", folder, "--version", NEXT, "--only", only];
  const targets = ["--targets", "linux-x64-baseline"];
  const script = join(ROOT, "src/release/release.ts");
  const { exitCode, stderr } = Bun.spawnSync(
    [process.execPath, "run", script, ...words, ...targets],
    {
      cwd: ROOT,
    },
  );
  if (exitCode !== 0) throw new Error(stderr.toString());
  return folder;
}
