// The man page tells of all that the tables have, and no text of theirs can become a request of roff.

import { expect, test } from "bun:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { defineCommand } from "../../src/cli/command.ts";
import { listedCommands } from "../../src/cli/help/overview.ts";
import { manPage } from "../../src/cli/man/page.ts";
import { filled, plain, subsection } from "../../src/cli/man/roff.ts";
import { longNames } from "../../src/cli/options.ts";
import { SECTIONS } from "../../src/config/settings/settings.ts";

const FACTS = { version: "1.2.3", date: "2026-01-02" };

test("it has every command, every option and every setting", async () => {
  const loading = listedCommands(COMMANDS).map(({ name }) => COMMANDS[name]!.load());
  const commands = (await Promise.all(loading)).map((module) => module.default);
  const page = manPage({ ...FACTS, commands }).replaceAll("\\-", "-");
  expect(page).toStartWith('.TH FCGIVISOR 8 2026-01-02 "fcgivisor 1.2.3"');
  for (const { name, options } of commands) {
    expect(page).toContain(`.SS "fcgivisor ${name}`);
    for (const option of longNames(options)) expect(page).toMatch(new RegExp(`${option}\\b`));
  }
  for (const rows of Object.values(SECTIONS))
    for (const name of Object.keys(rows)) expect(page).toContain(`\\fB${name}\\fP`);
});

test("marks of roff in a text are only text", () => {
  expect(plain(".so /etc/passwd")).toBe("\\&.so /etc/passwd");
  expect(plain("'x \\n -~^")).toBe("\\&'x \\en \\-\\(ti\\(ha");
  expect(subsection('a "b"')).toBe('.SS "a ""b"""');
  const long = `${"word ".repeat(14)}.ab is no request, and \`a span over ${"x".repeat(20)} lines\` is bold`;
  const lines = filled(long).split("\n");
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.filter((line) => /^[.']/.test(line))).toEqual([]);
  expect(lines.join(" ")).toContain("\\fBa span over");
});

test("an option that every command has is told once", () => {
  const config = { type: "string", alias: "c", description: "its own" } as const;
  const own = defineCommand({ name: "own", description: "x", options: { config }, run: () => 0 });
  const page = manPage({ ...FACTS, commands: [own] });
  expect(page.match(/config file \(TOML/g)).toHaveLength(1);
  expect(page).toContain("its own");
});
