// Files looked at by the C library itself say the same as node:fs does.

import { expect, test } from "bun:test";
import {
  chmodSync,
  lstatSync,
  readlinkSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  isFolder,
  isLink,
  isPlainFile,
  linkTarget,
  realPath,
  statusIfAny,
  statusOf,
  textOf,
} from "../../src/sys/file.ts";
import { SysError } from "../../src/sys/libc.ts";
import { withTempDir } from "../config-cases/temp-dir.ts";

const TEXT = "ü\n".repeat(100_000);

test("status, links and contents are what node:fs says", () =>
  withTempDir(async (dir) => {
    const [file, link] = [join(dir, "fïle"), join(dir, "link")];
    writeFileSync(file, TEXT);
    chmodSync(file, 0o6751);
    symlinkSync("fïle", link);
    for (const path of [file, link, dir, "/", "/dev/null", "/proc/self"]) {
      const told = statSync(path);
      const { uid, gid, mode, size } = told;
      expect(statusOf(path)).toEqual({ uid, gid, mode, size });
      expect(isFolder(statusOf(path))).toBe(told.isDirectory());
      expect(isPlainFile(statusOf(path))).toBe(told.isFile());
      expect(isLink(statusOf(path, "itself"))).toBe(lstatSync(path).isSymbolicLink());
      if (!path.startsWith("/proc")) expect(realPath(path)).toBe(realpathSync(path));
    }
    expect(linkTarget(link)).toBe(readlinkSync(link));
    expect(textOf(file)).toBe(TEXT);
    // A link at the end is not followed to be read.
    expect(textOf(link)).toBe(null);
  }));

test("what is not there is null, or an error that says why", () => {
  expect(statusIfAny("/none/at/all")).toBe(null);
  expect(realPath("/none/at/all")).toBe(null);
  expect(textOf("/none/at/all")).toBe(null);
  expect(() => statusOf("/none/at/all")).toThrow(new SysError("statx", 2, "/none/at/all"));
  expect(() => linkTarget("/")).toThrow("EINVAL");
});

test("a pipe without a writer holds up nobody", () =>
  withTempDir(async (dir) => {
    const pipe = join(dir, "pipe");
    expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
    expect(textOf(pipe)).toBe("");
  }));
