// Every input in test/config-cases gives exactly what stands beside it: problems word by word, or the
// warnings and the resolved config with the origin of each setting.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  changedLines,
  iniProbe,
  legacyProbe,
  load,
  outcome,
  outcomeOf,
  PHP_FPM,
  smallCases,
} from "../config-cases/cases.ts";
import { convertConfig } from "../../src/config/derived/convert.ts";
import type { Config } from "../../src/config/model.ts";
import { withTempDir, write } from "../config-cases/temp-dir.ts";

const folder = join(import.meta.dir, "../config-cases");
const read = (name: string) => readFileSync(join(folder, name), "utf8");
const inputs = readdirSync(folder).filter((name) => /\.(toml|xml|conf)$/.test(name));
const expectedOf = (input: string) => read(input.replace(/\.\w+$/, ".expected")).trim();

describe("whole files", () => {
  test.each(inputs)("%s", async (input) => {
    const said = await outcome(join(folder, input), null);
    expect(said.replaceAll(`${folder}/`, "DIR/")).toBe(expectedOf(input));
  });

  test("there are all ten legacy files and the TOML ones", () => {
    expect(inputs.filter((name) => name.endsWith(".xml"))).toHaveLength(10);
    expect(inputs.filter((name) => name.endsWith(".toml")).length).toBeGreaterThanOrEqual(3);
  });
});

describe("whole files of php-fpm, run by php-fpm itself", () => {
  test.each(inputs.filter((name) => name.endsWith(".conf")))("%s", async (input) => {
    const said = await outcome(join(folder, input), null, PHP_FPM);
    expect(said.replaceAll(`${folder}/`, "DIR/")).toBe(expectedOf(`${input}.by-php-fpm.conf`));
  });
});

describe("bad TOML", () => {
  const cases = smallCases(read("toml-bad.txt"));
  test.each(cases.map((c) => [c.name, c] as const))("%s", async (_, { source, expected }) => {
    expect(await outcomeOf(source, null)).toBe(expected);
  });
  test("there are at least forty", () => expect(cases.length).toBeGreaterThanOrEqual(40));
});

describe("single facts of the legacy format", () => {
  const cases = smallCases(read("legacy-probes.txt"));
  test.each(cases.map((c) => [c.name, c] as const))("%s", async (_, { source, expected }) => {
    const plain = await outcomeOf(legacyProbe(""), null);
    const said = await outcomeOf(legacyProbe(source), null);
    expect(changedLines(said, plain)).toBe(expected);
  });
  test("there are at least forty", () => expect(cases.length).toBeGreaterThanOrEqual(40));
});

describe("single facts of php-fpm's INI format", () => {
  const cases = smallCases(read("ini-probes.txt"));
  test.each(cases.map((c) => [c.name, c] as const))("%s", async (_, { source, expected }) => {
    const plain = await outcomeOf(iniProbe(""), null);
    const said = await outcomeOf(iniProbe(source), null);
    expect(changedLines(said, plain)).toBe(expected);
  });
  test("there are at least eighty", () => expect(cases.length).toBeGreaterThanOrEqual(80));
});

describe("single facts of php-fpm's INI format, run by php-fpm itself", () => {
  const cases = smallCases(read("ini-probes-php-fpm.txt"));
  test.each(cases.map((c) => [c.name, c] as const))("%s", async (_, { source, expected }) => {
    const plain = await outcomeOf(iniProbe(""), null, PHP_FPM);
    const said = await outcomeOf(iniProbe(source), null, PHP_FPM);
    expect(changedLines(said, plain)).toBe(expected);
  });
  test("there are at least twenty", () => expect(cases.length).toBeGreaterThanOrEqual(20));
});

describe("convert", () => {
  const sound = inputs.filter((input) => !/^\d+ problem/.test(expectedOf(input)));

  test.each(sound)("%s becomes TOML that resolves to the same", async (input) => {
    await withTempDir(async (dir) => {
      const original = await load(join(folder, input), null);
      const file = await write(dir, "converted.toml", convertConfig(original));
      const converted = await load(file, null);
      expect(meaning(converted.config)).toEqual(meaning(original.config));
    });
  });

  test.each(inputs.filter((name) => name.endsWith(".conf")))(
    "%s becomes TOML that resolves to the same with php-fpm, too",
    async (input) => {
      await withTempDir(async (dir) => {
        const original = await load(join(folder, input), null, PHP_FPM);
        const file = await write(dir, "converted.toml", convertConfig(original));
        expect(meaning((await load(file, null)).config)).toEqual(meaning(original.config));
      });
    },
  );

  test("only what differs from the defaults is written", async () => {
    const text = convertConfig(await load(join(folder, "good-minimal.toml"), null));
    const lines = text.split("\n").filter((line) => !line.startsWith("#") && line !== "");
    expect(lines).toEqual([
      "[pools.www]",
      `listen.address = "[::]:9000"  # ${folder}/good-minimal.toml:3`,
      `command = ["php-cgi"]  # ${folder}/good-minimal.toml:4`,
    ]);
  });
});

function meaning({ supervisor, admin, log, pools }: Config) {
  return {
    supervisor: { ...supervisor, daemonize: null },
    admin,
    log,
    pools: pools.map((pool) => ({ ...pool, place: null })),
  };
}
