// What php-fpm's INI files are made of beyond single values: includes in their order, prefixes, the
// php-cgi and php.ini that belong to them, and that the format is told from the content.

import { describe, expect, test } from "bun:test";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { formatOf } from "../../src/config/format.ts";
import { iniValue } from "../../src/config/ini/value.ts";
import { loadConfig } from "../../src/config/load.ts";
import { Fault, faultLines } from "../../src/fault.ts";
import { withTempDir, write } from "../config-cases/temp-dir.ts";

const GLOBAL = "[global]\nprocess_control_timeout = 5s\n";
const pool = (name: string, more = "") =>
  `[${name}]\nlisten = /${name}.sock\npm = static\npm.max_children = 2\n${more}`;

function load(
  file: string,
  more: { prefix?: string; php?: string; env?: Record<string, string> } = {},
) {
  return loadConfig({ file, env: {}, uid: null, stateDirDefault: "/run/fcgivisor", ...more });
}

async function complaint(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error("nothing was wrong"),
    (e: unknown) => e,
  );
  if (error instanceof Fault) return faultLines(error).join("\n");
  throw error;
}

describe("includes", () => {
  test("are read in their order, sorted, without hidden files, relative to the prefix", () =>
    withTempDir(async (dir) => {
      await write(dir, "pool.d/b.conf", pool("b"));
      await write(dir, "pool.d/a.conf", pool("a"));
      await write(dir, "pool.d/.hidden.conf", "nonsense");
      await write(dir, "pool.d/c.conf.dpkg-old", "nonsense");
      await write(dir, "late.conf", pool("late"));
      const main = `${GLOBAL}include = pool.d/*.conf\n${pool("main")}include = ${dir}/[k-m]ate.conf\n`;
      const file = await write(dir, "php-fpm.conf", main);
      const { config } = await load(file, { prefix: dir });
      expect(config.pools.map(({ name }) => name)).toEqual(["a", "b", "main", "late"]);
      expect(config.source.files).toEqual(
        ["php-fpm.conf", "pool.d/a.conf", "pool.d/b.conf", "late.conf"].map((f) => join(dir, f)),
      );
      expect(config.pools[1]?.place).toMatchObject({ file: join(dir, "pool.d/b.conf"), line: 1 });
    }));

  test("the section goes on through an include, and behind it", () =>
    withTempDir(async (dir) => {
      await write(dir, "more.conf", `env[IN] = more\n${pool("other")}`);
      const main = `${GLOBAL}${pool("www")}include = ${dir}/more.conf\nenv[BEHIND] = it\n`;
      const { config } = await load(await write(dir, "php-fpm.conf", main));
      const env = config.pools.map((p) => [p.name, Object.fromEntries(p.env)]);
      expect(env).toEqual([
        ["www", { IN: "more" }],
        ["other", { BEHIND: "it" }],
      ]);
    }));

  test("a pool is continued, [GLOBAL] counts in any case", () =>
    withTempDir(async (dir) => {
      const main = `${pool("www")}${pool("b")}[GLOBAL]\npid = /p.pid\n[www]\npm.max_children = 7\n`;
      const { config } = await load(await write(dir, "php-fpm.conf", main));
      expect(config.pools.map((p) => [p.name, p.workers])).toEqual([
        ["www", 7],
        ["b", 2],
      ]);
      expect(config.supervisor.pidFile).toBe("/p.pid");
    }));

  test("a file that includes itself, a folder, and an empty file", () =>
    withTempDir(async (dir) => {
      const file = await write(dir, "loop.conf", `include = ${dir}/loop.conf\n${GLOBAL}`);
      const said = await complaint(load(file));
      expect(said).toContain(`loop.conf:1:1: include of ${file}: it is being read already`);
      await mkdir(join(dir, "folder"));
      const folder = await write(dir, "f.conf", `include = ${dir}/folder\n${pool("www")}`);
      expect(await complaint(load(folder))).toContain("this is a directory");
      await write(dir, "empty.conf", "");
      const empty = await write(dir, "e.conf", `include = ${dir}/empty.conf\n${pool("www")}`);
      expect((await load(empty)).config.pools).toHaveLength(1);
    }));

  test("files that include others, five deep", () =>
    withTempDir(async (dir) => {
      for (const i of [1, 2, 3, 4, 5])
        await write(dir, `${i}.conf`, `include = ${dir}/${i + 1}.conf\n${pool(`p${i}`)}`);
      await write(dir, "6.conf", pool("last"));
      const said = await complaint(load(join(dir, "1.conf")));
      expect(said).toContain("5.conf:1:1: more than 5 files include each other");
      expect((await load(join(dir, "2.conf"))).config.pools.map(({ name }) => name)).toEqual([
        "last",
        "p5",
        "p4",
        "p3",
        "p2",
      ]);
    }));

  test("files that name others many times are read so many times, and no more", () =>
    withTempDir(async (dir) => {
      const often = (name: string) => `include = ${dir}/${name}\n`.repeat(150);
      await write(dir, "b.conf", often("c.conf"));
      await write(dir, "c.conf", often("d.conf"));
      await write(dir, "d.conf", ";\n");
      const file = await write(dir, "a.conf", often("b.conf") + pool("www"));
      const said = await complaint(load(file));
      expect(said).toContain("more than 10000 files are included");
      expect(said).toContain("1 problem");
    }));

  test("what is wrong in an included file is shown there", () =>
    withTempDir(async (dir) => {
      await write(dir, "pool.d/a.conf", `${pool("a")}pm.max_childen = 3\n`);
      const file = await write(dir, "php-fpm.conf", `include = ${dir}/pool.d/*.conf\n${GLOBAL}`);
      expect(await complaint(load(file))).toContain(
        `${dir}/pool.d/a.conf:5:1: unknown setting "pm.max_childen"`,
      );
    }));
});

