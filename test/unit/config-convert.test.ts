// Whatever a config says, in whichever format: what `convert` and `check --dump` write of it resolves
// to the same. The configs are made up at random from the settings table, from a fixed seed.

import { describe, expect, test } from "bun:test";
import { convertConfig } from "../../src/config/derived/convert.ts";
import { dumpConfig } from "../../src/config/derived/dump.ts";
import { INI_NAMES, type IniKind } from "../../src/config/ini/names.ts";
import { LEGACY_NAMES } from "../../src/config/legacy/names.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/model.ts";
import type { Rows } from "../../src/config/settings/setting.ts";
import { ADMIN, LOG, POOL, SUPERVISOR } from "../../src/config/settings/settings.ts";
import { Fault } from "../../src/fault.ts";
import { random, type Random } from "../config-cases/random.ts";
import { withTempDir, write } from "../config-cases/temp-dir.ts";

const ROUNDS = 60;

const load = (file: string, php?: string) =>
  loadConfig({
    file,
    ...(php === undefined ? {} : { php }),
    prefix: "/PREFIX",
    env: { HOME: "/root" },
    uid: null,
    stateDirDefault: "/run/fcgivisor",
  });

/** Texts for a value of any format, chosen to hurt whoever quotes them badly. */
const TEXTS = ["a b", "it's", 'say "hi"', "back\\slash", "ünï", "#no;comment", "x=y", "100%"];

function tomlSetting(name: string, example: string, pick: Random): string {
  const text = JSON.stringify(pick.of(TEXTS));
  const others: Readonly<Record<string, readonly string[]>> = {
    env: [`{ A = ${text}, "B C" = "" }`, "{}"],
    "php.defines": [`{ "a.b" = ${text} }`],
    command: [`["./run", ${text}]`],
    chdir: ['"/srv/x y"', '"relative"'],
    workers: ["12"],
    user: ['"bob"', '"1000"'],
    "log.file": ['"stderr"'],
    "health.expect": [text],
    fpm: [
      `{ slowlog = "slow log", request_slowlog_timeout = "5s", "process.dumpable" = true }`,
      `{ "access.suppress_path" = ["/ping", "/a b"], "access.format" = ${text} }`,
      `{ "request_terminate_timeout" = 30, "pm.status_path" = "", "security.limit_extensions" = "" }`,
    ],
  };
  return `${name} = ${pick.of([example, ...(others[name] ?? [])])}`;
}

function tomlSection(rows: Rows, pick: Random, without: readonly string[]): string {
  return Object.entries(rows)
    .filter(([name]) => !without.includes(name) && pick.chance(0.4))
    .map(([name, row]) => tomlSetting(name, row.example, pick))
    .join("\n");
}

const PLACES = ["include", "state_dir", "socket", "listen.address", "command"];

/** What only some kinds of programs can have, and what another setting says for some. */
const NOT_FOR_ALL = ["fpm", "runtime", "request_timeout"];

function toml(pick: Random): string {
  const pool = (name: string, without: string) => `[pools."${name}"]
listen.address = "/${name}.sock"
command = ["./${name}", ${JSON.stringify(pick.of(TEXTS))}]
${tomlSection(POOL, pick, [...PLACES, "allowed_clients", "group_size", without])}`;
  return `[supervisor]
${tomlSection(SUPERVISOR, pick, PLACES)}
[admin]
${tomlSection(ADMIN, pick, PLACES)}
[log]
${tomlSection(LOG, pick, PLACES)}
[defaults]
${tomlSection(POOL, pick, [...PLACES, "allowed_clients", "group_size", ...NOT_FOR_ALL])}
${pool("one", "fpm")}
${pool("php-fpm8.2", "runtime")}
`;
}

const SCALARS: Readonly<Record<string, readonly string[]>> = {
  integer: ["1", "7", "500"],
  time: ["5s", "3m", "2h", "0s"],
  boolean: ["yes", "no", "on", "0"],
  core: ["unlimited", "0", "4096"],
  list: ["127.0.0.1", "127.0.0.1,10.0.0.1"],
  path: ["/var/x", "run/y", "/srv/a b"],
  text: ["bob", "www"],
};

const WORDS: Readonly<Record<string, readonly string[]>> = {
  log_level: ["debug", "notice", "warn", "error"],
  mode: ["0666", "660"],
  "listen.mode": ["0666", "660"],
  style: ["static", "apache-like"],
  pm: ["static", "dynamic", "ondemand", "Dynamic"],
  listen_address: ["127.0.0.1:9000", "9000", "/a.sock", "run/b.sock"],
  listen: ["127.0.0.1:9000", "9000", "/$pool.sock", "[::1]:9000"],
  chroot: ["/srv/jail"],
  chdir: ["/srv/www"],
  "process.priority": ["-5", "10"],
  "ping.path": ["/ping", ""],
  "pm.status_path": ["/status", "/a-b.c"],
  "access.format": ['"%R %u %t \\"%m\\""', "%{a b}C", '"a;b#c"'],
  "security.limit_extensions": [".php .phtml", ""],
  request_slowlog_timeout: ["1s", "2", "0"],
};

