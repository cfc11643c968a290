// The JSON Schema of the config, with a validator of JSON Schemas: it takes what the reader takes, and
// names what is not there.

import { describe, expect, test } from "bun:test";
import Ajv from "ajv";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { convertConfig } from "../../src/config/derived/convert.ts";
import { dumpConfig } from "../../src/config/derived/dump.ts";
import { configSchema } from "../../src/config/derived/json-schema.ts";
import type { Rows } from "../../src/config/settings/setting.ts";
import { SECTIONS } from "../../src/config/settings/settings.ts";
import { load } from "../config-cases/cases.ts";

const CASES = join(import.meta.dir, "../config-cases");
const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(configSchema());
const problems = (toml: string): string[] => {
  validate(parse(toml));
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
};

describe("takes what is sound", () => {
  const files = readdirSync(CASES).filter((name) => /^good.*\.toml$/.test(name));
  test.each(files)("%s, and what is dumped and converted of it", async (name) => {
    expect(problems(readFileSync(join(CASES, name), "utf8"))).toEqual([]);
    const loaded = await load(join(CASES, name), null);
    expect(problems(dumpConfig(loaded))).toEqual([]);
    expect(problems(convertConfig(loaded))).toEqual([]);
  });

  const LEAST = 'listen = "9000"\ncommand = ["a"]\n';
  const tables: Readonly<Record<string, string>> = { pool: `[pools.www]\n${LEAST}` };
  const rows = Object.entries(SECTIONS).flatMap(([section, table]) =>
    Object.entries(table as Rows).map(([name, row]) => ({ section, name, row })),
  );
  const others = rows.filter(({ name }) => name !== "listen.address" && name !== "command");

  test.each(others.map((r) => [`${r.section} ${r.name}`, r] as const))(
    "the example of %s, and no table with a date for it",
    (_, { section, name, row }) => {
      const start = tables[section]?.replace('listen = "9000"', 'listen.address = "9000"');
      const head = start ?? `[${section}]\n`;
      expect(problems(`${head}${name} = ${row.example}`)).toEqual([]);
      expect(problems(`${head}${name} = { wrong = 1979-05-27 }`)).not.toEqual([]);
    },
  );
});

test("what is not there is named with its place", () => {
  const pool = '[pools.www]\nlisten = "9000"\ncommand = ["a"]\n';
  const found = problems(`${pool}wrokers = 3`);
  expect(found).toContain("/pools/www must NOT have additional properties");
  for (const wrong of ["workers = 0", 'workers = "3"', 'drain_timeout = "5"', 'scaling = "often"'])
    expect(problems(`${pool}${wrong}`)[0]).toStartWith(`/pools/www/${wrong.split(" ")[0]} must`);
  expect(problems("[pools.www]\n")).toContain("/pools/www must have required property 'listen'");
  expect(problems(`${pool}[logs]\n`)[0]).toContain("must NOT have additional properties");
  expect(problems('[pools.www]\nlisten = { adress = "9000" }\n')).not.toEqual([]);
  expect(problems(`[pools."a b"]\nlisten = "9000"\n`)).not.toEqual([]);
});
