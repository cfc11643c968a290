// Settings from outside the file: what they replace, what they are in TOML, and what is said of a wrong one.

import { expect, test } from "bun:test";
import { dumpConfig } from "../../src/config/derived/dump.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/model.ts";
import { setOptions } from "../../src/config/set-options.ts";
import { Fault } from "../../src/fault.ts";
import { withTempDir, write } from "../config-cases/temp-dir.ts";

const FILE = `[pools.www]
listen = "9000"
command = ["/bin/sh"]
env = { A = "1", B = "2" }
[pools."my.app-2"]
listen = "9001"
command = ["/bin/sh"]
`;

async function load(words: readonly string[], env: Record<string, string> = {}) {
  return withTempDir(async (dir) => {
    const file = await write(dir, "a.toml", FILE);
    const set = setOptions(words, env);
    return loadConfig({ file, env: {}, uid: null, stateDirDefault: "/run/x", set });
  });
}

const pool = (config: Config, name: string) => config.pools.find((one) => one.name === name)!;

async function refused(word: string, env: Record<string, string> = {}): Promise<Fault> {
  const error = await load(word === "" ? [] : [word], env).then(
    () => new Error("it was accepted"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Fault);
  return error as Fault;
}

test("each value is what it would be in the file, with quotes or without", async () => {
  const { config } = await load([
    "pools.www.workers=8",
    'pools.www.command=["/bin/cat", "-u"]',
    "pools.www.listen=127.0.0.1:9100",
    "pools.www.drain_timeout=5s",
    "pools.www.listen.backlog=7",
    "pools.www.no_new_privs=true",
    'pools.www.chdir="/srv"',
    "pools.my.app-2.workers=3",
    "log.level=debug",
    "admin.mode=0660",
  ]);
  expect(pool(config, "www")).toMatchObject({
    workers: 8,
    command: ["/bin/cat", "-u"],
    drainTimeoutMs: 5000,
    noNewPrivs: true,
    chdir: "/srv",
    listen: { address: { host: "127.0.0.1", port: 9100 }, backlog: 7 },
  });
  expect(pool(config, "my.app-2").workers).toBe(3);
  expect([config.log.level, config.admin.mode]).toEqual(["debug", 0o660]);
});

test("a number can be meant as a text", async () => {
  const { config } = await load(["pools.www.user=1000", "pools.www.health.path=/1"]);
  expect(pool(config, "www").user).toBe("1000");
});

test("one name of a table is set, the others stay", async () => {
  const { config } = await load([
    "pools.www.env.B=3",
    "pools.www.env.C=a=b",
    "pools.www.php.defines.x=1",
  ]);
  expect([...pool(config, "www").env]).toEqual([
    ["A", "1"],
    ["B", "3"],
    ["C", "a=b"],
  ]);
  expect([...pool(config, "www").php.defines]).toEqual([["x", "1"]]);
});

test("the environment says it in capitals, and an option counts more", async () => {
  const env = {
    FCGIVISOR_SET_POOLS__WWW__WORKERS: "5",
    FCGIVISOR_SET_POOLS__MY_APP_2__MAX_REQUESTS: "9",
    FCGIVISOR_SET_POOLS__WWW__ENV__App_Env: "x",
    FCGIVISOR_SET_LOG__LEVEL: "warn",
    OTHER: "1",
  };
  const { config } = await load(["pools.www.workers=6"], env);
  expect(pool(config, "www").workers).toBe(6);
  expect(pool(config, "www").env.get("App_Env")).toBe("x");
  expect(pool(config, "my.app-2").maxRequests).toBe(9);
  expect(config.log.level).toBe("warn");
});

test("the dump tells where each is from", async () => {
  const text = dumpConfig(
    await load(["pools.www.workers=6"], { FCGIVISOR_SET_LOG__LEVEL: "warn" }),
  );
  expect(text).toContain("workers = 6  # --set pools.www.workers\n");
  expect(text).toContain('level = "warn"  # $FCGIVISOR_SET_LOG__LEVEL\n');
});

test("what is wrong is told with the words that were written", async () => {
  for (const [word, message] of [
    ["workers", '"workers" is not of the form NAME=VALUE'],
    ["=8", '"=8" is not of the form NAME=VALUE'],
    ["pools.ww.workers=1", 'there is no pool "ww"; did you mean "www"?'],
    ["pools.www=1", 'there is no pool "www"'],
    ["pool.www.workers=1", 'no setting of that name; did you mean "pools"?'],
    ["log=1", "no setting of that name"],
  ] as const) {
    const fault = await refused(word);
    expect(fault.message).toContain(message);
    expect([fault.exitCode, fault.hint]).toEqual([2, expect.stringContaining("for example")]);
  }
  const [unknown] = (await refused("pools.www.worker=1")).parts;
  expect(unknown).toMatchObject({
    where: "--set pools.www.worker",
    hint: 'did you mean "workers"?',
  });
  const [bad] = (await refused("pools.www.workers=many")).parts;
  expect(bad).toMatchObject({ where: "--set pools.www.workers" });
  expect(bad!.message).toContain("expected an integer");
  const variable = await refused("", { FCGIVISOR_SET_POOLS__WEB__WORKERS: "1" });
  expect(variable.where).toBe("$FCGIVISOR_SET_POOLS__WEB__WORKERS");
});