function xml(pick: Random): string {
  const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const value = (name: string, text: string) => `<value name="${name}">${escaped(text)}</value>\n`;
  const tree = (path: string): string =>
    children(path)
      .filter(() => pick.chance(0.6))
      .map((name) => {
        const known = LEGACY_NAMES.get(`${path}/${name}`);
        if (known === undefined)
          return `<value name="${name}">${tree(`${path}/${name}`)}</value>\n`;
        if (known.form !== "pairs") return value(name, scalar(name, known.form, pick));
        return `<value name="${name}">${value("A", pick.of(TEXTS))}${value("b.c", "$HOME")}</value>\n`;
      })
      .join("");
  const needed = `${value("listen_address", pick.of(WORDS["listen_address"]!))}<value name="pm">${value("style", pick.of(WORDS["style"]!))}${value("max_children", "5")}</value>\n`;
  return `<configuration><section name="global_options">\n${tree("global_options")}</section>
<workers><section name="pool">\n${value("slowlog", "/s")}${tree("pool")}${needed}</section></workers></configuration>\n`;
}

function children(path: string): string[] {
  const inside = [...LEGACY_NAMES.keys()].filter((known) => known.startsWith(`${path}/`));
  return [...new Set(inside.map((known) => known.slice(path.length + 1).split("/")[0]!))];
}

function scalar(name: string, form: string, pick: Random): string {
  return pick.of(WORDS[name] ?? SCALARS[form] ?? ["x"]);
}

function ini(pick: Random): string {
  const section = (kind: IniKind) =>
    [...INI_NAMES[kind]]
      .filter(() => pick.chance(0.4))
      .map(([name, known]) => {
        if (name === "access.suppress_path") return `${name}[] = /a\n${name}[] = "/b c"`;
        if (!known.array) return `${name} = ${scalar(name, known.form, pick)}`;
        const text = pick.of(TEXTS).replaceAll(/["\\]/g, "\\$&");
        return name.endsWith("flag") ? `${name}[x] = on` : `${name}[a.b] = "${text}"`;
      })
      .join("\n");
  const needed = `pm.max_children = 40\npm.start_servers = 6\npm.min_spare_servers = 5\npm.max_spare_servers = 20\nslowlog = /s\nlisten = `;
  return `[global]\n${section("global")}
[www]\npm = static\n${section("pool")}\n${needed}/www.sock
[two]\npm = static\n${section("pool")}\n${needed}${pick.of(WORDS["listen"]!)}\n`;
}

function meaning({ supervisor, admin, log, pools }: Config) {
  return {
    supervisor: { ...supervisor, daemonize: null },
    admin,
    log,
    pools: pools.map((pool) => ({ ...pool, place: null })),
  };
}

/** Whether the config was sound; what is not need not be convertible. */
async function holds(source: string, php: string | undefined): Promise<boolean> {
  return withTempDir(async (dir) => {
    const file = await write(dir, "original", source);
    const original = await load(file, php).catch((error: unknown) => {
      if (error instanceof Fault) return null;
      throw error;
    });
    if (original === null) return false;
    for (const [name, text] of [
      ["converted.toml", convertConfig(original)],
      ["dumped.toml", dumpConfig(original)],
    ] as const) {
      const again = await load(await write(dir, name, text)).catch((error: unknown) => {
        throw new Error(`${name} of\n${source}\nis\n${text}`, { cause: error });
      });
      expect(meaning(again.config)).toEqual(meaning(original.config));
    }
    return true;
  });
}

describe.each([
  ["TOML", toml, undefined],
  ["legacy XML", xml, "php-cgi"],
  ["php-fpm INI, run by php-cgi", ini, "php-cgi"],
  ["php-fpm INI, run by php-fpm", ini, "/nowhere/php-fpm8.2"],
] as const)("%s made up at random", (_, make, php) => {
  test(`${ROUNDS} configs resolve to the same when converted and when dumped`, async () => {
    const pick = random(2008);
    let sound = 0;
    for (let round = 0; round < ROUNDS; round++) if (await holds(make(pick), php)) sound++;
    expect(sound).toBeGreaterThan(ROUNDS / 2);
  });
});

test("an apache-like pool is static, and the pool that was meant stands there as a comment", () =>
  withTempDir(async (dir) => {
    const file = await write(
      dir,
      "a.xml",
      `<configuration><workers><section name="pool"><value name="listen_address">9000</value>
<value name="pm"><value name="style">apache-like</value><value name="max_children">10</value>
<value name="apache_like"><value name="StartServers">20</value><value name="MinSpareServers">5</value>
<value name="MaxSpareServers">35</value></value></value></section></workers></configuration>`,
    );
    const text = convertConfig(await load(file));
    expect(text).not.toMatch(/^scaling/m);
    for (const line of ['scaling = "dynamic"', "start_workers = 10", "min_spare = 5"])
      expect(text).toContain(`\n# ${line}\n`);
    const chosen = text.replaceAll(/^# (\w+ = )/gm, "$1");
    const { config } = await load(await write(dir, "b.toml", chosen));
    expect(config.pools[0]).toMatchObject({ scaling: "dynamic", minSpare: 5, maxSpare: 10 });
  }));

test("a line end in the file's path does not end a comment", () =>
  withTempDir(async (dir) => {
    const text = '[pools.www]\nlisten = "9000"\ncommand = ["a"]\n';
    const loaded = await load(await write(dir, "a\nb/x.toml", text));
    for (const written of [convertConfig(loaded), dumpConfig(loaded)]) {
      expect(written).toContain("/a?b/x.toml");
      await load(await write(dir, "again.toml", written));
    }
  }));
