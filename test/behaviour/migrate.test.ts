// `migrate`: the config of a php-fpm as files of its own, and the commands it prints, done as they stand there.

import { expect } from "bun:test";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/model.ts";
import { fcgi } from "../helper/fcgi.ts";
import { phpFpmProgram } from "../helper/packages.ts";
import { type Spot, tcpSpot, unixSpot } from "../helper/pool.ts";
import { alive } from "../helper/processes.ts";
import { BINARY, textOf } from "../helper/program.ts";
import { behaviour, type Scene } from "../helper/scene.ts";
import { underLoad } from "../helper/under-load.ts";
import { eventually } from "../helper/wait.ts";

const NEEDS = { needs: ["php-fpm", "root"] } as const;

/** A php-fpm's folder, with a pool a file. */
function fpmFolder(scene: Scene, spots: Readonly<Record<string, Spot>>): string {
  for (const [name, { listen }] of Object.entries(spots))
    scene.write(
      `fpm/pool.d/${name}.conf`,
      `[${name}]
user = www-data
listen = ${listen}
pm = static
pm.max_children = 2
access.log = ${scene.path("access.log")}
access.suppress_path[] = /ping
php_admin_value[memory_limit] = 77M
env[SECRET] = "of $pool"
`,
    );
  scene.write(
    "fpm/php-fpm.conf",
    `[global]
pid = ${scene.path("fpm.pid")}
error_log = ${scene.path("fpm.log")}
process_control_timeout = 10m
include = ${scene.path("fpm/pool.d/*.conf")}
`,
  );
  return scene.path("fpm");
}

const migrate = (scene: Scene, ...words: string[]) =>
  scene.fcgivisor(["migrate", scene.path("fpm"), "--php", phpFpmProgram()!, ...words]);

/** What runs: neither where it stands, nor the places of the supervisor's own files. */
function service({ pools, log, supervisor }: Config) {
  const { emergencyRestartThreshold } = supervisor;
  return {
    pools: pools.map((pool) => ({ ...pool, place: null })),
    level: log.level,
    emergencyRestartThreshold,
  };
}

behaviour(
  "the files are the same service, with places of their own; the printed commands move it over and back",
  NEEDS,
  async (scene) => {
    const [www, api] = [await tcpSpot(scene), unixSpot(scene)];
    const folder = fpmFolder(scene, { www, api });
    chmodSync(`${folder}/pool.d/api.conf`, 0o640);
    const outcome = await migrate(scene, "--to", scene.path("own"));
    expect([outcome.stderr, outcome.code]).toEqual(["", 0]);
    expect(readdirSync(scene.path("own/pools.d")).toSorted()).toEqual(["api.toml", "www.toml"]);
    expect(statSync(scene.path("own/pools.d/api.toml")).mode & 0o777).toBe(0o640);

    const options = { env: {}, uid: null, stateDirDefault: "/run/fcgivisor" };
    const theirs = { ...options, file: `${folder}/php-fpm.conf`, php: phpFpmProgram()! };
    const before = (await loadConfig(theirs)).config;
    const after = (await loadConfig({ ...options, file: scene.path("own/fcgivisor.toml") })).config;
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    const sorted = (config: Config) => ({ ...config, pools: config.pools.toSorted(byName) });
    expect(service(sorted(after))).toEqual(service(sorted(before)));
    const places = [after.supervisor.pidFile, after.supervisor.stateDir, after.log.file];
    for (const place of [...places, after.admin.socket])
      expect(place).toStartWith(scene.path("own/"));

    const started = await scene.command([phpFpmProgram()!, "-n", "-y", `${folder}/php-fpm.conf`]);
    expect(started.code, started.stderr).toBe(0);
    const masterOf = () => Number(textOf(scene.path("fpm.pid"))) || null;
    const master = await eventually(masterOf, { what: "php-fpm's pid file" });
    scene.atEnd(() => void (alive(master) && process.kill(master, "SIGTERM")));
    const commands = outcome.stdout
      .split("\n")
      .filter((line) => line.startsWith("  "))
      .map((line) => line.trim());
    const [check, start, quit, again] = commands as [string, string, string, string];
    const run = (command: string) => {
      const [program, ...words] = command.split(" ");
      return scene.command([program === "fcgivisor" ? BINARY : program!, ...words]);
    };
    const script = scene.fixture("php/hello.php");
    await underLoad(www, { script }, async () => {
      await underLoad(api, { script }, async () => {
        expect((await run(check)).code).toBe(0);
        const moved = await run(start);
        expect([moved.stderr, moved.code]).toEqual(["", 0]);
        scene.atEnd(async () => void (await run(quit)));
        await eventually(() => !alive(master), { what: "the master of php-fpm is gone" });
      });
    });
    expect(textOf(scene.path("access.log"))).toContain("hello.php");
    expect((await run(quit)).code).toBe(0);
    const back = await run(again);
    expect(back.code, back.stderr).toBe(0);
    const second = Number(textOf(scene.path("fpm.pid")));
    scene.atEnd(() => void (alive(second) && process.kill(second, "SIGTERM")));
    for (const spot of [www, api])
      expect((await fcgi(spot.where, { script })).body).toBe("hello world");
  },
);

behaviour("an existing file is left alone, and then nothing is written", NEEDS, async (scene) => {
  fpmFolder(scene, { www: unixSpot(scene) });
  for (const name of ["fcgivisor.toml", "pools.d/www.toml", "pools.d/older.toml"]) {
    const to = scene.path(name.replaceAll("/", "-"));
    const file = scene.write(`${to}/${name}`, "mine\n");
    const refused = await migrate(scene, "--to", to);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain(`${file}: this file exists already; nothing was written`);
    const files = readdirSync(to, { recursive: true, withFileTypes: true }).filter((e) =>
      e.isFile(),
    );
    expect(files).toHaveLength(1);
    expect(readFileSync(file, "utf8")).toBe("mine\n");
  }
});

behaviour("what cannot be written as a whole is not written at all", NEEDS, async (scene) => {
  fpmFolder(scene, { www: unixSpot(scene) });
  scene.write("taken/pools.d", "a file in the place of the folder");
  const refused = await migrate(scene, "--to", scene.path("taken"));
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("nothing of it was left");
  expect(readdirSync(scene.path("taken"))).toEqual(["pools.d"]);
  // What is wrong with php-fpm's file is told first.
  scene.write("fpm/pool.d/bad.conf", "[bad]\npm = sttaic\n");
  const wrong = await migrate(scene, "--to", scene.path("a/b/c"));
  expect(wrong.stderr).toContain(`${scene.path("fpm/pool.d/bad.conf")}:2:1: pm: expected one of`);
  expect(existsSync(scene.path("a"))).toBe(false);
  const nowhere = await scene.fcgivisor(["migrate", scene.path("gates"), "--to", scene.path("x")]);
  expect(nowhere).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("no such config file"),
  });
  const empty = await scene.fcgivisor(["migrate", scene.path("taken"), "--to", scene.path("x")]);
  expect(empty.stderr).toContain("there is no php-fpm.conf in this folder");
});
