// What `check --security` says of a config.

import { expect, test } from "bun:test";
import { securityLines } from "../../src/cli/config/security.ts";
import { loadConfig } from "../../src/config/load.ts";
import { withTempDir, write } from "../config-cases/temp-dir.ts";

async function linesFor(toml: string): Promise<string[]> {
  return withTempDir(async (dir) => {
    const file = await write(dir, "f.toml", toml);
    const given = { file, prefix: "/", env: {}, uid: 0, stateDirDefault: "/run/fcgivisor" };
    return securityLines((await loadConfig(given)).config);
  });
}

const SAFE = `command = ["php-cgi"]
no_new_privs = true
private_tmp = true
read_only = true
rlimit_memory = "2G"
rlimit_processes = 200
request_timeout = "60s"
`;

test("a pool that uses all there is, and one that uses nothing", async () => {
  const lines = await linesFor(`[pools.safe]
listen = "127.0.0.1:9000"
user = "www-data"
${SAFE}
[pools.open]
listen = "9001"
user = "backup"
command = ["php-cgi"]
clear_env = false
log_rate = "unlimited"
`);
  expect(lines[0]).toBe("pool safe: uses all there is");
  expect(lines[1]).toBe("pool open:");
  const named = lines.slice(2).map((line) => line.trim().split(/ (?:is|are) /)[0]);
  expect(named).toEqual([
    "no_new_privs",
    "private_tmp",
    "read_only",
    "clear_env",
    "neither rlimit_memory nor memory_max",
    "neither rlimit_processes nor pids_max",
    "log_rate",
    "request_timeout",
    "allowed_clients",
  ]);
});

test("pools of one user are named together, and a socket that is open to all", async () => {
  const pool = (name: string, mode: string) => `[pools.${name}]
listen = { address = "/run/${name}.sock", mode = "${mode}" }
user = "www-data"
${SAFE}`;
  expect(await linesFor(`${pool("a", "0666")}${pool("b", "0660")}`)).toEqual([
    "pool a:",
    "  its socket is open to every user of the machine",
    "pool b: uses all there is",
    "pools a, b run as www-data: they can kill each other's workers and read each other's files and passwords",
  ]);
});
