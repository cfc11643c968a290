// Who could change a path: every folder on the way counts, links are followed, and the sticky bit helps only
// what is in a folder, not the folder's next new name.

import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exposure } from "../../src/sys/trust.ts";
import { withTempDir } from "../config-cases/temp-dir.ts";

/** The place that is exposed, from the folder of the test on; null = none. */
function exposed(dir: string, path: string, sticky = false): string | null {
  const found = exposure(join(dir, path), sticky ? "anywhere" : "only on the way");
  return found === null ? null : found.place.slice(dir.length + 1);
}

test("a path is as safe as every folder that leads to it", () =>
  withTempDir(async (dir) => {
    mkdirSync(join(dir, "safe/open/below"), { recursive: true });
    writeFileSync(join(dir, "safe/open/below/file"), "", { mode: 0o644 });
    expect(exposed(dir, "safe/open/below/file")).toBe(null);
    chmodSync(join(dir, "safe/open"), 0o777);
    expect(exposed(dir, "safe")).toBe(null);
    expect(exposed(dir, "safe/open/below/file")).toBe("safe/open");
    // What is not there can be made by whoever may write in its folder.
    expect(exposed(dir, "safe/open/none/at/all")).toBe("safe/open");
    expect(exposed(dir, "safe/none/at/all")).toBe(null);
  }));

test("in a sticky folder others touch nothing of ours, but they can be there first", () =>
  withTempDir(async (dir) => {
    mkdirSync(join(dir, "sticky/ours"), { recursive: true });
    chmodSync(join(dir, "sticky"), 0o1777);
    expect(exposed(dir, "sticky/ours")).toBe(null);
    expect(exposed(dir, "sticky")).toBe("sticky");
    expect(exposed(dir, "sticky", true)).toBe(null);
  }));

test("a link is as safe as where it leads, and an endless one is no reason to hang", () =>
  withTempDir(async (dir) => {
    mkdirSync(join(dir, "open"));
    mkdirSync(join(dir, "safe"));
    chmodSync(join(dir, "open"), 0o777);
    symlinkSync("../open", join(dir, "safe/link"));
    symlinkSync("loop", join(dir, "safe/loop"));
    expect(exposed(dir, "safe/link")).toBe("open");
    expect(exposed(dir, "safe/link/file")).toBe("open");
    expect(exposed(dir, "safe/loop")).toBe(null);
  }));

test("a file that others may write is exposed by itself", () =>
  withTempDir(async (dir) => {
    const file = join(dir, "file");
    writeFileSync(file, "");
    for (const [mode, place] of [
      [0o644, null],
      [0o666, "file"],
      [0o600, null],
    ] as const) {
      chmodSync(file, mode);
      expect(exposed(dir, "file"), mode.toString(8)).toBe(place);
    }
  }));
