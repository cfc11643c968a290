// The file that a php-fpm master gets: what stands in it, and that php-fpm reads every value as it was given.

import { expect, test } from "bun:test";
import { loadConfig } from "../../src/config/load.ts";
import type { PoolConfig } from "../../src/config/model.ts";
import { type FpmFacts, fpmConfig } from "../../src/runtime/php-fpm/config-text.ts";
import { phpFpm } from "../../src/runtime/php-fpm/php-fpm.ts";
import { forksFor, groupSizeOf } from "../../src/runtime/registry.ts";
import { withTempDir, write } from "../config-cases/temp-dir.ts";
import { missing, phpFpmProgram } from "../helper/packages.ts";

async function pool(changes: Partial<PoolConfig>): Promise<PoolConfig> {
  return withTempDir(async (dir) => {
    const text = '[pools.www]\nlisten = "/run/www.sock"\ncommand = ["php-fpm"]\n';
    const file = await write(dir, "a.toml", text);
    const options = { file, env: {}, uid: null, stateDirDefault: "/run/x" };
    const { config } = await loadConfig(options);
    return { ...config.pools[0]!, ...changes };
  });
}

const FACTS: FpmFacts = { isRoot: true, size: 3, maxRequests: 500, env: {} };

/** The directives of the pool's section, without the blanks. */
async function directives(changes: Partial<PoolConfig>, facts: Partial<FpmFacts> = {}) {
  const { lines } = fpmConfig(await pool(changes), { ...FACTS, ...facts });
  return lines.map(({ text }) => text);
}

test("a master provides its workers, one too", async () => {
  expect(groupSizeOf(await pool({ workers: 8 }), phpFpm)).toBe(8);
  expect(groupSizeOf(await pool({ workers: 8, groupSize: 4 }), phpFpm)).toBe(4);
  expect(forksFor(1, phpFpm)).toBe(true);
});

test("workers are static, on a socket that no client knows by this name", async () => {
  const lines = await directives({});
  expect(lines).toContain("pm = static");
  expect(lines).toContain("pm.max_children = 3");
  expect(lines).toContain("pm.max_requests = 500");
  expect(lines.join("\n")).not.toContain("/run/www.sock");
});

test("root's master takes on user and root directory; another user's is not told of them", async () => {
  const given = { user: "www-data", group: "www", chroot: "/srv", nice: 5, chdir: "/w" } as const;
  const root = await directives(given);
  for (const line of [
    "user = 'www-data'",
    "group = 'www'",
    "chroot = '/srv'",
    "process.priority = 5",
  ])
    expect(root).toContain(line);
  const other = (await directives(given, { isRoot: false })).join("\n");
  expect(other).not.toMatch(/^(user|group|chroot|process\.priority)\b/m);
  expect(other).toContain("chdir = '/w'");
});

test("output that nobody wants is not caught, for each request would wake the master", async () => {
  const caught = async (changes: Partial<PoolConfig>) =>
    (await directives(changes)).find((line) => line.startsWith("catch_workers_output"));
  expect(await caught({ logOutput: true })).toBe("catch_workers_output = yes");
  expect(await caught({ logOutput: false })).toBe("catch_workers_output = no");
  const { php } = await pool({});
  const asked = { ...php, errors: "log" } as const;
  expect(await caught({ logOutput: false, php: asked })).toBe("catch_workers_output = yes");
});

test("what the operator says of output wins, and words stay words", async () => {
  const fpm = new Map([
    ["decorate_workers_output", "yes"],
    ["access.log", "/var/log/$pool.log"],
    ["access.suppress_path[]", "/ping\n/status"],
  ]);
  const lines = await directives({ fpm });
  expect(lines).toContain("decorate_workers_output = yes");
  expect(lines).not.toContain("decorate_workers_output = no");
  expect(lines).toContain("access.log = '/var/log/$pool.log'");
  expect(lines.filter((line) => line.startsWith("access.suppress_path[]")).length).toBe(2);
});

test("a canary writes to the logs of its pool", async () => {
  expect(await directives({ name: "www (canary)" })).toContain("[www]");
  const sections = (await directives({ name: "global" })).filter((line) => line.startsWith("["));
  expect(sections).toEqual(["[global]", "[global_]"]);
});

test("a name that would be more than a name is refused", async () => {
  for (const name of ["a = b\nuser", "x]\n[y", "a b", ""]) {
    const php = {
      ini: null,
      defines: new Map([[name, "1"]]),
      admin: new Map<string, string>(),
      errors: "web-server",
    } as const;
    const given = await pool({ php });
    expect(() => fpmConfig(given, FACTS), name).toThrow("is no directive of php-fpm");
  }
});

/** Values that would break out of a line, a quote or a variable, and strings of such characters by chance. */
function oddValues(): string[] {
  const characters = ["'", '"', "\\", "$", "{", "}", ";", "#", "=", "[", "]", " ", "a", "\t", "&"];
  let seed = 7;
  const next = (below: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % below;
  const random = Array.from({ length: 300 }, () =>
    Array.from({ length: 1 + next(8) }, () => characters[next(characters.length)]).join(""),
  );
  return [
    "${HOME}",
    "$HOME",
    "'",
    "''",
    "a'b\"c",
    "a\nuser = root",
    "[x]\ny=z",
    "ü",
    "1",
    "",
    ...random,
  ];
}

test.skipIf(missing(["php-fpm"]).length > 0)(
  "php-fpm reads every value of a variable and of a setting as it was given",
  async () => {
    const values = oddValues();
    const env = Object.fromEntries(values.map((value, i) => [`V${i}`, value]));
    const defines = new Map(values.map((value, i) => [`fv.v${i}`, value]));
    const given = await pool({
      php: { ini: null, defines, admin: new Map(), errors: "web-server" },
    });
    const { text, variables } = fpmConfig(given, { ...FACTS, isRoot: false, env });
    await withTempDir(async (dir) => {
      const file = await write(dir, "fpm.conf", text);
      const user = process.getuid?.() === 0 ? "user = www-data\n" : "";
      await Bun.write(file, text + user);
      // As php-fpm prints a config: a value ends where the next directive begins.
      const child = Bun.spawnSync([phpFpmProgram()!, "-n", "-tt", "-y", file], {
        stderr: "pipe",
        env: variables,
      });
      const printed = child.stderr.toString();
      const lines = printed.split(/^\[[^\]]*\] NOTICE: +\t?/m);
      const printedAs = (name: string) => lines.find((line) => line.startsWith(`${name} = `));
      for (const [i, value] of values.entries()) {
        // It looks these up when it starts.
        const looked = (text: string | undefined) =>
          text?.startsWith("$FCGIVISOR_VALUE_") ? variables[text.slice(1)] : text;
        const shown = (name: string) =>
          printedAs(name)
            ?.slice(name.length + 3)
            .replace(/\n$/, "");
        expect(looked(shown(`env[V${i}]`)), `variable ${JSON.stringify(value)} in ${printed}`).toBe(
          value,
        );
        expect(shown(`php_value[fv.v${i}]`), `setting ${JSON.stringify(value)}`).toBe(value);
      }
    });
  },
);
