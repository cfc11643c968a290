// The commands that only read a config: what goes to stdout, what to stderr, and the exit code.

import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import checkCommand from "../../src/cli/config/check.ts";
import convertCommand from "../../src/cli/config/convert.ts";
import { runStrict } from "../../src/cli/runner.ts";
import { Fault } from "../../src/fault.ts";
import { listen } from "../helper/printed.ts";
import { withTempDir, write } from "../config-cases/temp-dir.ts";

const CASES = join(import.meta.dir, "../config-cases");
// No user and no program that a machine might lack; the address is never opened.
const SOUND = `[supervisor]\nallow_root = true\n[pools.www]\nlisten = "9000"\ncommand = ["/bin/sh"]\n`;

let out = "";
let err = "";
let spies: { mockRestore(): void }[] = [];

beforeEach(() => {
  [out, err] = ["", ""];
  spies = [
    listen({ out: (text) => (out += text), err: (text) => (err += text) }),
    spyOn(process.stderr, "write").mockImplementation((text) => ((err += String(text)), true)),
  ];
});
afterEach(() => {
  for (const spy of spies) spy.mockRestore();
});

const check = (...args: string[]) => runStrict(checkCommand, args);
const convert = (...args: string[]) => runStrict(convertCommand, args);

test("check says ok and how many pools", () =>
  withTempDir(async (dir) => {
    const file = await write(dir, "a.toml", SOUND);
    expect(await check("-c", file)).toBe(0);
    expect(out).toBe(`${file}: ok, 1 pool\n`);
    expect(await check("-c", file, "-q")).toBe(0);
    expect(out).toBe(`${file}: ok, 1 pool\n`);
  }));

test("check --dump prints TOML that says the same", () =>
  withTempDir(async (dir) => {
    await check("-c", await write(dir, "a.toml", SOUND), "--dump");
    const first = out;
    out = "";
    await check("-c", await write(dir, "b.toml", first), "--dump");
    const plain = (text: string) => text.replaceAll(/#.*/g, "").replaceAll(/ +$/gm, "");
    expect(plain(out)).toBe(plain(first));
    expect(first).toContain(`command = ["/bin/sh"]  # ${dir}/a.toml:5`);
  }));

test("check --json names pools, or what is wrong, and exits 1", () =>
  withTempDir(async (dir) => {
    expect(await check("--json", "-c", await write(dir, "a.toml", SOUND))).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true, format: "toml", pools: ["www"] });
    out = "";
    expect(await check("--json", "-c", await write(dir, "b.toml", "x = 1"))).toBe(1);
    const { ok, fault } = JSON.parse(out);
    expect(ok).toBe(false);
    expect(fault.parts).toHaveLength(2);
  }));

test("check throws all problems as one Fault", () =>
  withTempDir(async (dir) => {
    const file = await write(dir, "a.toml", "x = 1");
    const fault = await check("-c", file).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(Fault);
    expect(fault).toMatchObject({ message: `2 problems in ${file}`, exitCode: 1 });
    expect(out + err).toBe("");
  }));

test("convert prints TOML on stdout and warnings on stderr", async () => {
  expect(await convert(join(CASES, "kloxo-php52-unixsock.xml"))).toBe(0);
  expect(out).toContain(
    '[pools.default]\nlisten.address = "/opt/configs/php-fpm/sock/apache.sock"',
  );
  expect(out).toContain('user = "apache"');
  expect(err).toContain("warning: ");
  expect(err).toContain("rlimit_core 0 leaves the limit alone");
});