describe("the place of the config", () => {
  const relative = `pid = run/p.pid\nerror_log = log/e.log\n${pool("www").replace("/www", "run/www")}`;

  test("PREFIX/etc: pid and log below PREFIX/var, all else below PREFIX", () =>
    withTempDir(async (dir) => {
      const { config } = await load(await write(dir, "etc/php-fpm.conf", relative));
      expect(config.supervisor.pidFile).toBe(`${dir}/var/run/p.pid`);
      expect(config.log.file).toBe(`${dir}/var/log/e.log`);
      expect(config.pools[0]?.listen.address).toEqual({
        kind: "unix",
        path: `${dir}/run/www.sock`,
      });
    }));

  test("--prefix, as -p of php-fpm, holds for everything", () =>
    withTempDir(async (dir) => {
      const file = await write(dir, "etc/php-fpm.conf", relative);
      const { config } = await load(file, { prefix: "/opt/php" });
      expect(config.supervisor.pidFile).toBe("/opt/php/run/p.pid");
      expect(config.log.file).toBe("/opt/php/log/e.log");
    }));

  test("the version's php-fpm where it is on PATH or among the programs of root, and not a link to this program", () =>
    withTempDir(async (dir) => {
      const file = await write(dir, "etc/php/8.9/fpm/php-fpm.conf", pool("www"));
      const bin = join(dir, "bin");
      await mkdir(bin);
      await write(dir, "etc/php/8.9/fpm/php.ini", "");
      const read = async () => {
        const { command, runtime, php } = (await load(file, { env: { PATH: bin } })).config
          .pools[0]!;
        return [command[0], runtime, php.ini];
      };
      const own = join(dir, "etc/php/8.9/fpm/php.ini");
      expect(await read()).toEqual(["php-cgi", "php-cgi", own]);
      await symlink(process.execPath, join(bin, "php-fpm8.9"));
      expect(await read()).toEqual(["php-cgi", "php-cgi", own]);
      await symlink("/bin/true", join(bin, "php-fpm8.9.distrib"));
      expect(await read()).toEqual([join(bin, "php-fpm8.9.distrib"), "php-fpm", null]);
      const cgi = (await load(file, { php: "php-cgi8.9", env: { PATH: bin } })).config.pools[0]!;
      expect([cgi.command, cgi.runtime, cgi.php.ini]).toEqual([["php-cgi8.9"], "php-cgi", own]);
    }));

  test("PREFIX/sbin/php-fpm of an installation of its own", () =>
    withTempDir(async (dir) => {
      const file = await write(dir, "etc/php-fpm.conf", pool("www"));
      await mkdir(join(dir, "sbin"));
      await symlink("/bin/true", join(dir, "sbin/php-fpm"));
      const { command, runtime } = (await load(file)).config.pools[0]!;
      expect([command, runtime]).toEqual([[join(dir, "sbin/php-fpm")], "php-fpm"]);
    }));

  test("--php is refused for TOML, which says itself what runs", () =>
    withTempDir(async (dir) => {
      const file = await write(dir, "a.toml", '[pools.www]\nlisten = "9000"\ncommand = ["a"]\n');
      const said = await complaint(load(file, { php: "php-fpm8.2" }));
      expect(said).toContain('command = ["php-fpm8.2"]');
    }));

  test("the version's php-cgi where it is on PATH; php.ini and conf.d beside the config", () =>
    withTempDir(async (dir) => {
      const file = await write(dir, "etc/php/8.9/fpm/php-fpm.conf", pool("www"));
      const plain = (await load(file, { env: { PATH: join(dir, "bin") } })).config.pools[0]!;
      expect([plain.command, plain.php.ini, plain.env.size]).toEqual([["php-cgi"], null, 0]);
      await mkdir(join(dir, "bin"));
      await symlink("/bin/true", join(dir, "bin/php-cgi8.9"));
      await write(dir, "etc/php/8.9/fpm/php.ini", "");
      await write(dir, "etc/php/8.9/fpm/conf.d/10-x.ini", "");
      const own = (await load(file, { env: { PATH: join(dir, "bin") } })).config.pools[0]!;
      expect(own.command).toEqual(["php-cgi8.9"]);
      expect(own.php.ini).toBe(`${dir}/etc/php/8.9/fpm/php.ini`);
      expect(own.env.get("PHP_INI_SCAN_DIR")).toBe(`${dir}/etc/php/8.9/fpm/conf.d`);
    }));
});

