// A config that crosses the control socket is the same on the other side.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { diffConfigs } from "../../src/config/derived/diff.ts";
import { configFromJson, configToJson } from "../../src/config/derived/wire.ts";
import { load } from "../config-cases/cases.ts";

const CASES = join(import.meta.dir, "../config-cases");

test.each([
  "good-all.toml",
  "good-defaults.toml",
  "kloxo-php52-two-pools.xml",
  "redhat-php-fpm.conf",
])("%s", async (name) => {
  const { config } = await load(join(CASES, name), null);
  const text = JSON.stringify(configToJson(config));
  const again = configFromJson(JSON.parse(text));
  expect(again).toEqual(config);
  expect(Object.isFrozen(again.pools[0])).toBe(true);
  const plan = diffConfigs(config, again);
  expect(plan.replaced.flatMap(({ changes }) => changes)).toEqual([]);
  expect(plan.needsRestart).toEqual([]);
});
