import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../../src/fault.ts";
import { LogFile } from "../../src/log/file.ts";
import { eventually } from "../helper/wait.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "fv-log-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const announce = (lines: number, why: string) => `${lines} lost: ${why}\n`;
const text = (path: string) => readFileSync(path, "utf8");

function faultOf(action: () => unknown): Fault {
  try {
    action();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** What /proc shows of the descriptors that have this file open. */
function descriptorsOf(path: string): string[] {
  return readdirSync("/proc/self/fd").filter((fd) => {
    const link = join("/proc/self/fd", fd);
    return existsSync(link) && statSync(link).ino === statSync(path).ino;
  });
}

test("a new file is made with mode 0640, for appending and not for children", () => {
  const path = join(dir, "f.log");
  const before = process.umask(0o022);
  const file = LogFile.open(path, announce);
  process.umask(before);
  file.write("one\n");
  expect(text(path)).toBe("one\n");
  expect(statSync(path).mode & 0o777).toBe(0o640);

  const [fd] = descriptorsOf(path);
  const flags = Number.parseInt(/flags:\s*(\d+)/.exec(text(`/proc/self/fdinfo/${fd}`))![1]!, 8);
  expect(flags & 0o2000).toBe(0o2000); // O_APPEND
  expect(flags & 0o2000000).toBe(0o2000000); // O_CLOEXEC
  file.close();
  expect(descriptorsOf(path)).toEqual([]);
});

test("an old file is continued, on a line of its own", () => {
  const path = join(dir, "f.log");
  writeFileSync(path, "whole\n");
  const whole = LogFile.open(path, announce);
  whole.write("next\n");
  whole.close();
  expect(text(path)).toBe("whole\nnext\n");

  writeFileSync(path, "cut by a full di");
  const cut = LogFile.open(path, announce);
  cut.write("next\n");
  cut.close();
  expect(text(path)).toBe("cut by a full di\nnext\n");
});

test("moved and reopened, as logrotate(8) does it, no line is lost", () => {
  const path = join(dir, "f.log");
  const file = LogFile.open(path, announce);
  const rotated: string[] = [];
  let line = 0;
  const write = (count: number) => {
    for (let i = 0; i < count; i++) file.write(`${line++}\n`);
  };
  for (let round = 0; round < 20; round++) {
    write(50);
    rotated.push(join(dir, `f.log.${round}`));
    renameSync(path, rotated.at(-1)!);
    write(7);
    expect(file.reopen()).toEqual([path]);
    expect(descriptorsOf(rotated.at(-1)!)).toEqual([]);
  }
  write(1);
  file.close();
  const all = [...rotated, path].map(text).join("");
  expect(all).toBe(Array.from({ length: line }, (_, i) => `${i}\n`).join(""));
  expect(text(path)).toBe(`${line - 1}\n`);
});

test("a file truncated from outside is continued from its beginning", () => {
  const path = join(dir, "f.log");
  const file = LogFile.open(path, announce);
  file.write("before\n");
  truncateSync(path);
  file.write("after\n");
  file.close();
  expect(text(path)).toBe("after\n");
});

test("when it cannot be reopened, the fault says why and the old file is kept", () => {
  const home = join(dir, "log");
  mkdirSync(home);
  const path = join(home, "f.log");
  const file = LogFile.open(path, announce);
  file.write("one\n");
  renameSync(home, join(dir, "away"));
  const fault = faultOf(() => file.reopen());
  expect(fault.message).toContain(home);
  file.write("two\n");
  file.close();
  expect(text(join(dir, "away/f.log"))).toBe("one\ntwo\n");
});

test("a missing directory is named, with the command that makes it", () => {
  const fault = faultOf(() => LogFile.open(join(dir, "no/such/f.log"), announce));
  expect(fault.message).toContain(`${join(dir, "no/such")} does not exist`);
  expect(fault.where).toBe(join(dir, "no/such/f.log"));
  expect(fault.hint).toBe(`create its directory: mkdir -p ${join(dir, "no/such")}`);
});

test("a directory or a file in its path is told as what it is", () => {
  expect(faultOf(() => LogFile.open(dir, announce)).hint).toContain("is a directory");
  writeFileSync(join(dir, "file"), "");
  const fault = faultOf(() => LogFile.open(join(dir, "file/f.log"), announce));
  expect(fault.hint).toContain("is not a directory");
});

test.skipIf(process.getuid?.() === 0)(
  "a directory without the right to write is told (not as root)",
  () => {
    chmodSync(dir, 0o500);
    const fault = faultOf(() => LogFile.open(join(dir, "f.log"), announce));
    chmodSync(dir, 0o700);
    expect(fault.hint).toContain("may not write");
  },
);

/** Mounts a file system of 64 KiB; null where that is not allowed. */
function smallDisk(): (() => void) | null {
  const mount = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=64k", "fv-test", dir]);
  return mount.exitCode === 0 ? () => void Bun.spawnSync(["umount", dir]) : null;
}

/** Only root can mount, and in a container not even root. */
const CAN_MOUNT = (() => {
  dir = mkdtempSync(join(tmpdir(), "fv-log-"));
  const unmount = smallDisk();
  unmount?.();
  rmSync(dir, { recursive: true });
  return unmount !== null;
})();

test.skipIf(!CAN_MOUNT)(
  "on a full disk lines are counted, none is cut, and writing goes on by itself (needs mount)",
  async () => {
    const unmount = smallDisk()!;
    try {
      const path = join(dir, "f.log");
      writeFileSync(join(dir, "ballast"), Buffer.alloc(32 * 1024));
      const file = LogFile.open(path, announce);
      const lines = 1000;
      for (let i = 0; i < lines; i++) file.write(`${i} ${"x".repeat(90)}\n`);
      rmSync(join(dir, "ballast"));
      await eventually(() => text(path).includes("lost: "));
      file.write("after\n");
      file.close();

      const written = text(path).split("\n");
      const gap = written.findIndex((line) => line.includes("lost: "));
      const whole = written.slice(0, gap);
      expect(whole).toEqual(whole.map((_, i) => `${i} ${"x".repeat(90)}`));
      expect(whole.length).toBeGreaterThan(100);
      expect(written.slice(gap)).toEqual([
        `${lines - whole.length} lost: ENOSPC: no space left on device`,
        "after",
        "",
      ]);
    } finally {
      unmount();
    }
  },
);
