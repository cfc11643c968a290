// What `init` writes: a sound config, whatever was found on the machine, and never over a file.

import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import initCommand from "../../src/cli/config/init.ts";
import { runStrict } from "../../src/cli/runner.ts";
import { loadConfig } from "../../src/config/load.ts";
import { type Found, starterText } from "../../src/config/derived/starter.ts";
import { listen } from "../helper/printed.ts";
import { withTempDir, write } from "../config-cases/temp-dir.ts";

const NOTHING: Found = {
  root: false,
  php: null,
  user: null,
  nginxUser: null,
  documentRoot: null,
  processors: 1,
};

const machines: readonly (readonly [string, Found])[] = [
  ["nothing, not root", NOTHING],
  ["nothing, root", { ...NOTHING, root: true }],
  ["no nginx", { ...NOTHING, root: true, php: "/usr/bin/php-cgi", user: "www-data" }],
  [
    "everything",
    {
      root: true,
      php: "/usr/sbin/php-fpm8.2",
      user: "apache",
      nginxUser: "nginx",
      documentRoot: "/var/www/my site",
      processors: 8,
    },
  ],
];

describe("a machine with", () => {
  test.each(machines)("%s gets a sound config", (_, found) =>
    withTempDir(async (dir) => {
      const file = await write(dir, "a.toml", starterText(found));
      const options = { file, env: {}, uid: null, stateDirDefault: "/run/fcgivisor" };
      const { config, warnings } = await loadConfig(options);
      expect(warnings).toEqual([]);
      expect(config.pools[0]).toMatchObject({
        command: [found.php ?? "php-fpm"],
        user: found.root ? (found.user ?? "nobody") : null,
        chdir: found.documentRoot,
        workers: Math.max(2, found.processors * 2),
      });
      expect(config.pools[0]?.listen.owner).toBe(found.root ? found.nginxUser : null);
    }),
  );
});

describe("fcgivisor init", () => {
  let out = "";
  let spies: { mockRestore(): void }[] = [];
  beforeEach(() => {
    out = "";
    const write = (text: unknown) => ((out += String(text)), true);
    spies = [
      listen({ out: write, err: write }),
      spyOn(process.stderr, "write").mockImplementation(write),
    ];
  });
  afterEach(() => {
    for (const spy of spies) spy.mockRestore();
  });

  const init = (...args: string[]) => runStrict(initCommand, args);

  test("prints, or writes a file and leaves an existing one alone", () =>
    withTempDir(async (dir) => {
      expect(await init()).toBe(0);
      const printed = out;
      const file = join(dir, "fcgivisor.toml");
      expect(await init(file)).toBe(0);
      expect(await readFile(file, "utf8")).toBe(printed);
      const taken = await write(dir, "taken.toml", "mine");
      const again = (async () => init(taken))();
      await expect(again).rejects.toThrow("exists already");
      expect(await readFile(taken, "utf8")).toBe("mine");
      await expect((async () => init(join(dir, "no/such.toml")))()).rejects.toThrow(
        "cannot be written",
      );
    }));
});