test("${NAME} is taken from the environment, and in single quotes it is text", () => {
  const env = { HOME: "/root", EMPTY: "" };
  const read = (text: string) => iniValue(text, env);
  expect(read(" ${HOME}/x ; c")).toEqual({ ok: "/root/x" });
  expect(read(`"\${HOME} \\" \${EMPTY}."`)).toEqual({ ok: '/root " .' });
  expect(read("${HOME:-x} ${NONE:-y} ${EMPTY:-z}")).toEqual({ ok: "/root y z" });
  expect(read("'${HOME}'")).toEqual({ ok: "${HOME}" });
});

test("bytes that are no UTF-8 may stand in comments, not in values", () =>
  withTempDir(async (dir) => {
    const latin1 = (text: string) => Buffer.from(text, "latin1");
    await load(await write(dir, "a.conf", latin1(`; gr\xfc\xdfe\n${pool("www")}`)));
    const wrong = await write(dir, "b.conf", latin1(pool("www", "env[A] = gr\xfc\xdfe\n")));
    expect(await complaint(load(wrong))).toContain("b.conf:5:1: env[A]: this value is not UTF-8");
  }));

describe("the format is told from the content", () => {
  test.each([
    ["php-fpm-ini", "include=/etc/php-fpm.d/*.conf"],
    ["php-fpm-ini", "; a comment\n[www]\nlisten = 9000"],
    ["php-fpm-ini", "[Global]\n"],
    ["php-fpm-ini", "[www]\nuser = a\npm = Dynamic ; x\n"],
    ["php-fpm-ini", "[www]\r\nlisten = 127.0.0.1:9000\r\n"],
    ["toml", 'include = ["a.toml"]\n'],
    ["toml", '[pools.www]\nlisten = "9000"\npm = static\n'],
    ["toml", "[defaults]\nlisten = /a\n"],
    ["legacy-xml", '\n<?xml version="1.0" ?>\n<configuration>'],
  ] as const)("%s: %j", (format, text) => {
    expect(formatOf("f", Buffer.from(text))).toBe(format);
  });
});

test("without a pool the hint is in the words of that format", () =>
  withTempDir(async (dir) => {
    const file = await write(dir, "php-fpm.conf", "[global]\nerror_log = /dev/null\n");
    const fault = await load(file).catch((error: unknown) => error);
    expect(JSON.stringify(fault)).not.toContain("pools.www");
    expect(fault).toMatchObject({
      parts: [
        {
          message: "there is no pool in this config",
          hint: expect.stringContaining("include = pool.d/*.conf"),
        },
      ],
    });
  }));
