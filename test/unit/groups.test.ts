// Kinds of programs: which one a pool's command is, how its workers are made up of groups, and that a
// php.ini value reaches PHP just as it is written, whatever is in it.

import { expect, test } from "bun:test";
import { loadConfig } from "../../src/config/load.ts";
import type { PoolConfig } from "../../src/config/model.ts";
import { phpCgi } from "../../src/runtime/php-cgi.ts";
import { groupSizeOf, runtimeOf, RUNTIMES } from "../../src/runtime/registry.ts";
import { withTempDir, write } from "../config-cases/temp-dir.ts";
import { missing } from "../helper/packages.ts";

/** A pool as a config makes it; what a test wants otherwise is put over it. */
async function pool(changes: Partial<PoolConfig>): Promise<PoolConfig> {
  return withTempDir(async (dir) => {
    const text = '[pools.a]\nlisten = "127.0.0.1:1"\ncommand = ["php-cgi"]\n';
    const file = await write(dir, "a.toml", text);
    const options = { file, env: {}, uid: null, stateDirDefault: "/run/x" };
    const { config } = await loadConfig(options);
    return { ...config.pools[0]!, ...changes };
  });
}

async function guessed(program: string): Promise<string | undefined> {
  return runtimeOf(await pool({ command: [program] }))?.name;
}

test("the program's name tells the kind, wherever it stands", async () => {
  for (const name of [
    "php-cgi",
    "phpcgi",
    "php-cgi8.2",
    "php8.2-cgi",
    "php-cgi82",
    "/usr/local/bin/php-cgi",
    "./php7.4-cgi",
  ])
    expect(await guessed(name), name).toBe("php-cgi");
  for (const name of ["php-fpm", "php-fpm8.2", "php-fpm84", "php8.2-fpm", "/usr/sbin/php-fpm"])
    expect(await guessed(name), name).toBe("php-fpm");
  expect(await guessed("/usr/sbin/fcgiwrap")).toBe("fcgiwrap");
  for (const name of ["php", "php-cgi-wrapper", "my-php-cgi", "fcgiwrap2", "perl", ""])
    expect(await guessed(name), name).toBe("generic");
});

test("what the config names wins, and an unknown name is none", async () => {
  for (const { name } of RUNTIMES)
    expect(runtimeOf(await pool({ runtime: name }))?.name).toBe(name);
  expect(runtimeOf(await pool({ runtime: "php" }))).toBeUndefined();
});

test("a static PHP pool is one group by default, of all its workers", async () => {
  expect(groupSizeOf(await pool({ workers: 8 }), phpCgi)).toBe(8);
  expect(groupSizeOf(await pool({ workers: 1 }), phpCgi)).toBe(1);
});

test("group_size is the most that one group has, and no more than there are workers", async () => {
  const size = async (workers: number, groupSize: number) =>
    groupSizeOf(await pool({ workers, groupSize }), phpCgi);
  expect(await size(8, 4)).toBe(4);
  expect(await size(3, 1)).toBe(1);
  expect(await size(8, 3)).toBe(3);
  expect(await size(2, 8)).toBe(2);
});

test("a program that does not fork has groups of one, whatever group_size says", async () => {
  for (const runtime of RUNTIMES.filter(({ forks }) => !forks))
    expect(groupSizeOf(await pool({ workers: 3, groupSize: 3 }), runtime)).toBe(1);
});

test("php-cgi is always told how many requests, because unset would mean 500", async () => {
  const env = phpCgi.env(await pool({}), { size: 4, maxRequests: 0 });
  expect(env).toEqual({ PHP_FCGI_CHILDREN: "4", PHP_FCGI_MAX_REQUESTS: "0" });
  const alone = phpCgi.env(await pool({}), { size: 1, maxRequests: 7 });
  expect(alone).toEqual({ PHP_FCGI_MAX_REQUESTS: "7" });
});

test("php settings become arguments: the ini file, then one -d each", async () => {
  const defines = new Map([
    ["display_errors", "0"],
    ["date.timezone", "Europe/Berlin"],
  ]);
  const php = { ini: "/etc/php.ini", defines, admin: new Map(), errors: "web-server" } as const;
  const args = phpCgi.args(await pool({ php }), null);
  expect(args).toEqual([
    "-c",
    "/etc/php.ini",
    "-d",
    'display_errors="${FCGIVISOR_PHP_0}"',
    "-d",
    'date.timezone="${FCGIVISOR_PHP_1}"',
  ]);
  expect(
    phpCgi.args(
      await pool({
        php: { ini: null, defines: new Map(), admin: new Map(), errors: "web-server" },
      }),
      null,
    ),
  ).toEqual([]);
});

/** Values that INI has a meaning for, and strings of such characters by chance, the same each time. */
function oddValues(): string[] {
  const alphabet = "aZ0 '\"\\$${}()[]|&!~^=;#%.,:/*?@<>`-+_\t\u00e4";
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4294967296) * below);
  };
  const chance = Array.from({ length: 400 }, () =>
    Array.from({ length: random(9) }, () => alphabet[random(alphabet.length)]!).join(""),
  );
  return [
    "",
    "0",
    "on",
    "none",
    "null",
    "true",
    " spaces around ",
    "a;b",
    "#c",
    "${HOME}",
    "'${HOME}'",
    "$HOME'",
    "E_ALL & ~E_NOTICE",
    "it's",
    `"quoted"`,
    `'"`,
    "\\",
    "'\\",
    "\\'",
    "C:\\dir\\'x'",
    "a\nb",
    "'a\nb'",
    "/usr/sbin/sendmail -t -i",
    ...chance,
  ];
}

test.skipIf(missing(["php-cgi"]).length > 0)(
  "PHP itself reads every defined value back as it was written",
  async () => {
    const values = oddValues();
    await withTempDir(async (dir) => {
      const code =
        '<?php for ($i = 0; $i < (int) get_cfg_var("fv.n"); $i++) $all[] = bin2hex((string) get_cfg_var("fv.v$i")); echo implode(",", $all);';
      const script = await write(dir, "read.php", code);
      const defines = new Map(values.map((value, i) => [`fv.v${i}`, value]));
      const some = await pool({
        php: { ini: null, defines, admin: new Map(), errors: "web-server" },
      });
      const count = `fv.n=${values.length}`;
      const own = { PATH: process.env["PATH"], HOME: "/expanded" };
      const child = Bun.spawnSync(
        ["php-cgi", "-n", "-q", ...phpCgi.args(some, null), "-d", count, script],
        { stderr: "ignore", env: { ...own, ...phpCgi.argumentVariables(some) } },
      );
      const read = child.stdout.toString().split(",");
      expect(read.length).toBe(values.length);
      for (const [i, value] of values.entries()) {
        const got = Buffer.from(read[i]!, "hex").toString();
        expect(got, JSON.stringify(value)).toBe(value);
      }
    });
  },
);
