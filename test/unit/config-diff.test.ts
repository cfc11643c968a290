// The plan of a reload as data: which pools come, go, move and change, and what cannot change.

import { expect, test } from "bun:test";
import { withTempDir, write } from "../config-cases/temp-dir.ts";
import { diffConfigs, reloaded } from "../../src/config/derived/diff.ts";
import { loadConfig } from "../../src/config/load.ts";

const POOL = (name: string, port: number, more = "") =>
  `[pools.${name}]\nlisten = "127.0.0.1:${port}"\ncommand = ["a"]\n${more}\n`;

function configs(running: string, next: string) {
  return withTempDir(async (dir) => {
    const read = async (name: string, text: string) => {
      const file = await write(dir, name, text);
      const options = { file, env: {}, uid: null, stateDirDefault: "/run/x" };
      return (await loadConfig(options)).config;
    };
    return { a: await read("a.toml", running), b: await read("b.toml", next) };
  });
}

async function plan(running: string, next: string) {
  const { a, b } = await configs(running, next);
  return diffConfigs(a, b);
}

test("the same config changes nothing, and every pool is replaced", async () => {
  const text = POOL("a", 1) + POOL("b", 2);
  const { replaced, ...rest } = await plan(text, text);
  expect(replaced.map(({ name, changes }) => [name, changes])).toEqual([
    ["a", []],
    ["b", []],
  ]);
  expect(Object.values(rest).flat()).toEqual([]);
});

test("added, removed, readdressed and replaced pools, matched by name", async () => {
  const running = POOL("gone", 1) + POOL("moved", 2) + POOL("changed", 3);
  const next = POOL("changed", 3, "workers = 9") + POOL("moved", 4) + POOL("new", 1);
  const { added, removed, readdressed, replaced } = await plan(running, next);
  expect(added.map(({ name }) => name)).toEqual(["new"]);
  expect(removed.map(({ name }) => name)).toEqual(["gone"]);
  expect(readdressed.map(({ name, changes }) => [name, changes])).toEqual([
    ["moved", [{ setting: "listen.address", from: '"127.0.0.1:2"', to: '"127.0.0.1:4"' }]],
  ]);
  expect(replaced.map(({ name, changes }) => [name, changes])).toEqual([
    ["changed", [{ setting: "workers", from: "4", to: "9" }]],
  ]);
});

test("settings are compared by what they mean, with both values as TOML", async () => {
  const before = 'drain_timeout = "90s"\nenv = { A = "1" }\nchdir = "/srv"';
  const after = 'drain_timeout = "1m30s"\nenv = { A = "2" }\nphp = { defines = { x = "y" } }';
  const { replaced } = await plan(POOL("a", 1, before), POOL("a", 1, after));
  expect(replaced[0]?.changes).toEqual([
    { setting: "chdir", from: '"/srv"', to: null },
    { setting: "env", from: '{ A = "1" }', to: '{ A = "2" }' },
    { setting: "php.defines", from: "{}", to: '{ x = "y" }' },
  ]);
});

test("what only a new start can change is told apart from what a reload can", async () => {
  const next = `[supervisor]\nstate_dir = "/run/y"\npid_file = "/run/y.pid"\nallow_root = true
[log]\nlevel = "debug"\n${POOL("a", 1)}`;
  const { needsRestart, supervisor, log } = await plan(POOL("a", 1), next);
  expect(needsRestart.map(({ setting }) => setting)).toEqual([
    "supervisor.pid_file",
    "supervisor.state_dir",
    "admin.socket",
  ]);
  expect(supervisor).toEqual([{ setting: "supervisor.allow_root", from: "false", to: "true" }]);
  expect(log).toEqual([{ setting: "log.level", from: '"notice"', to: '"debug"' }]);
});

test("what only a new start can change is told by every reload until then, and not when it is taken back", async () => {
  const changed = `[supervisor]\nstate_dir = "/run/y"\nallow_root = true\n${POOL("a", 1, "workers = 2")}`;
  const { a, b } = await configs(POOL("a", 1), changed);
  const after = reloaded(a, b);
  expect(diffConfigs(after, b).needsRestart).toEqual(diffConfigs(a, b).needsRestart);
  expect(diffConfigs(after, b).needsRestart).not.toEqual([]);
  expect(diffConfigs(after, a).needsRestart).toEqual([]);
  expect(diffConfigs(after, b).supervisor).toEqual([]);
  expect(after.pools).toBe(b.pools);
});
