// `check` of configs whose pools run php-fpm: nothing to say of a sound file, and what php-fpm itself complains
// of is told at the operator's line.

import { expect } from "bun:test";
import { chownSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Fault } from "../../src/fault.ts";
import { phpFpmProgram } from "../helper/packages.ts";
import { phpPool, unixSpot } from "../helper/pool.ts";
import { AS_NOBODY, behaviour, NOBODY, type Scene } from "../helper/scene.ts";

const FIXTURES = join(import.meta.dir, "../fixture/fpm");
const CASES = join(import.meta.dir, "../config-cases");

async function check(scene: Scene, file: string, ...words: string[]) {
  const outcome = await scene.fcgivisor(["check", "-c", file, "--json", ...words]);
  return JSON.parse(outcome.stdout) as { ok: boolean; warnings?: Fault[]; fault?: Fault };
}

/** Whoever reads a config for `pm = dynamic` is told that while it is not acted on. */
const ofNote = ({ message }: Fault) => !message.includes("is read but not acted on yet");

/** Debian's. */
const WWW_DATA = 33;

const IMAGE = readFileSync(join(CASES, "container-php-fpm.conf"), "utf8");
const SOUND: Readonly<Record<string, (scene: Scene) => string>> = {
  "Debian's php-fpm.conf and www.conf": (scene) => {
    const text = (name: string) =>
      readFileSync(join(FIXTURES, name), "utf8").replaceAll("@ROOT@", scene.dir);
    for (const folder of ["run/php", "var/log"]) mkdirSync(scene.path(folder), { recursive: true });
    // As Debian's package has it.
    chownSync(scene.path("run/php"), WWW_DATA, WWW_DATA);
    scene.write("etc/php/8.2/fpm/pool.d/www.conf", text("www.conf"));
    return scene.write("etc/php/8.2/fpm/php-fpm.conf", text("php-fpm.conf"));
  },
  "the official image's": (scene) =>
    scene.write("php-fpm.conf", IMAGE.replaceAll("/proc/self/fd/2", scene.path("log"))),
  "one with everything that php-fpm can do by itself": (scene) =>
    scene.write(
      "php-fpm.conf",
      `[global]
error_log = ${scene.path("log")}
process.max = 10
process_control_timeout = 10s
[www]
user = www-data
listen = ${scene.path("www.sock")}
listen.acl_users = nobody
pm = static
pm.max_children = 2
pm.status_path = /status
ping.path = /ping
ping.response = alive
access.log = $pool.access
access.format = "%R - %u %t \\"%m %r%Q%q\\" %s %{mili}d %{kilo}M %C%%"
access.suppress_path[] = /ping
slowlog = $pool.slow
request_slowlog_timeout = 5s
request_slowlog_trace_depth = 30
request_terminate_timeout = 1m
request_terminate_timeout_track_finished = yes
process.dumpable = no
catch_workers_output = yes
decorate_workers_output = no
security.limit_extensions = .php .html
env[PATH] = /usr/bin:/bin
php_admin_value[memory_limit] = 64M
`,
    ),
};

for (const [name, write] of Object.entries(SOUND))
  behaviour(`nothing is wrong with ${name}`, { needs: ["php-fpm", "root"] }, async (scene) => {
    const words = ["--php", phpFpmProgram()!, "--prefix", scene.dir];
    const said = await check(scene, write(scene), ...words);
    expect(said.fault).toBeUndefined();
    expect(said.warnings!.filter(ofNote)).toEqual([]);
  });

behaviour(
  "what php-fpm complains of is told at the line of the file that says it",
  { needs: ["php-fpm", "root"] },
  async (scene) => {
    const base = `user = www-data\npm = static\npm.max_children = 1\n`;
    const wrong: Readonly<Record<string, string>> = {
      "access.format = %Z": "access.format",
      [`access.log = ${scene.path("nowhere/access")}`]: "failed to open access log",
      [`slowlog = ${scene.path("nowhere/slow")}`]: "slowlog",
    };
    for (const [line, text] of Object.entries(wrong)) {
      const more = line.startsWith("slowlog") ? "request_slowlog_timeout = 5s\n" : "";
      const log = line.startsWith("access.format") ? `access.log = ${scene.path("a")}\n` : "";
      const pool = `[www]\nlisten = ${scene.path("www.sock")}\n${base}${more}${log}${line}\n`;
      scene.write("pool.d/www.conf", pool);
      const main = `[global]\nerror_log = ${scene.path("log")}\ninclude = ${scene.path("pool.d/*.conf")}\n`;
      const file = scene.write("php-fpm.conf", main);
      const said = await check(scene, file, "--php", phpFpmProgram()!);
      const place = {
        file: scene.path("pool.d/www.conf"),
        line: pool.split("\n").indexOf(line) + 1,
      };
      const faults = [said.fault!, ...(said.fault?.parts ?? [])];
      expect(faults).toContainEqual(
        expect.objectContaining({ message: expect.stringContaining(text), where: place }),
      );
    }
  },
);

behaviour(
  "in TOML too, and nothing is left behind by a check",
  { needs: ["php-fpm", "root"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const fpm = { "access.log": scene.path("nowhere/access") };
    const pool = { listen: spot.listen, command: [phpFpmProgram()!], fpm };
    const file = scene.config({ pools: { www: pool } });
    const said = await check(scene, file);
    expect(said.ok).toBe(false);
    expect(said.fault).toMatchObject({
      message: expect.stringContaining("failed to open access log"),
      where: { file, line: expect.any(Number) },
      hint: "create its folder, or name another file",
    });
    expect(existsSync(scene.path("run"))).toBe(false);
  },
);

behaviour(
  "listen.acl_users lets a user connect whom owner, group and mode keep out, until a reload takes it back",
  { needs: ["php-cgi", "root"] },
  async (scene) => {
    const spot = unixSpot(scene);
    const acl = { listen: { address: spot.listen, mode: "0600", acl_users: ["nobody"] } };
    const pool = (extra: object) => ({ pools: { www: { ...phpPool(spot), ...extra } } });
    const supervisor = await scene.start(pool(acl));
    const script = scene.fixture("php/hello.php");
    const binary = scene.path("fcgivisor");
    copyFileSync(join(import.meta.dir, "../../dist/fcgivisor"), binary);
    const ask = () =>
      scene.command([
        ...AS_NOBODY,
        binary,
        ...["request", "/hello.php", "--to", spot.listen, "--param", `SCRIPT_FILENAME=${script}`],
      ]);
    expect(NOBODY).toBe(65534);
    expect(await ask()).toMatchObject({ code: 0, stdout: expect.stringContaining("hello") });
    expect(statSync(spot.listen).mode & 0o007).toBe(0);
    scene.rewrite(pool({ listen: { address: spot.listen, mode: "0600" } }));
    expect((await supervisor.control("reload")).code).toBe(0);
    expect((await ask()).code).toBe(1);
    expect(statSync(spot.listen).mode & 0o777).toBe(0o600);
  },
);
