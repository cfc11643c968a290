import { expect, test } from "bun:test";
import { withTables } from "../helper/manual-tables.ts";
import { INI_NAMES } from "../../src/config/ini/names.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { helpText } from "../../src/cli/help/help.ts";
import { PAGES } from "../../src/cli/help/pages.ts";
import { TOPICS } from "../../src/cli/help/topics.ts";
import { SECTIONS } from "../../src/config/settings/settings.ts";
import { Fault } from "../../src/fault.ts";

test("without a topic it lists every command that is for people, and every topic", async () => {
  const text = await helpText(COMMANDS, undefined);
  for (const [name, { summary }] of Object.entries(COMMANDS)) {
    if (summary === "") expect(text).not.toContain(`\n  ${name} `);
    else expect(text).toContain(summary);
  }
  for (const { summary } of TOPICS) expect(text).toContain(summary);
});

test("the config page has every setting with its meaning, and none of the marks", async () => {
  const text = await helpText(COMMANDS, "config");
  for (const rows of Object.values(SECTIONS)) {
    for (const [name, { doc }] of Object.entries(rows)) {
      expect(text).toMatch(new RegExp(`^\\| \`${name.replaceAll(".", "\\.")}\` +\\|`, "m"));
      expect(text).toContain(doc);
    }
  }
  expect(text).toMatch(/^\| `drain_timeout` +\| `"30s"` +\|/m);
  expect(text).not.toContain("<!--");
});

test("the legacy page has every legacy name beside today's", async () => {
  const text = await helpText(COMMANDS, "legacy");
  expect(text).toMatch(/^\| `pool\/pm\/max_children` +\| `workers` +\|/m);
  expect(text).toMatch(/^\| `global_options\/error_log` +\| `log\.file` +\|/m);
  expect(text).not.toContain("<!--");
});

test("the legacy page has every name of php-fpm.conf, and what becomes of the others", async () => {
  const text = await helpText(COMMANDS, "legacy");
  expect(text).toMatch(/^\| `pm\.max_children` +\| `workers` +\|/m);
  expect(text).toMatch(/^\| `\[global\] error_log` +\| `log\.file` +\|/m);
  for (const name of [...INI_NAMES.global.keys(), ...INI_NAMES.pool.keys()])
    expect(text).toContain(name);
});

test("the tables in the manual are those of the settings", () => {
  // When this fails: bun test/helper/manual-tables.ts
  for (const [name, page] of Object.entries(PAGES)) expect(page, name).toBe(withTables(page));
});

test("every topic that the manual names exists", () => {
  const topics: readonly string[] = TOPICS.map(({ name }) => name);
  const named = Object.values(PAGES).flatMap((text) =>
    [...text.matchAll(/fcgivisor help ([a-z]+)/g)].map((match) => match[1]!),
  );
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((name) => !topics.includes(name))).toEqual([]);
});

test("a command without a page shows its options", async () => {
  expect(await helpText(COMMANDS, "request")).toStartWith("Usage: fcgivisor request");
});

test("an unknown topic is a usage error that names the nearest", async () => {
  const fault = await helpText(COMMANDS, "relaod").then(
    () => null,
    (error: unknown) => error,
  );
  if (!(fault instanceof Fault)) throw new Error("no Fault was thrown");
  expect(fault.exitCode).toBe(2);
  expect(fault.message).toContain('did you mean "reload"?');
});
